//! The poll schedule of a single task, and the learning of task durations.

use std::time::Duration;

use kling_omni::polling::{PollSchedule, TaskDurations};
use kling_omni::request::{AspectRatio, VideoReferenceBuilder};
use kling_omni::{Charged, Client, ErrorKind};
use kling_omni_test_support::fake::{Fake, Reply};
use kling_omni_test_support::setup::{client, task, valid_request};
use kling_omni_test_support::virtual_clock::VirtualClock;
use serde_json::json;

use crate::list_polling::service::{ListDefect, Request, Service};
use crate::list_polling::{client_of, fresh_client};

/// A client that has observed many tasks of this duration.
fn client_with_durations(service: &Service, seconds: f64) -> Client {
    let times: Vec<_> = (0..100)
        .map(|n| seconds * (0.9 + 0.002 * f64::from(n)))
        .collect();
    let times = json!({"reference/pro/5/without-image": times});
    let times: TaskDurations = serde_json::from_value(times).unwrap();
    client_of(service.base_url())
        .task_durations(times)
        .build()
        .unwrap()
}

async fn service(seconds: &[u64]) -> Service {
    let times = seconds.iter().map(|seconds| Duration::from_secs(*seconds));
    Service::start(ListDefect::Honest, times.collect()).await
}

/// The times of the reads so far.
fn reads(service: &Service) -> Vec<f64> {
    let asked = service.requests().into_iter();
    asked
        .filter(|(_, asked)| matches!(asked, Request::Read(_)))
        .map(|(at, _)| at.as_secs_f64())
        .collect()
}

fn learnt_durations(client: &Client) -> serde_json::Value {
    serde_json::to_value(client.task_durations()).unwrap()
}

async fn make(client: &Client, request: VideoReferenceBuilder) -> kling_omni::Task {
    client.create(request.build().unwrap()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn polls_follow_the_expected_duration() {
    for seconds in [30_u64, 200] {
        let service = service(&[seconds]).await;
        let client = client_with_durations(&service, seconds as f64);
        make(&client, valid_request()).await.wait().await.unwrap();
        let reads = reads(&service);
        let (first, last) = (reads[0], reads[reads.len() - 1]);
        let seconds = seconds as f64;
        assert!(first > 0.6 * seconds, "{reads:?}");
        assert!((seconds..seconds + 4.0).contains(&last), "{reads:?}");
        assert!(reads.len() < 15, "{reads:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn client_learns_the_durations_of_a_kind() {
    let service = service(&[20]).await;
    let client = fresh_client(service.base_url());
    let mut first_polls = Vec::new();
    for _ in 0..8 {
        let before = reads(&service).len();
        let began = service.elapsed().as_secs_f64();
        make(&client, valid_request()).await.wait().await.unwrap();
        first_polls.push(reads(&service)[before] - began);
    }
    assert!(first_polls[0] > 22.0, "{first_polls:?}");
    assert!(first_polls[7] < 20.0, "{first_polls:?}");
    let times = learnt_durations(&client)["reference/pro/5/without-image"].clone();
    let latest = times.as_array().unwrap().last().unwrap().as_f64().unwrap();
    assert!((15.0..25.0).contains(&latest), "{times}");

    let other = valid_request()
        .start_frame("https://example.com/stage.png")
        .duration(10)
        .aspect_ratio(AspectRatio::Widescreen);
    make(&client, other).await.wait().await.unwrap();
    let seen = learnt_durations(&client);
    let kinds: Vec<_> = seen.as_object().unwrap().keys().collect();
    assert_eq!(
        kinds,
        [
            "reference/pro/10/with-image",
            "reference/pro/5/without-image"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn uncertain_durations_are_not_learnt() {
    let service = service(&[60]).await;
    let client = fresh_client(service.base_url());
    // It completed long before the first poll.
    let late = make(&client, valid_request()).await;
    tokio::time::sleep(Duration::from_secs(1000)).await;
    late.wait().await.unwrap();
    // Its creation time is unknown.
    let other = fresh_client(service.base_url());
    let found = make(&client, valid_request()).await;
    other.task(found.id()).wait().await.unwrap();
    assert!(client.task_durations().is_empty());
    assert!(other.task_durations().is_empty());
}

#[tokio::test(start_paused = true)]
async fn late_wait_polls_immediately() {
    let service = service(&[60]).await;
    let client = client_with_durations(&service, 60.0);
    let task = make(&client, valid_request()).await;
    tokio::time::sleep(Duration::from_secs(90)).await;
    task.wait().await.unwrap();
    assert_eq!(reads(&service), [90.0]);
    // Opened by its id, the task has the same state in this client.
    let again = make(&client, valid_request()).await;
    client.task(again.id()).wait().await.unwrap();
    let reads = reads(&service);
    assert_eq!(reads[1], 90.0, "a task opened by id is read immediately");
    assert!(reads[2] > 90.0 + 0.6 * 60.0, "{reads:?}");
}

#[tokio::test(start_paused = true)]
async fn poll_budget_takes_precedence_over_delay() {
    let service = service(&[95]).await;
    let schedule = PollSchedule::adaptive().request_budget(3);
    let client = client_with_durations(&service, 90.0);
    let task = make(&client, valid_request()).await;
    task.wait().schedule(schedule).await.unwrap();
    assert!(reads(&service).len() <= 4, "{:?}", reads(&service));
}

#[tokio::test(start_paused = true)]
async fn polls_beyond_the_budget_are_a_minute_apart() {
    let service = service(&[200]).await;
    let client = fresh_client(service.base_url());
    let schedule = PollSchedule::fixed(Duration::from_secs(10)).request_budget(2);
    let task = make(&client, valid_request()).await;
    task.wait().schedule(schedule).await.unwrap();
    let pauses: Vec<_> = reads(&service)
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .collect();
    assert!((9.0..=11.1).contains(&pauses[0]), "{pauses:?}");
    let rest = &pauses[1..];
    assert!(rest.len() >= 3, "{pauses:?}");
    assert!(rest.iter().all(|pause| pause.round() == 60.0), "{pauses:?}");
}

#[tokio::test]
async fn retry_after_sets_the_next_poll() {
    let soon = |status: &str| {
        let body = task("a", status, &[]);
        Reply::http(
            200,
            &[("retry-after", "7"), ("content-type", "application/json")],
            body,
        )
    };
    let done = Reply::json(
        200,
        &task("a", "COMPLETED", &["https://result.example/a.mp4"]),
    );
    let fixed = PollSchedule::fixed(Duration::from_secs(20));
    for (schedule, expected) in [(PollSchedule::adaptive(), 7..8), (fixed, 18..23)] {
        let fake = Fake::start(vec![soon("CREATED"), soon("IN_PROGRESS"), done.clone()]).await;
        let clock = VirtualClock::new();
        let client = client(fake.base_url(), &clock).build().unwrap();
        make(&client, valid_request())
            .await
            .wait()
            .schedule(schedule)
            .await
            .unwrap();
        let sleeps = clock.sleeps();
        assert_eq!(sleeps.len(), 2);
        assert!(
            sleeps
                .iter()
                .all(|pause| expected.contains(&pause.as_secs())),
            "{sleeps:?}"
        );
    }
}

#[test]
fn task_durations_round_trip_and_reject_other_json() {
    let text =
        r#"{"reference/pro/5/without-image":[81.5,90.0],"text/standard/10/with-image":[120.25]}"#;
    let times: TaskDurations = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&times).unwrap(), text);
    assert_eq!(times.len(), 3);

    let odd = r#"{"reference/pro/5/without-image":[-1.0, 0.0, 1e30, 80.0]}"#;
    let times: TaskDurations = serde_json::from_str(odd).unwrap();
    assert_eq!(times.len(), 1, "invalid durations are skipped");

    let many: serde_json::Map<_, _> = (0..300)
        .map(|n| {
            (
                format!(
                    "{}/pro/{}/without-image",
                    ["text", "reference"][n % 2],
                    n / 2
                ),
                json!([1.0]),
            )
        })
        .collect();
    for (name, json) in [
        ("another shape", json!([1, 2])),
        ("another kind", json!({"reference/pro/5": [1.0]})),
        (
            "a kind with further parts",
            json!({"reference/pro/5/without-image/x": [1.0]}),
        ),
        (
            "an unknown mode",
            json!({"dance/pro/5/without-image": [1.0]}),
        ),
        (
            "no numbers",
            json!({"reference/pro/5/without-image": ["1"]}),
        ),
        ("too many kinds", many.into()),
    ] {
        let read = serde_json::from_value::<TaskDurations>(json);
        assert!(read.is_err(), "{name}");
    }
}

#[test]
fn old_durations_are_evicted() {
    let many = json!({"reference/pro/5/without-image": vec![90.0; 1000]});
    let times: TaskDurations = serde_json::from_value(many).unwrap();
    assert_eq!(times.len(), 128);
}

#[tokio::test(start_paused = true)]
async fn expected_duration_is_learnt() {
    let service = service(&[40]).await;
    let unknown = fresh_client(service.base_url());
    let guess = make(&unknown, valid_request())
        .await
        .expected_duration()
        .as_secs();
    assert!((60..150).contains(&guess), "{guess}");
    let client = client_with_durations(&service, 40.0);
    let typical = make(&client, valid_request())
        .await
        .expected_duration()
        .as_secs();
    assert!((38..43).contains(&typical), "{typical}");
}

#[tokio::test(start_paused = true)]
async fn deadline_takes_precedence_over_the_schedule() {
    let service = service(&[60]).await;
    let client = client_with_durations(&service, 60.0);
    let task = make(&client, valid_request()).await;
    let wait = task.wait().timeout(Duration::from_secs(5));
    let error = wait.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(error.charged(), Charged::Yes);
    assert_eq!(reads(&service), [5.0]);
}
