//! The buttons.

use http::{Method, StatusCode};
use serde_json::json;

use super::{ConsoleBench, part};
use crate::harness::{PRO, TASK_TIME, TestResponse, request_body, request_body_with};
use crate::webhooks::receiver;

#[tokio::test]
async fn armed_fault_is_applied_until_it_is_disarmed() {
    let console = ConsoleBench::start().await;
    let bench = &console.bench;
    let create = || async { bench.post(PRO, &request_body()).await.status };
    assert_eq!(create().await, 200);

    let armed = console
        .submit("/faults", "/faults/arm", &[("rule", " create:429=5 ")])
        .await;
    assert_eq!(
        (armed.status, armed.header("location")),
        (303, Some("/faults"))
    );
    assert_eq!(create().await, 429);
    let page = console.page("/faults").await;
    let faults = part(&page, "faults");
    assert!(faults.contains("matched 1, applied 1"), "{faults}");
    assert!(
        faults.contains("kling-omni sandbox --fault create:429=5"),
        "{faults}"
    );

    let disarmed = console.submit("/", "/faults/disarm", &[("id", "1")]).await;
    assert_eq!(
        (disarmed.status, disarmed.header("location")),
        (303, Some("/"))
    );
    assert_eq!(create().await, 200);
    assert!(
        console
            .page("/faults")
            .await
            .contains("All requests are answered as by the service")
    );
}

#[tokio::test]
async fn used_up_faults_are_shown_as_such() {
    let console = ConsoleBench::start().await;
    for rule in [
        "create:503@1",
        "create:503@1-2",
        "create:503@5-",
        "create:503~0",
    ] {
        console.submit("/", "/faults/arm", &[("rule", rule)]).await;
    }
    console.bench.post(PRO, &request_body()).await;
    let page = console.page("/faults").await;
    let faults = part(&page, "faults");
    assert_eq!(faults.matches("used up").count(), 1, "{faults}");
    assert_eq!(faults.matches(">armed<").count(), 3, "{faults}");
    assert_eq!(
        faults.matches("matched 1, applied 1").count(),
        2,
        "{faults}"
    );

    let all = console
        .submit("/", "/faults/disarm", &[("id", "all")])
        .await;
    assert_eq!(all.status, 303);
    assert_eq!(console.bench.post(PRO, &request_body()).await.status, 200);
}

#[tokio::test]
async fn wrong_forms_are_rejected() {
    let console = ConsoleBench::start().await;
    type Fields = [(&'static str, &'static str)];
    let cases: [(&str, &Fields, &str); 8] = [
        (
            "/faults/arm",
            &[("rule", "create:dorp")],
            "unknown fault `dorp`",
        ),
        ("/faults/arm", &[("rule", "")], "has no target"),
        ("/faults/arm", &[], "has no target"),
        (
            "/faults/arm",
            &[("rule", "list:id=a")],
            "impossible at `list`",
        ),
        ("/faults/disarm", &[("id", "7")], "not armed any more"),
        ("/faults/disarm", &[], "not armed any more"),
        (
            "/deliveries/redeliver",
            &[("number", "1")],
            "no longer kept",
        ),
        (
            "/deliveries/redeliver",
            &[("number", "x")],
            "no longer kept",
        ),
    ];
    for (action, fields, error) in cases {
        let response = console.submit("/faults", action, fields).await;
        assert_eq!(response.status, 400, "{action} {fields:?}");
        let text = response.text().replace("&#39;", "'");
        assert!(text.contains(error), "{error}: {text}");
        assert!(text.contains("<h1>Faults</h1>"), "{text}");
    }
    assert!(
        console
            .page("/faults")
            .await
            .contains("<span class=\"count\">0</span>")
    );
}

#[tokio::test]
async fn forms_return_to_pages_of_the_console_only() {
    let console = ConsoleBench::start().await;
    let cases = [
        ("/tasks?before=9", "/tasks?before=9"),
        ("//example.com/faults", "/"),
        ("/nothing", "/"),
        ("/live/faults", "/"),
    ];
    for (page, expected) in cases {
        let done = console
            .submit(page, "/faults/arm", &[("rule", "api:401")])
            .await;
        assert_eq!(done.header("location"), Some(expected), "{page}");
    }
}

#[tokio::test]
async fn delivery_is_sent_again() {
    let console = ConsoleBench::start().await;
    let bench = &console.bench;
    let (url, mut received) = receiver(StatusCode::NO_CONTENT).await;
    bench
        .create(PRO, &request_body_with("webhook_url", url))
        .await;
    bench.clock.advance(TASK_TIME);
    let mut bodies = vec![];
    for _ in 0..2 {
        bodies.push(received.recv().await.unwrap());
    }
    bench.sandbox.wait_for_deliveries(2).await;
    let page = console.page("/deliveries").await;
    assert!(
        page.contains("accepted, 204") && page.contains("id=\"redeliver-2\""),
        "{page}"
    );

    bench.clock.advance(TASK_TIME);
    let again = console
        .submit("/deliveries", "/deliveries/redeliver", &[("number", "2")])
        .await;
    assert_eq!(
        (again.status, again.header("location")),
        (303, Some("/deliveries"))
    );
    let (headers, body) = received.recv().await.unwrap();
    let (first_headers, first_body) = &bodies[1];
    assert_eq!(&body, first_body);
    assert_eq!(headers["webhook-id"], first_headers["webhook-id"]);
    assert_ne!(
        headers["webhook-timestamp"],
        first_headers["webhook-timestamp"]
    );
    assert_ne!(
        headers["webhook-signature"],
        first_headers["webhook-signature"]
    );
    let deliveries = bench.sandbox.wait_for_deliveries(3).await;
    assert_eq!(deliveries[2].number(), 3);
    assert_eq!(
        deliveries[2].sent_at(),
        crate::harness::at(2 * TASK_TIME.as_secs())
    );
    assert!(
        console
            .page("/deliveries")
            .await
            .contains("id=\"redeliver-3\"")
    );
    assert!(console.page("/tasks/1").await.contains("delivery 3"));
}

#[tokio::test]
async fn forged_delivery_stays_forged_when_it_is_sent_again() {
    let console = ConsoleBench::with(|b| b.fault("webhook:forged@1".parse().unwrap())).await;
    let bench = &console.bench;
    let (url, mut received) = receiver(StatusCode::OK).await;
    bench
        .create(PRO, &request_body_with("webhook_url", url))
        .await;
    bench.clock.advance(TASK_TIME);
    let (first, body) = received.recv().await.unwrap();
    let deliveries = bench.sandbox.wait_for_deliveries(3).await;
    assert_eq!(deliveries[0].body(), &body);
    assert!(
        console
            .page("/deliveries/1")
            .await
            .contains("signed with a wrong secret")
    );
    for _ in 0..2 {
        received.recv().await.unwrap();
    }
    assert!(bench.sandbox.redeliver(&deliveries[0]));
    let (again, _) = received.recv().await.unwrap();
    // The time has not changed, so neither has the signature.
    assert_eq!(again["webhook-signature"], first["webhook-signature"]);
}

#[tokio::test]
async fn faults_apply_to_deliveries_that_are_sent_again() {
    let console = ConsoleBench::start().await;
    let bench = &console.bench;
    let (url, mut received) = receiver(StatusCode::OK).await;
    bench
        .create(PRO, &request_body_with("webhook_url", url))
        .await;
    bench.clock.advance(TASK_TIME);
    bench.sandbox.wait_for_deliveries(2).await;
    bench.sandbox.inject("webhook:lost@1".parse().unwrap());
    for number in ["1", "1"] {
        console
            .submit("/", "/deliveries/redeliver", &[("number", number)])
            .await;
    }
    let deliveries = bench.sandbox.wait_for_deliveries(4).await;
    let faults: Vec<_> = deliveries
        .iter()
        .map(|delivery| delivery.faults().count())
        .collect();
    assert_eq!(faults, [0, 0, 1, 0]);
    for _ in 0..3 {
        received.recv().await.unwrap();
    }
    assert!(received.try_recv().is_err());

    let other = ConsoleBench::start().await;
    assert!(!other.bench.sandbox.redeliver(&deliveries[0]));
}

#[tokio::test]
async fn api_port_has_no_console() {
    let console = ConsoleBench::start().await;
    for path in ["/", "/tasks", "/console.js", "/faults/arm"] {
        for method in [Method::GET, Method::POST] {
            let response = TestResponse::to(console.bench.request(method, path)).await;
            assert_eq!(
                response.json(),
                json!({"message": "There is no such route"})
            );
        }
    }
}
