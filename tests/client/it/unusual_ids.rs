//! Unusual task ids, and ids that cannot belong to the new task.

use kling_omni::recovery::Reconciled;
use kling_omni::{Charged, CreateOutcome};
use kling_omni_test_support::fake::{Fake, Reply};
use kling_omni_test_support::setup::{client, task, valid_request};
use kling_omni_test_support::virtual_clock::VirtualClock;
use serde_json::json;

#[tokio::test]
async fn integer_id_is_supported() {
    let numbered = |status, urls: &[&str]| {
        let body = task("17", status, urls);
        Reply::json(200, &body.replace(r#""17""#, "17"))
    };
    let fake = Fake::start(vec![
        numbered("CREATED", &[]),
        numbered("COMPLETED", &["https://h.example/x.mp4"]),
    ])
    .await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock).build().unwrap();
    let task = client
        .create(valid_request().build().unwrap())
        .await
        .unwrap();
    assert_eq!(task.id(), "17");
    task.wait().await.unwrap();
}

#[tokio::test]
async fn id_that_no_url_can_contain_may_be_charged() {
    for id in [".", ".."] {
        let fake = Fake::start(vec![Reply::json(200, &task(id, "CREATED", &[]))]).await;
        let clock = VirtualClock::new();
        let client = client(fake.base_url(), &clock).build().unwrap();
        let task = client
            .create(valid_request().build().unwrap())
            .await
            .unwrap();
        let error = task.wait().await.unwrap_err();
        assert_eq!(
            (error.charged(), error.task_id()),
            (Charged::Yes, Some(id)),
            "{error}"
        );
    }
}

#[tokio::test]
async fn response_that_names_an_older_task_is_unknown() {
    let list = |ids: &[&str]| {
        let rows = ids
            .iter()
            .map(|id| json!({"task_id": id, "status": "CREATED"}));
        Reply::json(200, &json!({"data": rows.collect::<Vec<_>>()}).to_string())
    };
    let created = |id| Reply::json(200, &task(id, "CREATED", &[]));
    let fake = Fake::start(vec![
        list(&["old"]),
        list(&[]),
        created("old"),
        list(&["old", "new"]),
        list(&[]),
        list(&["old"]),
        list(&[]),
        created("new"),
    ])
    .await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock)
        .route(kling_omni::request::Route::ReferenceToVideo)
        .build()
        .unwrap();
    let create = client
        .create(valid_request().build().unwrap())
        .with_list_snapshot();
    let CreateOutcome::Unknown { unconfirmed, error } = create.outcome().await else {
        panic!("the task was listed before");
    };
    assert!(
        error.to_string().contains("task old, which existed before"),
        "{error}"
    );
    let reconciled = client.reconcile(&unconfirmed).await.unwrap();
    let Reconciled::Found { task, .. } = reconciled else {
        panic!("{reconciled:?}");
    };
    assert_eq!(task.id(), "new");
    // The task belongs to a create of the client now, and is not matched to a second one.
    let create = client
        .create(valid_request().build().unwrap())
        .with_list_snapshot();
    let outcome = create.outcome().await;
    assert!(
        matches!(&outcome, CreateOutcome::Unknown { .. }),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn id_in_the_headers_is_a_candidate() {
    let path = "/v1/ai/reference-to-video/kling-v3-omni/a.b";
    for (status, name, value, body) in [
        (201, "location", path, ""),
        (202, "content-location", path, "{}"),
        (200, "x-task-id", "a.b", r#"{"data":{}}"#),
    ] {
        let fake = Fake::start(vec![Reply::http(status, &[(name, value)], body)]).await;
        let clock = VirtualClock::new();
        let client = client(fake.base_url(), &clock).build().unwrap();
        let outcome = client
            .create(valid_request().build().unwrap())
            .outcome()
            .await;
        let CreateOutcome::Unknown { unconfirmed, error } = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(unconfirmed.candidates(), ["a.b"], "{name}");
        assert!(error.to_string().contains("a.b"), "{error}");
    }
}
