//! One manual clock for client and sandbox.

use std::time::{Duration, Instant, UNIX_EPOCH};

use kling_omni::clock::{Clock as _, ManualClock};
use kling_omni::{ApiKey, Client, Task};
use kling_omni_sandbox::Sandbox;

use kling_omni_test_support::setup::{KEY, valid_request};

const TASK_TIME: Duration = Duration::from_secs(90);

/// Far less than the 31 s before the first poll of such a task in real time.
const REAL_TIME_LIMIT: Duration = Duration::from_secs(20);

async fn start() -> (ManualClock, Sandbox, Client) {
    let clock = ManualClock::new(UNIX_EPOCH + Duration::from_secs(1_800_000_000));
    let sandbox = Sandbox::builder()
        .api_key(KEY)
        .clock(clock.clone())
        .task_time(TASK_TIME)
        .jitter(0.0)
        .start()
        .await
        .unwrap();
    let client = Client::builder()
        .api_key(ApiKey::new(KEY).unwrap())
        .base_url(sandbox.base_url())
        .clock(clock.clone())
        .build()
        .unwrap();
    (clock, sandbox, client)
}

async fn create(client: &Client) -> Task {
    client
        .create(valid_request().build().unwrap())
        .await
        .unwrap()
}

#[tokio::test]
async fn advance_completes_a_running_wait() {
    let (clock, sandbox, client) = start().await;
    let began = Instant::now();
    let task = create(&client).await;
    let wait = tokio::spawn(task.wait().into_future());
    // The first poll is not earlier than the shortest possible task.
    clock.advance(Duration::from_secs(1));
    tokio::task::yield_now().await;
    assert!(!wait.is_finished());
    clock.advance(TASK_TIME);
    wait.await.unwrap().unwrap();
    assert!(began.elapsed() < REAL_TIME_LIMIT, "{:?}", began.elapsed());
    let requests = sandbox.requests();
    let polls = requests
        .iter()
        .filter(|request| request.method() == "GET")
        .count();
    assert_eq!((polls, sandbox.charges()), (1, 1));
}

#[tokio::test]
async fn advance_before_a_wait_makes_the_first_poll_due() {
    let (clock, _sandbox, client) = start().await;
    let began = Instant::now();
    let task = create(&client).await;
    clock.advance(TASK_TIME);
    task.wait().await.unwrap();
    assert!(began.elapsed() < REAL_TIME_LIMIT, "{:?}", began.elapsed());
}

#[tokio::test]
async fn wall_clock_step_affects_only_the_client() {
    let (clock, sandbox, client) = start().await;
    let hour = Duration::from_secs(3600);
    let ends_at = |sandbox: &Sandbox| sandbox.tasks()[0].ends_at();
    let task = create(&client).await;
    let due = clock.system_time() + TASK_TIME;
    clock.set_system_time(clock.system_time() + hour);
    assert_eq!(ends_at(&sandbox), due);
    clock.advance(TASK_TIME);
    task.wait().await.unwrap();
}
