#![doc = include_str!("../README.md")]
#![warn(missing_debug_implementations, missing_docs, unreachable_pub)]

mod builder;
mod sandbox;

mod clock;
mod config;
mod fault;
mod record;
mod script;

mod api;
#[cfg(feature = "console")]
mod console;
mod injection;
mod random;
mod rate;
mod raw_lines;
mod redact;
mod reply;
mod results;
mod secret;
mod service;
mod signer;
mod spec;
mod start;
mod task;
mod uploads;
mod webhook;

use std::time::SystemTime;

pub use builder::SandboxBuilder;
pub use clock::{Clock, ManualClock, Sleep, SystemClock};
pub use config::{
    DEFAULT_API_KEY, DEFAULT_WEBHOOK_SECRET, ProblemForm, StartError, StatusRoute,
    VideoReferenceRoute,
};
pub use fault::{Fault, FaultMatcher, FaultRule, FaultTarget, InvalidFault};
pub use record::{
    Delivery, DeliveryOutcome, Host, ReceivedRequest, SentResponse, TaskRecord, UploadRecord,
};
pub use sandbox::Sandbox;
pub use script::{TaskOutcome, TaskScript};

/// Returns the headers of a delivery with this id and body, signed as the sandbox signs its own: a test of what receives
/// deliveries needs no sandbox.
///
/// `None` if the secret is not base64 after `whsec_` or not hexadecimal after `hex:`, or if the id is not a valid value of a
/// header.
///
/// ```
/// use std::time::SystemTime;
///
/// let headers = kling_omni_sandbox::sign_delivery("a secret", "msg-1", SystemTime::now(), b"{}");
/// assert_eq!(headers.unwrap()["webhook-id"], "msg-1");
/// assert!(kling_omni_sandbox::sign_delivery("hex:7", "msg-1", SystemTime::now(), b"{}").is_none());
/// ```
pub fn sign_delivery(
    secret: &str,
    id: &str,
    now: SystemTime,
    body: &[u8],
) -> Option<http::HeaderMap> {
    http::HeaderValue::from_str(id).ok()?;
    let secret = secret::Secret::parse(secret)?;
    Some(secret::headers(&[&secret], id, now, body))
}
