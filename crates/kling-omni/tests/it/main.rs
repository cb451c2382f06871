//! The crate from outside: against the sandbox, and against a server that answers in every awkward way.

mod arrived_id;
mod awkward;
mod bucket;
mod create;
mod download;
mod errors;
mod examples;
mod explained;
mod in_flight;
mod journal;
mod list;
mod list_extent;
mod local_media;
mod manual_clock;
mod many;
mod odd_id;
mod outage;
mod outcome;
mod own_client;
mod pace;
mod preflight;
mod reconcile;
mod schedule;
mod scheduler;
mod secrets;
mod status;
mod stopped;
mod text;
mod upload;
mod wait;
mod webhook;
mod wire;

use std::path::Path;

use kling_omni_test_support::snapshots::Snapshots;

/// Snapshots in a folder below `tests/snapshots`.
fn snapshots(folder: &str) -> Snapshots {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    Snapshots::some_of(package.join("tests/snapshots").join(folder))
}
