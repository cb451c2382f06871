//! API keys, and the answers to wrong ones.

use http::Method;
use kling_omni_sandbox::DEFAULT_API_KEY;

use crate::harness::{Answer, Bench, LIST, PRO, STATUS, order, path_of};

const FREEPIK: &str = "x-freepik-api-key";
const MAGNIFIC: &str = "x-magnific-api-key";

#[tokio::test]
async fn keys() {
    let bench = Bench::with(|builder| builder.api_keys(["one", "two"])).await;
    assert_eq!(bench.sandbox.api_key(), "one");
    // headers, how the refusal begins
    let missing = Some("Missing API key");
    let recorded = Some("Unauthorized: The provided API key is invalid.");
    let cases: [(&[(&str, &str)], _); 10] = [
        (&[(FREEPIK, "one")], None),
        (&[(FREEPIK, "two")], None),
        (&[(MAGNIFIC, "one")], None),
        (&[("X-Freepik-API-Key", "one")], None),
        (&[(FREEPIK, "wrong"), (MAGNIFIC, "two")], None),
        (&[], missing),
        (&[(FREEPIK, "")], missing),
        (&[("authorization", "Bearer one")], missing),
        (&[(FREEPIK, "One")], recorded),
        (&[(MAGNIFIC, DEFAULT_API_KEY)], recorded),
    ];
    for (headers, refused) in cases {
        for (method, path) in [
            (Method::POST, PRO.to_owned()),
            (Method::GET, LIST.to_owned()),
            (Method::GET, path_of(STATUS, "x")),
        ] {
            let url = format!("{}{path}", bench.sandbox.base_url());
            let mut request = bench.http.request(method, url).json(&order());
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let answer = Answer::to(request).await;
            match refused {
                None => assert_ne!(answer.status, 401, "{headers:?} {path}"),
                Some(message) => {
                    assert_eq!(answer.status, 401, "{headers:?} {path}");
                    let told = answer.json()["message"].as_str().unwrap().to_owned();
                    assert!(told.starts_with(message), "{headers:?} {told}");
                    assert_eq!(answer.header("content-type"), Some("application/json"));
                    // No key, no window to tell of, as recorded.
                    assert_eq!(answer.header("x-ratelimit-limit"), None);
                }
            }
        }
    }
    assert_eq!(bench.sandbox.charges(), 5);
}

#[tokio::test]
async fn the_answer_to_a_wrong_key_is_the_recorded_one() {
    let bench = Bench::start().await;
    assert_eq!(bench.sandbox.api_key(), DEFAULT_API_KEY);
    let url = format!("{}{PRO}", bench.sandbox.base_url());
    let request = bench.http.post(url).header(FREEPIK, "wrong").json(&order());
    let recorded = concat!(
        r#"{"message":"Unauthorized: The provided API key is invalid. Please verify your API key at "#,
        r#"https://www.freepik.com/developers/dashboard/api-key. If you need a new key, you can request one at "#,
        r#"https://www.freepik.com/api."}"#,
    );
    assert_eq!(Answer::to(request).await.text(), recorded);
}
