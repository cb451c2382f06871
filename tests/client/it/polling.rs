//! Polling under load and with failures.

mod deadlines;
mod fake_service;
mod learning;
mod lists;
mod pauses;
mod runtimes;

use std::time::{Duration, UNIX_EPOCH};

use futures_util::future::join_all;
use kling_omni::{Client, Task, TextToVideo};

use fake_service::{FakeService, Request, ResponseOverride};
use kling_omni_test_support::setup::valid_request;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The current time in seconds, as in deliveries.
fn unix_seconds() -> u64 {
    UNIX_EPOCH.elapsed().unwrap().as_secs()
}

async fn make(client: &Client, count: usize) -> Vec<Task> {
    let create = async || {
        client
            .create(valid_request().build().unwrap())
            .await
            .unwrap()
    };
    join_all((0..count).map(|_| create())).await
}

async fn make_text(client: &Client, count: usize) -> Vec<Task> {
    let request = || TextToVideo::builder().prompt("a river").build().unwrap();
    let create = async || client.create(request()).await.unwrap();
    join_all((0..count).map(|_| create())).await
}

fn well_behaved(_: Duration, _: &Request) -> ResponseOverride {
    ResponseOverride::default()
}
