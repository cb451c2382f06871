//! The ergonomic crate at work: against the sandbox, and against a fake that answers in every awkward way.

mod arrived_id;
mod awkward;
mod bucket;
mod create;
mod download;
mod explained;
mod in_flight;
mod journal;
mod list;
mod list_extent;
mod local_media;
mod many;
mod odd_id;
mod outage;
mod outcome;
mod own_client;
mod pace;
mod reconcile;
mod schedule;
mod scheduler;
pub mod secrets;
mod status;
mod stopped;
mod text;
mod upload;
mod wait;

use std::time::Duration;

use kling_omni::{ApiKey, Client, ClientBuilder, VideoReference, VideoReferenceBuilder};
use kling_omni_sandbox::{Sandbox, SandboxBuilder};
use kling_omni_tests::virtual_clock::VirtualClock;

/// A key that is easily found in any text it should not be in.
pub const KEY: &str = "FPSX-needle-in-a-haystack";

/// How long an attempt may take in tests that wait for it to run out.
pub const SHORT: Duration = Duration::from_millis(150);

pub fn client(base_url: impl Into<String>, clock: &VirtualClock) -> ClientBuilder {
    kling_omni_tests::raise_file_limit();
    Client::builder()
        .api_key(ApiKey::new(KEY).unwrap())
        .base_url(base_url)
        .clock(clock.clone())
}

pub fn sandbox(clock: &VirtualClock) -> SandboxBuilder {
    Sandbox::builder()
        .api_key(KEY)
        .clock(clock.for_sandbox())
        .task_time(Duration::from_secs(60))
}

pub fn puppet() -> VideoReferenceBuilder {
    VideoReference::builder()
        .prompt("The dancer of @Video1 as a paper puppet on a moonlit stage")
        .reference_video("https://example.com/dance.mp4")
}

/// The JSON of one task.
pub fn task(id: &str, status: &str, generated: &[&str]) -> String {
    serde_json::json!({"data": {"task_id": id, "status": status, "generated": generated}})
        .to_string()
}
