//! Lists of tasks.

use futures_util::{StreamExt, TryStreamExt};
use kling_omni::{Charged, ErrorKind, Mode};
use kling_omni_test_support::fake::{Fake, Reply};
use kling_omni_test_support::setup::{client, sandbox, valid_request};
use kling_omni_test_support::virtual_clock::VirtualClock;

#[tokio::test]
async fn list_has_the_created_tasks() {
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).start().await.unwrap();
    let client = client(sandbox.base_url(), &clock).build().unwrap();
    assert_eq!(client.list().await.unwrap(), []);
    let mut created = Vec::new();
    for _ in 0..5 {
        created.push(
            client
                .create(valid_request().build().unwrap())
                .await
                .unwrap()
                .id()
                .to_owned(),
        );
    }
    let mut listed = Vec::new();
    for page in 1..=3 {
        let tasks = client.list().page(page).page_size(2).await.unwrap();
        listed.extend(tasks.into_iter().map(|task| task.id));
    }
    created.sort();
    listed.sort();
    assert_eq!(created, listed);
    assert_eq!(client.list().page(9).await.unwrap(), []);
}

#[tokio::test]
async fn page_out_of_range_is_rejected_without_a_request() {
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).start().await.unwrap();
    let client = client(sandbox.base_url(), &clock).build().unwrap();
    let most = kling_omni::raw::limits::list_reference_to_video_tasks::PAGE_SIZE
        .maximum
        .unwrap() as u32;
    for call in [
        client.list().page(0),
        client.list().page_size(0),
        client.list().page_size(most + 1),
        client.list().page(u32::MAX),
    ] {
        let error = call.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Validation, "{error}");
        assert_eq!(error.charged(), Charged::No);
    }
    assert!(sandbox.requests().is_empty());
}

#[tokio::test]
async fn foreign_404_is_not_an_empty_list() {
    for (reply, empty) in [
        (Reply::json(404, r#"{"message":"Tasks not found"}"#), true),
        (Reply::http(404, &[], "<html>nginx</html>"), false),
        (Reply::http(404, &[], ""), false),
    ] {
        let fake = Fake::start(vec![reply]).await;
        let clock = VirtualClock::new();
        let client = client(fake.base_url(), &clock).build().unwrap();
        assert_eq!(client.list().await.is_ok(), empty);
    }
}

#[tokio::test]
async fn stream_reads_each_page_and_each_task_once() {
    let page = |ids: &[&str]| {
        let rows = ids
            .iter()
            .map(|id| format!(r#"{{"task_id":"{id}","status":"CREATED"}}"#));
        let rows: Vec<_> = rows.collect();
        Reply::json(200, &format!(r#"{{"data":[{}]}}"#, rows.join(",")))
    };
    for (mode, replies, expected) in [
        (Mode::Reference, vec![page(&[])], &[][..]),
        (
            Mode::Reference,
            vec![page(&["c", "b"]), page(&["b", "a"]), page(&[])],
            &["c", "b", "a"],
        ),
        // The stream ends when pages repeat.
        (Mode::Reference, vec![page(&["b"]), page(&["b"])], &["b"]),
        // The list of this mode is not paginated.
        (Mode::Text, vec![page(&["b", "a"])], &["b", "a"]),
    ] {
        let count = replies.len();
        let fake = Fake::start(replies).await;
        let clock = VirtualClock::new();
        let client = client(fake.base_url(), &clock).build().unwrap();
        let tasks = client.list().mode(mode).stream().map_ok(|task| task.id);
        let tasks: Vec<_> = tasks.try_collect().await.unwrap();
        assert_eq!(tasks, expected);
        assert_eq!(fake.requests().len(), count, "{expected:?}");
    }
}

#[tokio::test]
async fn stream_ends_after_an_error() {
    let fake = Fake::start(vec![Reply::json(401, "{}")]).await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock).build().unwrap();
    let mut tasks = client.list().stream();
    let error = tasks.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert!(tasks.next().await.is_none());
}
