//! Webhooks: verification, deduplication and waits.

mod correlation;
mod endpoint;
mod properties;
mod receiver;
mod verifier;
mod waits;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kling_omni::reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use kling_omni::webhook::{
    Received, Secret, Verifier, WebhookError, WebhookReceiver, WebhookReceiverBuilder,
};
use kling_omni_test_support::virtual_clock::VirtualClock;

/// The start of the virtual clock.
pub const START: u64 = 1_800_000_000;
pub const SECRET: &str = "canary-of-a-webhook-secret";
const URL: &str = "https://result.example/kling_a.mp4?token=exp=1800003600~hmac=00";

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

fn receiver(clock: &VirtualClock) -> WebhookReceiverBuilder {
    WebhookReceiver::builder(Verifier::new(secret(SECRET))).clock(clock.clone())
}

fn headers(id: &str, timestamp: &str, signature: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("webhook-id", id),
        ("webhook-timestamp", timestamp),
        ("webhook-signature", signature),
    ] {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    headers
}

pub fn signed(id: &str, sent_at: u64, body: &str) -> HeaderMap {
    let signature = secret(SECRET).sign(id, at(sent_at), body.as_bytes());
    headers(id, &sent_at.to_string(), &signature)
}

/// The body of a delivery for task `id`.
pub fn task(id: &str, status: &str, generated: &[&str]) -> String {
    serde_json::json!({"task_id": id, "status": status, "generated": generated}).to_string()
}

/// Receives an authentic delivery.
fn deliver(
    receiver: &WebhookReceiver,
    id: &str,
    sent_at: u64,
    body: &str,
) -> Result<Received, WebhookError> {
    receiver.receive(&signed(id, sent_at, body), None, body.as_bytes())
}

/// The result of a delivery as one word.
fn word(result: &Result<Received, WebhookError>) -> String {
    match result {
        Ok(Received::Accepted(_)) => "new".to_owned(),
        Ok(Received::Duplicate(_)) => "duplicate".to_owned(),
        Ok(Received::OutOfOrder(_)) => "late".to_owned(),
        Ok(other) => format!("{other:?}"),
        Err(refusal) => format!("{:?}", refusal.kind()),
    }
}
