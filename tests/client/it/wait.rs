//! Waiting for tasks.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use kling_omni::polling::{TaskState, TaskStatus, Update};
use kling_omni::{Charged, ErrorKind};
use kling_omni_test_support::fake::{Fake, Reply};
use kling_omni_test_support::setup::{client, sandbox, task, valid_request};
use kling_omni_test_support::virtual_clock::VirtualClock;

const URL: &str = "https://result.example/kling_a.mp4?token=exp=1800003600~hmac=00";

fn reply(status: &str) -> Reply {
    Reply::json(200, &task("a", status, &[]))
}

fn completed() -> Reply {
    Reply::json(200, &task("a", "COMPLETED", &[URL]))
}

#[tokio::test]
async fn wait_completes_in_virtual_time() {
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).start().await.unwrap();
    let client = client(sandbox.base_url(), &clock).build().unwrap();
    let task = client
        .create(valid_request().build().unwrap())
        .await
        .unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let video = task
        .wait()
        .on_status(move |state| log.lock().unwrap().push(state.status().clone()))
        .await
        .unwrap();
    assert_eq!(video.task_id(), task.id());
    assert!(video.expires_at().is_some());
    let seen = seen.lock().unwrap().clone();
    assert_eq!(
        seen,
        [
            TaskStatus::Created,
            TaskStatus::InProgress,
            TaskStatus::Completed
        ]
    );
    // The task takes about a minute, with the jitter of the sandbox, and its completion is detected within one
    // maximum interval.
    let slept = clock.slept().as_secs();
    assert!((40..100).contains(&slept), "{slept}");
    assert_eq!(sandbox.charges(), 1);
    let again = client.task(task.id()).wait().await.unwrap();
    assert_eq!(again.url(), video.url());
}

#[tokio::test]
async fn first_status_is_yielded_without_delay() {
    let fake = Fake::start(vec![reply("IN_PROGRESS"), completed()]).await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock).build().unwrap();
    let task = client.task("a");
    let mut updates = task.updates();
    let Some(Ok(Update::Status(first))) = updates.next().await else {
        panic!()
    };
    assert_eq!(*first.status(), TaskStatus::InProgress);
    assert!(clock.sleeps().is_empty());
    let Some(Ok(Update::Status(second))) = updates.next().await else {
        panic!()
    };
    assert_eq!(*second.status(), TaskStatus::Completed);
    assert_eq!(clock.sleeps().len(), 1);
    assert!(updates.next().await.is_none());
}

#[tokio::test]
async fn failed_polls_are_updates_and_do_not_end_the_wait() {
    let fake = Fake::start(vec![
        reply("IN_PROGRESS"),
        Reply::Drop,
        Reply::http(500, &[("content-type", "text/html")], "<html>"),
        Reply::http(429, &[("retry-after", "40")], ""),
        completed(),
    ])
    .await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock).build().unwrap();
    let updates: Vec<_> = client.task("a").updates().collect().await;
    let shape: Vec<_> = updates
        .iter()
        .map(|update| match update {
            Ok(Update::Status(state)) => state.status().as_str().to_owned(),
            Ok(Update::PollFailed { .. }) => "failed".to_owned(),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(
        shape,
        ["IN_PROGRESS", "failed", "failed", "failed", "COMPLETED"]
    );
    assert_eq!(*clock.sleeps().last().unwrap(), Duration::from_secs(40));
    assert_eq!(
        fake.requests().len(),
        5,
        "a failed poll is not retried separately"
    );
}

#[tokio::test]
async fn each_result_is_distinguished() {
    let unauthorized = Reply::json(401, r#"{"message":"Invalid API key"}"#);
    let failed = Reply::json(
        200,
        r#"{"data":{"task_id":"a","status":"FAILED","generated":[],"error":"NSFW"}}"#,
    );
    let missing = Reply::http(404, &[], "");
    for (name, replies, kind, charged, says) in [
        (
            "failed",
            vec![failed],
            ErrorKind::TaskFailed,
            Charged::Unknown,
            "NSFW",
        ),
        (
            "empty",
            vec![reply("COMPLETED")],
            ErrorKind::EmptyResult,
            Charged::Yes,
            "without a result",
        ),
        (
            "key rejected midway",
            vec![reply("CREATED"), unauthorized],
            ErrorKind::Authentication,
            Charged::Yes,
            "key",
        ),
        (
            "never found",
            vec![missing.clone()],
            ErrorKind::NotFound,
            Charged::Unknown,
            "404",
        ),
        (
            "vanished",
            vec![reply("CREATED"), missing],
            ErrorKind::NotFound,
            Charged::Yes,
            "404",
        ),
        (
            "still going",
            vec![reply("IN_PROGRESS")],
            ErrorKind::Timeout,
            Charged::Yes,
            "its status is IN_PROGRESS",
        ),
        (
            "unknown status",
            vec![reply("PAUSED")],
            ErrorKind::Timeout,
            Charged::Yes,
            "its status is PAUSED (unknown to this version)",
        ),
        (
            "unreachable",
            vec![Reply::Drop],
            ErrorKind::Timeout,
            Charged::Unknown,
            "no status received",
        ),
    ] {
        let fake = Fake::start(replies).await;
        let clock = VirtualClock::new();
        let client = client(fake.base_url(), &clock).build().unwrap();
        let error = client
            .task("a")
            .wait()
            .timeout(Duration::from_secs(60))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{name}: {error}");
        assert_eq!(error.charged(), charged, "{name}: {error}");
        assert_eq!(error.task_id(), Some("a"), "{name}");
        assert!(format!("{error:?}").contains(says), "{name}: {error}");
        if kind == ErrorKind::Timeout {
            let status = match name {
                "still going" => Some(TaskStatus::InProgress),
                "unknown status" => Some(TaskStatus::Unknown("PAUSED".to_owned())),
                _ => None,
            };
            assert_eq!(error.task_status(), status.as_ref(), "{name}");
            let is_foreign = error.summary().contains("unknown to this version");
            assert_eq!(is_foreign, name == "unknown status", "{name}: {error}");
            assert_eq!(
                clock.slept(),
                Duration::from_secs(60),
                "{name}: polled once more at the deadline"
            );
            assert!(
                format!("{error:?}").contains("instead of creating it again"),
                "{name}: {error}"
            );
        }
    }
}

#[tokio::test]
async fn completion_does_not_need_a_result() {
    let failed = r#"{"data":{"task_id":"a","status":"FAILED","generated":[],"error":"NSFW"}}"#;
    for (name, replies, expected, requests) in [
        ("completed", vec![reply("CREATED"), completed()], None, 2),
        ("no result", vec![reply("COMPLETED")], None, 1),
        (
            "failed",
            vec![Reply::json(200, failed)],
            Some(ErrorKind::TaskFailed),
            1,
        ),
        (
            "still going",
            vec![reply("IN_PROGRESS")],
            Some(ErrorKind::Timeout),
            0,
        ),
    ] {
        let fake = Fake::start(replies).await;
        let client = client(fake.base_url(), &VirtualClock::new());
        let task = client.build().unwrap().task("a");
        let wait = task.wait().timeout(Duration::from_secs(60));
        let ended = wait.until_completed().await;
        assert_eq!(ended.err().map(|error| error.kind()), expected, "{name}");
        if requests > 0 {
            assert_eq!(fake.requests().len(), requests, "{name}");
        }
    }
}

#[tokio::test]
async fn new_task_may_be_missing_temporarily() {
    let missing = || Reply::http(404, &[], "");
    let fake = Fake::start(vec![reply("CREATED"), missing(), completed()]).await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock)
        .route(kling_omni::request::Route::ReferenceToVideo)
        .build()
        .unwrap();
    let task = client
        .create(valid_request().build().unwrap())
        .await
        .unwrap();
    task.wait().await.unwrap();
}

#[tokio::test]
async fn cancelled_wait_has_help() {
    let fake = Fake::start(vec![reply("PAUSED"), Reply::hang()]).await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock).build().unwrap();
    let (cancel, cancelled) = tokio::sync::oneshot::channel::<()>();
    let mut cancel = Some(cancel);
    let error = client
        .task("a")
        .wait()
        .on_status(move |_| drop(cancel.take()))
        .cancel_on(async { drop(cancelled.await) })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert_eq!(error.charged(), Charged::Yes);
    let status = TaskStatus::Unknown("PAUSED".to_owned());
    assert_eq!(error.task_status(), Some(&status));
    assert!(error.summary().contains("its status is PAUSED"), "{error}");
    assert!(
        format!("{error:?}").contains("client.task(\"a\").wait()"),
        "{error}"
    );
}

#[tokio::test]
async fn terminal_status_is_final() {
    let fake = Fake::start(vec![completed(), reply("IN_PROGRESS")]).await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock).build().unwrap();
    let task = client.task("a");
    task.refresh().await.unwrap();
    task.refresh().await.unwrap();
    assert_eq!(task.status(), Some(TaskStatus::Completed));
    task.video().unwrap();
}

#[tokio::test]
async fn empty_result_at_the_deadline_is_an_error() {
    let fake = Fake::start(vec![reply("COMPLETED")]).await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock).build().unwrap();
    let wait = client.task("a").wait().timeout(Duration::ZERO);
    assert_eq!(wait.await.unwrap_err().kind(), ErrorKind::EmptyResult);
}

#[tokio::test]
async fn single_malformed_response_is_tolerated() {
    let fake = Fake::start(vec![
        reply("IN_PROGRESS"),
        Reply::json(200, "{}"),
        Reply::http(429, &[("retry-after", "86400")], ""),
        completed(),
    ])
    .await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock).build().unwrap();
    client.task("a").wait().no_timeout().await.unwrap();
    assert_eq!(*clock.sleeps().last().unwrap(), Duration::from_secs(120));
}

#[test]
fn state_deserialises_from_the_service_form() {
    let json = r#"{"task_id":"a","status":"QUEUED","generated":null,"has_nsfw":[false]}"#;
    let state: TaskState = serde_json::from_str(json).unwrap();
    assert_eq!(*state.status(), TaskStatus::Unknown("QUEUED".to_owned()));
    assert!(state.generated().is_empty());
}
