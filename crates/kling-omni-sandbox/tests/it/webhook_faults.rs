//! Faults on deliveries.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use http::StatusCode;
use kling_omni_sandbox::{DEFAULT_WEBHOOK_SECRET, Delivery, DeliveryOutcome};
use sha2::Sha256;

use crate::harness::{Bench, PRO, START, request_body_with};
use crate::webhooks::receiver;

/// Returns the secrets of the signatures, in order: `configured`, `new` or `unknown`.
fn signers(delivery: &Delivery) -> String {
    let header = |name: &str| delivery.headers()[name].to_str().unwrap();
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    let content = [format!("{id}.{timestamp}.").as_bytes(), delivery.body()].concat();
    let by = |secret: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(&content);
        format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
    };
    let signatures = header("webhook-signature").split(' ');
    let names = signatures.map(|signature| {
        let known = [(DEFAULT_WEBHOOK_SECRET, "configured"), ("n3w", "new")];
        let mut known = known.into_iter();
        let found = known.find(|(secret, _)| by(secret) == signature);
        found.map_or("unknown", |(_, name)| name)
    });
    names.collect::<Vec<_>>().join("+")
}

#[tokio::test]
async fn change_the_deliveries() {
    // Fault, and the deliveries after 20 seconds, 100 seconds and an hour and 20 seconds: status, number of the id,
    // secrets, seconds from the start to the timestamp.
    const PROGRESS: &str = "IN_PROGRESS 0 configured 20";
    const COMPLETED: &str = "COMPLETED 1 configured 100";
    let twice = [COMPLETED, COMPLETED].join(", ");
    let cases = [
        ("status:lost", [PROGRESS, COMPLETED, ""]),
        ("webhook:lost@1", ["lost", COMPLETED, ""]),
        ("webhook#1:duplicate@2", [PROGRESS, &twice, ""]),
        ("webhook#2:duplicate", [PROGRESS, COMPLETED, ""]),
        (
            "webhook:late=1h@1",
            [
                "",
                "COMPLETED 0 configured 100",
                "IN_PROGRESS 1 configured 3620",
            ],
        ),
        ("webhook:replay=1h@1", [PROGRESS, COMPLETED, PROGRESS]),
        (
            "webhook:reordered@1",
            [
                "",
                "COMPLETED 0 configured 100, IN_PROGRESS 1 configured 100",
                "",
            ],
        ),
        ("webhook:reordered@2", [PROGRESS, COMPLETED, ""]),
        (
            "webhook:forged@2",
            [
                PROGRESS,
                "FAILED 1 unknown 100, COMPLETED 2 configured 100",
                "",
            ],
        ),
        (
            "webhook:rotated=n3w@2",
            [PROGRESS, "COMPLETED 1 new 100", ""],
        ),
        (
            "webhook:rotating=n3w@1",
            ["IN_PROGRESS 0 configured+new 20", COMPLETED, ""],
        ),
    ];
    for (text, expected) in cases {
        let bench = Bench::with(|builder| builder.fault(text.parse().unwrap())).await;
        let (url, mut received) = receiver(StatusCode::OK).await;
        bench
            .create(PRO, &request_body_with("webhook_url", url))
            .await;
        let all = expected.map(|part| part.split(", ").filter(|seen| !seen.is_empty()).count());
        let mut count = 0;
        for (seconds, more) in [20, 80, 3520].into_iter().zip(all) {
            bench.clock.advance(Duration::from_secs(seconds));
            count += more;
            bench.sandbox.wait_for_deliveries(count).await;
        }
        let deliveries = bench.sandbox.deliveries();
        let mut ids: Vec<&str> = Vec::new();
        let seen: Vec<String> = deliveries
            .iter()
            .map(|delivery| {
                if !ids.contains(&delivery.id()) {
                    ids.push(delivery.id());
                }
                if let DeliveryOutcome::Skipped(_) = delivery.outcome() {
                    return "lost".to_owned();
                }
                let number = ids.iter().position(|id| *id == delivery.id()).unwrap();
                let timestamp = delivery.headers()["webhook-timestamp"].to_str().unwrap();
                let later = timestamp.parse::<u64>().unwrap() - START;
                format!(
                    "{} {number} {} {later}",
                    delivery.status().as_str(),
                    signers(delivery)
                )
            })
            .collect();
        let expected: Vec<&str> = expected
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect();
        assert_eq!(seen.join(", "), expected.join(", "), "{text}");
        let sent = deliveries
            .iter()
            .filter(|delivery| *delivery.outcome() == DeliveryOutcome::Accepted(StatusCode::OK));
        for delivery in sent {
            let (headers, body) = received.recv().await.unwrap();
            assert_eq!(
                (headers["webhook-id"].as_bytes(), &body),
                (delivery.id().as_bytes(), delivery.body())
            );
        }
        assert!(received.is_empty(), "{text}");
        assert_eq!(bench.sandbox.charges(), 1);
    }
}
