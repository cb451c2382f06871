//! API keys, and the responses to wrong ones.

use http::Method;
use kling_omni_sandbox::DEFAULT_API_KEY;

use crate::harness::{Bench, LIST, PRO, STATUS, TestResponse, path_of, request_body};

const FREEPIK: &str = "x-freepik-api-key";
const MAGNIFIC: &str = "x-magnific-api-key";

#[tokio::test]
async fn keys_are_accepted_or_rejected() {
    let bench = Bench::with(|builder| builder.api_keys(["one", "two"])).await;
    assert_eq!(bench.sandbox.api_key(), "one");
    // headers, start of the message
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
    for (headers, expected) in cases {
        for (method, path) in [
            (Method::POST, PRO.to_owned()),
            (Method::GET, LIST.to_owned()),
            (Method::GET, path_of(STATUS, "x")),
        ] {
            let url = format!("{}{path}", bench.sandbox.base_url());
            let mut request = bench.http.request(method, url).json(&request_body());
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let response = TestResponse::to(request).await;
            match expected {
                None => assert_ne!(response.status, 401, "{headers:?} {path}"),
                Some(message) => {
                    assert_eq!(response.status, 401, "{headers:?} {path}");
                    let text = response.json()["message"].as_str().unwrap().to_owned();
                    assert!(text.starts_with(message), "{headers:?} {text}");
                    assert_eq!(response.header("content-type"), Some("application/json"));
                    // Without a key there is no rate limit window, as observed.
                    assert_eq!(response.header("x-ratelimit-limit"), None);
                }
            }
        }
    }
    assert_eq!(bench.sandbox.charges(), 5);
}

#[tokio::test]
async fn response_to_a_wrong_key_is_the_observed_one() {
    let bench = Bench::start().await;
    assert_eq!(bench.sandbox.api_key(), DEFAULT_API_KEY);
    let url = format!("{}{PRO}", bench.sandbox.base_url());
    let request = bench
        .http
        .post(url)
        .header(FREEPIK, "wrong")
        .json(&request_body());
    let recorded = concat!(
        r#"{"message":"Unauthorized: The provided API key is invalid. Please verify your API key at "#,
        r#"https://www.freepik.com/developers/dashboard/api-key. If you need a new key, you can request one at "#,
        r#"https://www.freepik.com/api."}"#,
    );
    assert_eq!(TestResponse::to(request).await.text(), recorded);
}
