//! Deliveries: their times, signatures and outcomes.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, StatusCode};
use kling_omni_sandbox::{DEFAULT_WEBHOOK_SECRET, DeliveryOutcome};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};

use crate::harness::{Bench, PRO, START, TASK_TIME, VIDEO_REFERENCE, request_body_with};

pub type Received = (HeaderMap, Bytes);

/// Starts a receiver of webhooks that responds with `status`.
pub async fn receiver(status: StatusCode) -> (String, mpsc::UnboundedReceiver<Received>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let app = Router::new().fallback(async move |request: Request| {
        let (parts, body) = request.into_parts();
        assert_eq!(parts.method, "POST");
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        sender.send((parts.headers, body)).unwrap();
        let mut response = Response::new(axum::body::Body::empty());
        *response.status_mut() = status;
        response
            .headers_mut()
            .insert("location", "http://127.0.0.1:1/".parse().unwrap());
        response
    });
    (serve(app).await, receiver)
}

async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}/hooks?token=t0p")
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers[name].to_str().unwrap()
}

/// Computes the signature of a delivery, by the Standard Webhooks scheme.
fn signature(key: &[u8], headers: &HeaderMap, body: &[u8]) -> String {
    let id = header(headers, "webhook-id");
    let timestamp = header(headers, "webhook-timestamp");
    let content = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(&content);
    format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
}

#[tokio::test]
async fn changes_are_delivered_in_order_and_signed() {
    let failure = "The sandbox was asked to fail this task";
    let key = DEFAULT_WEBHOOK_SECRET.as_bytes();
    // prompt, secret, key, statuses with their seconds
    type Case = (
        &'static str,
        Option<&'static str>,
        &'static [u8],
        &'static [(u64, &'static str)],
    );
    let cases: [Case; 4] = [
        (
            "a cat",
            None,
            key,
            &[(20, "IN_PROGRESS"), (100, "COMPLETED")],
        ),
        (
            "[sandbox:fail]",
            None,
            key,
            &[(20, "IN_PROGRESS"), (100, "FAILED")],
        ),
        (
            "[sandbox:status=QUEUED]",
            Some("s3cret"),
            b"s3cret",
            &[(20, "QUEUED"), (60, "IN_PROGRESS"), (100, "COMPLETED")],
        ),
        (
            "a cat",
            Some("whsec_czNjcmV0"),
            b"s3cret",
            &[(20, "IN_PROGRESS"), (100, "COMPLETED")],
        ),
    ];
    for (prompt, secret, key, changes) in cases {
        let bench = Bench::with(|builder| match secret {
            Some(secret) => builder.webhook_secret(secret),
            None => builder,
        })
        .await;
        let (url, mut received) = receiver(StatusCode::NO_CONTENT).await;
        let mut body = request_body_with("prompt", prompt);
        body["webhook_url"] = url.clone().into();
        let id = bench.create(VIDEO_REFERENCE, &body).await;

        let mut now = 0;
        let mut ids = vec![];
        for (n, (second, status)) in changes.iter().enumerate() {
            bench.clock.advance(Duration::from_secs(second - now));
            now = *second;
            let (headers, body) = received.recv().await.unwrap();
            // The body is that of a read, without the wrapper.
            let expected = bench.task(&id).await;
            assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
            assert_eq!(expected["status"], *status);
            if *status == "FAILED" {
                assert_eq!(expected["error"], failure);
            }
            assert_eq!(header(&headers, "content-type"), "application/json");
            assert_eq!(
                header(&headers, "webhook-timestamp"),
                (START + now).to_string()
            );
            assert_eq!(
                header(&headers, "webhook-signature"),
                signature(key, &headers, &body)
            );
            ids.push(header(&headers, "webhook-id").to_owned());

            let deliveries = bench.sandbox.wait_for_deliveries(n + 1).await;
            let delivery = deliveries.last().unwrap();
            assert_eq!(
                *delivery.outcome(),
                DeliveryOutcome::Accepted(StatusCode::NO_CONTENT)
            );
            assert_eq!(
                (delivery.id(), delivery.task_id()),
                (ids[n].as_str(), id.as_str())
            );
            assert_eq!(delivery.status().as_str(), *status);
            assert_eq!((delivery.url(), delivery.body()), (url.as_str(), &body));
            assert_eq!(
                delivery.headers()["webhook-signature"],
                headers["webhook-signature"]
            );
        }
        assert_eq!(ids.len(), changes.len());
        ids.dedup();
        assert_eq!(
            ids.len(),
            changes.len(),
            "each delivery has an id of its own"
        );
        bench.clock.advance(TASK_TIME);
        assert!(received.is_empty());
    }
}

#[tokio::test]
async fn late_clock_delivers_each_stage() {
    let bench = Bench::start().await;
    let (url, mut received) = receiver(StatusCode::OK).await;
    bench
        .create(PRO, &request_body_with("webhook_url", url))
        .await;
    bench.clock.advance(TASK_TIME * 10);
    for status in ["IN_PROGRESS", "COMPLETED"] {
        let (_, body) = received.recv().await.unwrap();
        assert_eq!(
            serde_json::from_slice::<Value>(&body).unwrap()["status"],
            status
        );
    }
}

#[tokio::test]
async fn outcomes_are_recorded() {
    let (refusing, _keep) = receiver(StatusCode::INTERNAL_SERVER_ERROR).await;
    let (redirecting, _keep) = receiver(StatusCode::TEMPORARY_REDIRECT).await;
    let closed = "http://127.0.0.1:1/?token=t0p";
    let skipped = "the host is another machine, and `remote_webhooks` is off";
    let rejected = DeliveryOutcome::Rejected;
    let cases = [
        (
            refusing.as_str(),
            rejected(StatusCode::INTERNAL_SERVER_ERROR),
        ),
        (&redirecting, rejected(StatusCode::TEMPORARY_REDIRECT)),
        (closed, DeliveryOutcome::Failed("Connection refused".into())),
        (
            "http://192.0.2.1/hook?token=t0p",
            DeliveryOutcome::Skipped(skipped.into()),
        ),
        (
            "https://example.com/hook",
            DeliveryOutcome::Skipped(skipped.into()),
        ),
        (
            "http://localhost.example.com/",
            DeliveryOutcome::Skipped(skipped.into()),
        ),
        (
            "mailto:someone@example.com",
            DeliveryOutcome::Skipped(skipped.into()),
        ),
    ];
    for (url, expected) in cases {
        let bench = Bench::start().await;
        bench
            .create(PRO, &request_body_with("webhook_url", url))
            .await;
        bench.clock.advance(TASK_TIME);
        let deliveries = bench.sandbox.wait_for_deliveries(2).await;
        assert_eq!(deliveries.len(), 2);
        for delivery in deliveries {
            match (delivery.outcome(), &expected) {
                (DeliveryOutcome::Failed(text), DeliveryOutcome::Failed(part)) => {
                    assert!(text.contains(part), "{url}: {text}");
                    assert!(!text.contains("t0p"), "{text}");
                }
                (outcome, expected) => assert_eq!(outcome, expected, "{url}"),
            }
        }
    }
}

#[tokio::test]
async fn hanging_receiver_fails_the_delivery_only() {
    let reached = Arc::new(Notify::new());
    let hanging = Arc::clone(&reached);
    let url = serve(Router::new().fallback(async move || {
        hanging.notify_one();
        std::future::pending::<()>().await
    }))
    .await;
    let bench = Bench::with(|builder| builder.webhook_timeout(Duration::from_millis(50))).await;
    bench
        .create(PRO, &request_body_with("webhook_url", url))
        .await;
    bench.clock.advance(TASK_TIME);
    reached.notified().await;
    let deliveries = bench.sandbox.wait_for_deliveries(2).await;
    let expected = DeliveryOutcome::Failed("no response within the time limit".into());
    assert!(
        deliveries
            .iter()
            .all(|delivery| *delivery.outcome() == expected)
    );
}

#[tokio::test]
async fn remote_webhooks_are_sent_if_allowed() {
    // Not a loopback address, but it reaches this machine only.
    let url = "http://0.0.0.0:1/hook";
    for (remote, sent) in [(false, false), (true, true)] {
        let bench = Bench::with(|builder| builder.remote_webhooks(remote)).await;
        bench
            .create(PRO, &request_body_with("webhook_url", url))
            .await;
        bench.clock.advance(TASK_TIME);
        for delivery in bench.sandbox.wait_for_deliveries(2).await {
            let tried = matches!(delivery.outcome(), DeliveryOutcome::Failed(_));
            assert_eq!(tried, sent, "{delivery:?}");
        }
    }
}

#[tokio::test]
async fn no_webhook_url_sends_no_delivery() {
    let bench = Bench::start().await;
    let (url, mut received) = receiver(StatusCode::OK).await;
    bench.create(PRO, &json!({"video_url": url})).await;
    bench
        .create(PRO, &request_body_with("webhook_url", url))
        .await;
    bench.clock.advance(TASK_TIME);
    let text = received.recv().await.unwrap();
    assert!(!text.1.is_empty());
    bench.sandbox.wait_for_deliveries(2).await;
    let watched = bench.sandbox.tasks()[1].id().to_owned();
    for delivery in bench.sandbox.deliveries() {
        assert_eq!(delivery.task_id(), watched);
    }
}
