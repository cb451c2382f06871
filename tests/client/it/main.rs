//! Tests of the public API, against the sandbox and against a fake server with arbitrary responses.

mod auto_traits;
mod blocking;
mod compile_errors;
mod create;
mod create_outcome;
mod download;
mod errors;
mod every_create;
mod example_programs;
mod examples;
mod http_client;
mod in_flight;
mod incomplete_lists;
mod journal;
mod journal_run;
mod journal_stores;
mod killed_save;
mod known_tasks;
mod list;
mod list_polling;
mod local_media;
mod logging;
mod manual_clock;
mod not_after;
mod object_store;
mod poll_schedule;
mod polling;
mod preflight;
mod rate_limit;
mod reconcile;
mod retry_budget;
mod runtime_shutdown;
mod secrets;
mod service_errors;
mod service_process;
mod spend;
mod stable_names;
mod status;
mod suspended_process;
mod task_id_recovery;
mod text_to_video;
mod unexpected_responses;
mod unusual_ids;
mod upload;
mod wait;
mod webhook;
mod wire;

use std::path::Path;

use kling_omni_test_support::snapshots::Snapshots;

/// Snapshots in a folder of `tests/snapshots`.
fn snapshots(folder: &str) -> Snapshots {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    Snapshots::some_of(package.join("../snapshots").join(folder))
}
