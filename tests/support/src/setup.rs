//! The client, the sandbox and the request that most tests begin with.

use std::time::Duration;

use kling_omni::request::VideoReferenceBuilder;
use kling_omni::{ApiKey, Client, ClientBuilder, VideoReference};
use kling_omni_sandbox::{Sandbox, SandboxBuilder};

use crate::raise_file_limit;
use crate::virtual_clock::VirtualClock;

/// A key that is easily found in any text it should not be in.
pub const KEY: &str = "FPSX-canary-in-a-coal-mine";

/// How long an attempt may take in tests that wait for it to run out. A response comes sooner on a busy machine, too.
pub const SHORT: Duration = Duration::from_millis(500);

/// A client for the service at `base_url`, with [`KEY`].
pub fn client(base_url: impl Into<String>, clock: &VirtualClock) -> ClientBuilder {
    raise_file_limit();
    Client::builder()
        .api_key(ApiKey::new(KEY).unwrap())
        .base_url(base_url)
        .clock(clock.clone())
}

/// A sandbox with the client's key and time, whose tasks take a minute.
pub fn sandbox(clock: &VirtualClock) -> SandboxBuilder {
    Sandbox::builder()
        .api_key(KEY)
        .clock(clock.for_sandbox())
        .task_time(Duration::from_secs(60))
}

/// A request that every route takes.
pub fn valid_request() -> VideoReferenceBuilder {
    VideoReference::builder()
        .prompt("The dancer of @Video1 as a paper puppet on a moonlit stage")
        .reference_video("https://example.com/dance.mp4")
}

/// The JSON of one task.
pub fn task(id: &str, status: &str, generated: &[&str]) -> String {
    serde_json::json!({"data": {"task_id": id, "status": status, "generated": generated}})
        .to_string()
}
