//! The limit on tasks in flight.

use std::time::Duration;

use futures_util::future::join_all;
use kling_omni::{Charged, Client, Error, ErrorKind};
use kling_omni_sandbox::TaskScript;
use kling_omni_test_support::fake::{Fake, Reply};
use kling_omni_test_support::setup::{client, sandbox, task, valid_request};
use kling_omni_test_support::virtual_clock::VirtualClock;

async fn create(client: &Client) -> Result<kling_omni::Task, Error> {
    client
        .create(valid_request().build().unwrap())
        .fail_fast()
        .await
}

fn in_flight(client: &Client) -> usize {
    client.health().in_flight_tasks
}

#[tokio::test]
async fn create_beyond_the_limit_waits_for_a_task() {
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).start().await.unwrap();
    let client = client(sandbox.base_url(), &clock)
        .max_in_flight_tasks(2)
        .build()
        .unwrap();
    let videos = (0..6).map(|_| async {
        let client = client.clone();
        let task = client.create(valid_request().build().unwrap()).await?;
        let seen = client.clone();
        task.wait()
            .on_status(move |_| assert!(in_flight(&seen) <= 2))
            .await
    });
    for video in join_all(videos).await {
        video.unwrap();
    }
    assert_eq!((sandbox.charges(), in_flight(&client)), (6, 0));
    // Each task takes a minute, so three rounds of two take three.
    assert!(
        clock.elapsed() >= Duration::from_secs(180),
        "{:?}",
        clock.elapsed()
    );
}

#[tokio::test]
async fn permit_is_released_on_completion_or_drop() {
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).start().await.unwrap();
    sandbox.script_next(TaskScript::default());
    sandbox.script_next(TaskScript::failed());
    let client = client(sandbox.base_url(), &clock)
        .max_in_flight_tasks(1)
        .build()
        .unwrap();
    for end in ["completed", "failed"] {
        let task = create(&client).await.unwrap();
        let other = task.clone();
        assert_eq!(in_flight(&client), 1, "{end}");
        let error = create(&client).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RateLimited, "{end}");
        drop(task);
        assert_eq!(in_flight(&client), 1, "{end}: a clone still exists");
        let _ = other.wait().await;
        assert_eq!(in_flight(&client), 0, "{end}");
    }
    drop(create(&client).await.unwrap());
    assert_eq!(in_flight(&client), 0);
}

#[tokio::test]
async fn failed_or_unknown_create_holds_no_permit() {
    for (status, charged) in [(401, Charged::No), (500, Charged::Unknown)] {
        let fake = Fake::start(vec![Reply::http(status, &[], "")]).await;
        let clock = VirtualClock::new();
        let client = client(fake.base_url(), &clock)
            .max_in_flight_tasks(1)
            .build()
            .unwrap();
        for _ in 0..3 {
            let error = create(&client).await.unwrap_err();
            assert_eq!(error.charged(), charged);
        }
        assert_eq!(in_flight(&client), 0);
    }
}

#[tokio::test]
async fn create_without_a_permit_is_not_sent() {
    let fake = Fake::start(vec![Reply::http(200, &[], task("a", "CREATED", &[]))]).await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock)
        .max_in_flight_tasks(1)
        .operation_timeout(Duration::from_secs(40))
        .build()
        .unwrap();
    let _task = create(&client).await.unwrap();
    let fast = create(&client).await.unwrap_err();
    assert_eq!(clock.elapsed(), Duration::ZERO);
    let late = client
        .create(valid_request().build().unwrap())
        .await
        .unwrap_err();
    assert_eq!(clock.elapsed(), Duration::from_secs(40));
    for error in [fast, late] {
        assert_eq!(error.kind(), ErrorKind::RateLimited);
        assert_eq!(error.charged(), Charged::No);
        assert!(error.is_retryable());
        assert!(
            error.summary().contains("too many tasks in flight (limit"),
            "{error}"
        );
    }
    assert_eq!(fake.requests().len(), 1);
}

#[tokio::test]
async fn limit_of_zero_is_rejected() {
    let clock = VirtualClock::new();
    let error = client("http://h.example", &clock)
        .max_in_flight_tasks(0)
        .build()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
}
