//! Faults that change the created task, and the visibility of tasks.

use std::time::Duration;

use http::Method;
use kling_omni_api::limits::video_reference_request::{CFG_SCALE, PROMPT};
use serde_json::{Value, json};

use crate::harness::{
    Bench, KEY_HEADER, LIST, PRO, STANDARD, STATUS, TASK_TIME, TestResponse, path_of, request_body,
    request_body_with, short_request_body,
};

async fn bench(rule: &str) -> Bench {
    Bench::with(|builder| builder.fault(rule.parse().unwrap())).await
}

/// Encodes an id as one path segment.
fn segment(id: &str) -> String {
    let mut url = url::Url::parse("http://h/").unwrap();
    url.path_segments_mut().unwrap().push(id);
    url.path().trim_start_matches('/').to_owned()
}

#[tokio::test]
async fn id_may_be_any_text() {
    let long = "x".repeat(300);
    for id in [
        "a.b",
        "aux.",
        "--force",
        "ä/ö ü",
        "a%2Fb",
        "a'b\"c",
        "\u{202e}cat",
        &long,
    ] {
        let rule = format!("create:id={id}");
        let bench = bench(&rule).await;
        let (made, url) = {
            let made = bench.create(PRO, &short_request_body()).await;
            bench.clock.advance(TASK_TIME);
            let task = bench.task(&segment(&made)).await;
            (made, task["generated"][0].as_str().unwrap().to_owned())
        };
        assert_eq!(made, id);
        let listed = bench.get(LIST).await.data();
        assert_eq!(listed[0]["task_id"], *id);
        let video = TestResponse::to(bench.http.get(url)).await;
        assert_eq!(
            (video.status, &video.body[4..8]),
            (200, &b"ftyp"[..]),
            "{id}"
        );
        assert_eq!(bench.create(PRO, &request_body()).await, format!("{id}-2"));
        assert_eq!(bench.create(PRO, &request_body()).await, format!("{id}-3"));
    }
}

#[tokio::test]
async fn lenient_accepts_and_charges_invalid_creates() {
    let bodies: [Value; 6] = [
        json!({}),
        request_body_with("duration", 5),
        request_body_with("duration", "99"),
        request_body_with("aspect_ratio", "7:7"),
        request_body_with("cfg_scale", CFG_SCALE.maximum.unwrap() + 7.0),
        request_body_with("prompt", "x".repeat(PROMPT.max_length.unwrap() + 1)),
    ];
    let strict = Bench::start().await;
    for body in &bodies {
        assert_eq!(strict.post(PRO, body).await.status, 400, "{body}");
    }
    assert_eq!(strict.sandbox.charges(), 0);
    let bench = bench("create:lenient").await;
    for body in &bodies {
        let id = bench.create(PRO, body).await;
        assert_eq!(bench.sandbox.tasks().last().unwrap().request(), body);
        bench.clock.advance(TASK_TIME);
        let task = bench.task(&id).await;
        let url = task["generated"][0].as_str().unwrap();
        assert_eq!(
            TestResponse::to(bench.http.get(url)).await.status,
            200,
            "{body}"
        );
    }
    assert_eq!(bench.sandbox.charges(), bodies.len());
}

#[tokio::test]
async fn silent_failure_has_no_reason() {
    let bench = bench("createReferenceToVideoStd:silent-failure").await;
    let pro = bench.create(PRO, &request_body()).await;
    let standard = bench.create(STANDARD, &request_body()).await;
    bench.clock.advance(Duration::from_secs(3));
    assert_eq!(
        bench.task(&standard).await,
        json!({"task_id": standard, "status": "FAILED", "generated": []})
    );
    assert_eq!(bench.task(&pro).await["status"], "CREATED");
    assert_eq!(bench.sandbox.charges(), 2);
}

#[tokio::test]
async fn moderated_task_completes_without_a_video() {
    let bench = bench("create:moderated@1").await;
    let stopped = bench.create(PRO, &request_body()).await;
    let other = bench.create(PRO, &request_body()).await;
    bench.clock.advance(TASK_TIME);
    assert_eq!(
        bench.task(&stopped).await,
        json!({"task_id": stopped, "status": "COMPLETED", "generated": []})
    );
    assert_eq!(
        bench.task(&other).await["generated"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn task_is_visible_to_its_account_only() {
    for (apart, seen) in [(false, 200), (true, 404)] {
        let bench =
            Bench::with(|builder| builder.api_keys(["mine", "yours"]).account_per_key(apart)).await;
        let id = bench.create(PRO, &request_body()).await;
        for (key, status) in [("mine", 200), ("yours", seen)] {
            for path in [path_of(STATUS, &id), LIST.to_owned()] {
                let url = format!("{}{path}", bench.sandbox.base_url());
                let request = bench.http.request(Method::GET, url).header(KEY_HEADER, key);
                assert_eq!(
                    TestResponse::to(request).await.status,
                    status,
                    "{key} {path}"
                );
            }
        }
    }
}
