use kling_omni::{Charged, ErrorKind, Route};
use kling_omni_tests::fake::{Fake, Reply};
use kling_omni_tests::virtual_clock::VirtualClock;

use super::{client, puppet, task};

const R4: &str = "GET /v1/ai/reference-to-video/kling-v3-omni/a";
const S4: &str = "GET /v1/ai/video/kling-v3-omni/a";

fn missing() -> Reply {
    Reply::json(404, r#"{"message":"Task not found"}"#)
}

fn found() -> Reply {
    Reply::json(200, &task("a", "IN_PROGRESS", &[]))
}

#[tokio::test]
async fn a_task_of_the_older_route_is_looked_for_in_both_places_and_remembered() {
    let fake = Fake::start(vec![found(), missing(), found(), found()]).await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock)
        .route(Route::VideoReference)
        .build()
        .unwrap();
    let task = client.create(puppet().build().unwrap()).await.unwrap();
    task.refresh().await.unwrap();
    task.refresh().await.unwrap();
    task.clone().refresh().await.unwrap();
    let lines: Vec<_> = fake
        .asked()
        .into_iter()
        .skip(1)
        .map(|asked| asked.line)
        .collect();
    assert_eq!(lines, [R4, S4, S4, S4]);
}

#[tokio::test]
async fn a_task_of_the_successor_route_is_looked_for_in_one_place() {
    let fake = Fake::start(vec![found(), missing()]).await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock)
        .route(Route::ReferenceToVideo)
        .build()
        .unwrap();
    let task = client.create(puppet().build().unwrap()).await.unwrap();
    let error = task.refresh().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(
        error.charged(),
        Charged::Yes,
        "the task was created, so it was paid for"
    );
    let lines: Vec<_> = fake
        .asked()
        .into_iter()
        .skip(1)
        .map(|asked| asked.line)
        .collect();
    assert_eq!(lines, [R4]);
}

#[tokio::test]
async fn a_task_taken_up_by_its_id_is_looked_for_in_both_places() {
    let fake = Fake::start(vec![missing()]).await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock).build().unwrap();
    let error = client.task("a").refresh().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.task_id(), Some("a"));
    let lines: Vec<_> = fake.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(lines, [R4, S4]);
}

#[tokio::test]
async fn ids_that_are_none_are_refused_without_asking() {
    let fake = Fake::start(vec![found()]).await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock).build().unwrap();
    for id in [
        "",
        " ",
        ".",
        "..",
        "a/b",
        "..\\..\\admin",
        "a b",
        "ä",
        "a\n",
        "a?b=c#d%2f",
    ] {
        let error = client.task(id).refresh().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Validation, "{id:?}");
    }
    assert!(fake.asked().is_empty());
}
