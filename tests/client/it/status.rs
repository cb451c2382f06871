//! Reading the status of a task on each route.

use kling_omni::request::Route;
use kling_omni::{Charged, ErrorKind};
use kling_omni_api::tasks::TaskRead;
use kling_omni_test_support::fake::{Fake, Reply};
use kling_omni_test_support::setup::{client, task, valid_request};
use kling_omni_test_support::spec::is_called;
use kling_omni_test_support::virtual_clock::VirtualClock;

const R4: &str = "GET /v1/ai/reference-to-video/kling-v3-omni/a";
const S4: &str = "GET /v1/ai/video/kling-v3-omni/a";

fn missing() -> Reply {
    Reply::json(404, r#"{"message":"Task not found"}"#)
}

fn found() -> Reply {
    Reply::json(200, &task("a", "IN_PROGRESS", &[]))
}

#[tokio::test]
async fn task_of_the_older_route_is_read_at_both_paths() {
    let fake = Fake::start(vec![found(), missing(), found(), found()]).await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock)
        .route(Route::VideoReference)
        .build()
        .unwrap();
    let task = client
        .create(valid_request().build().unwrap())
        .await
        .unwrap();
    task.refresh().await.unwrap();
    task.refresh().await.unwrap();
    task.clone().refresh().await.unwrap();
    let lines: Vec<_> = fake
        .requests()
        .into_iter()
        .skip(1)
        .map(|asked| asked.line)
        .collect();
    assert_eq!(lines, [R4, S4, S4, S4]);
}

#[tokio::test]
async fn task_of_the_successor_route_is_read_at_one_path() {
    let fake = Fake::start(vec![found(), missing()]).await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock)
        .route(Route::ReferenceToVideo)
        .build()
        .unwrap();
    let task = client
        .create(valid_request().build().unwrap())
        .await
        .unwrap();
    let error = task.refresh().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(
        error.charged(),
        Charged::Yes,
        "the task was created, so it was charged"
    );
    let lines: Vec<_> = fake
        .requests()
        .into_iter()
        .skip(1)
        .map(|asked| asked.line)
        .collect();
    assert_eq!(lines, [R4]);
}

#[tokio::test]
async fn task_opened_by_id_is_read_in_every_family() {
    let fake = Fake::start(vec![missing()]).await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock).build().unwrap();
    let error = client.task("a").refresh().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.task_id(), Some("a"));
    let lines: Vec<_> = fake
        .requests()
        .into_iter()
        .map(|asked| asked.line)
        .collect();
    let reads = TaskRead::ALL.iter().map(|read| read.spec().operation);
    let expected: Vec<_> = reads
        .filter(is_called)
        .map(|read| format!("GET {}", read.path.replace("{task-id}", "a")))
        .collect();
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn invalid_id_is_rejected_without_a_request() {
    let fake = Fake::start(vec![found()]).await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock).build().unwrap();
    for id in ["", ".", "..", &"a".repeat(1025)] {
        let error = client.task(id).refresh().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Validation, "{id:?}");
    }
    assert!(fake.requests().is_empty());
}

#[tokio::test]
async fn valid_id_is_one_path_segment() {
    for (id, segment) in [
        ("a.b", "a.b"),
        ("aux.", "aux."),
        ("...", "..."),
        (" ", "%20"),
        ("a/b", "a%2Fb"),
        ("a\\b", "a%5Cb"),
        ("..\\..\\admin", "..%5C..%5Cadmin"),
        ("%2e%2e", "%252e%252e"),
        ("a?b=c#d%2f", "a%3Fb%3Dc%23d%252f"),
        ("a\r\nb\tc", "a%0D%0Ab%09c"),
        ("\u{1b}[31m", "%1B%5B31m"),
        ("ä\u{202e}", "%C3%A4%E2%80%AE"),
        ("--force", "--force"),
        (";a:b@c", "%3Ba%3Ab%40c"),
    ] {
        let reply = Reply::json(200, &task(id, "IN_PROGRESS", &[]));
        let fake = Fake::start(vec![reply]).await;
        let clock = VirtualClock::new();
        let client = client(fake.base_url(), &clock).build().unwrap();
        let state = client.task(id).refresh().await.expect(id);
        assert_eq!(state.id(), id);
        let line = format!("GET /v1/ai/reference-to-video/kling-v3-omni/{segment}");
        assert_eq!(fake.requests()[0].line, line);
    }
}
