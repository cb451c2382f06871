//! Records of requests and tasks, and their `Debug` output.

use http::Method;
use kling_omni_sandbox::Host;
use serde_json::json;

use crate::harness::{
    Bench, KEY_HEADER, LIST, PRO, TASK_TIME, TestResponse, at, request_body, request_body_with,
    short_request_body,
};

#[tokio::test]
async fn requests_are_recorded_unchanged() {
    let bench = Bench::start().await;
    let body = request_body_with("prompt", "ä");
    let request = bench
        .request(Method::POST, &format!("{PRO}?a=%20b"))
        .header("x-own", "1");
    TestResponse::to(request.json(&body)).await;
    let url = format!("{}{LIST}", bench.sandbox.base_url());
    TestResponse::to(bench.http.get(url)).await;

    let requests = bench.sandbox.requests();
    let first = &requests[0];
    assert_eq!(first.host(), Host::Api);
    assert_eq!(first.received_at(), at(0));
    assert_eq!(first.operation_id(), Some("createReferenceToVideoPro"));
    assert_eq!((first.method(), first.path()), (&Method::POST, PRO));
    assert_eq!(first.query(), Some("a=%20b"));
    assert_eq!(first.headers()["x-own"], "1");
    assert_eq!(first.headers()[KEY_HEADER], bench.sandbox.api_key());
    assert_eq!(first.body().as_ref(), body.to_string().as_bytes());
    assert_eq!(first.json(), Some(body));
    assert_eq!(first.status().unwrap(), 200);

    assert_eq!(
        requests[1].operation_id(),
        Some("listReferenceToVideoTasks")
    );
    assert_eq!(requests[1].json(), None);
    assert_eq!(requests[1].status().unwrap(), 401);
}

#[tokio::test]
async fn old_records_are_evicted_but_charges_are_not() {
    let bench = Bench::with(|builder| builder.record_limit(3)).await;
    for n in 0..5 {
        bench
            .create(PRO, &request_body_with("prompt", n.to_string()))
            .await;
    }
    let prompts: Vec<_> = bench
        .sandbox
        .requests()
        .iter()
        .map(|request| request.json().unwrap()["prompt"].clone())
        .collect();
    assert_eq!(prompts, [json!("2"), json!("3"), json!("4")]);
    assert_eq!(bench.sandbox.charges(), 5);
    assert_eq!(bench.sandbox.tasks().len(), 5);
}

#[tokio::test]
async fn debug_output_has_no_secrets() {
    let (key, secret, token) = (
        "k3y-of-the-account",
        "s3cret-of-the-hooks",
        "t0ken-of-the-user",
    );
    let bench = Bench::with(|builder| {
        let builder = builder.api_key(key).webhook_secret(secret);
        let shown = format!("{builder:?}");
        assert!(shown.contains("task_time"));
        assert!(!shown.contains(key) && !shown.contains(secret), "{shown}");
        builder
    })
    .await;
    let mut body = short_request_body();
    body["video_url"] = format!("https://example.com/v.mp4?signature={token}").into();
    body["webhook_url"] = format!("http://127.0.0.1:1/{token}?token={token}").into();
    let (_, url) = bench.completed(&body).await;
    let (_, hmac) = url.split_once("hmac=").unwrap();
    bench.sandbox.wait_for_deliveries(2).await;
    let requests = [
        bench
            .http
            .get(&url)
            .header("authorization", format!("Bearer {key}")),
        bench.http.get(&url).header("x-mistyped-key", key),
        bench.request(Method::GET, &format!("{LIST}?page=1&api_key={key}")),
    ];
    for request in requests {
        TestResponse::to(request).await;
    }

    let shown = [
        format!("{:?}", bench.sandbox),
        format!("{:#?}", bench.sandbox.requests()),
        format!("{:#?}", bench.sandbox.tasks()),
        format!("{:#?}", bench.sandbox.deliveries()),
    ];
    for (text, sign) in
        shown
            .iter()
            .zip(["charges: 1", "page=1", "Completed", "http://127.0.0.1:1"])
    {
        assert!(text.contains(sign), "{text}");
        for secret in [key, secret, token, hmac] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    let last = bench.sandbox.requests().pop().unwrap();
    assert_eq!(last.headers()[KEY_HEADER], key);
    assert!(last.query().unwrap().ends_with(key));
}

#[tokio::test]
async fn accessors_use_the_clock() {
    let bench = Bench::start().await;
    bench.create(PRO, &request_body()).await;
    let before = bench.sandbox.tasks();
    bench.clock.advance(TASK_TIME);
    let after = bench.sandbox.tasks();
    assert_eq!(before[0].status().as_str(), "CREATED");
    assert_eq!(after[0].status().as_str(), "COMPLETED");
    assert_eq!(
        (after[0].created_at(), after[0].ends_at()),
        (at(0), at(TASK_TIME.as_secs()))
    );
}
