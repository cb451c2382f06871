//! Creates that must not begin after a time, and creates whose sender is dead.

use std::time::Duration;

use kling_omni::clock::{BootTime, Clock};
use kling_omni::recovery::{Reconciled, UnconfirmedCreate};
use kling_omni::request::Route;
use kling_omni::{Charged, Client, CreateOutcome, ErrorKind};
use kling_omni_test_support::fake::{Fake, Reply};
use kling_omni_test_support::setup::{client, task, valid_request};
use kling_omni_test_support::virtual_clock::VirtualClock;

const ATTEMPT: Duration = Duration::from_secs(20);

async fn service(replies: Vec<Reply>, clock: &VirtualClock) -> (Fake, Client) {
    let fake = Fake::start(replies).await;
    let client = client(fake.base_url(), clock)
        .route(Route::ReferenceToVideo)
        .attempt_timeout(ATTEMPT)
        .requests_per_second(0.1)
        .build()
        .unwrap();
    (fake, client)
}

fn in_seconds(clock: &VirtualClock, seconds: u64) -> BootTime {
    clock
        .boot_time()
        .saturating_add(Duration::from_secs(seconds))
}

#[tokio::test]
async fn late_create_is_rejected_and_not_sent() {
    // The rate limiter delays the create by ten seconds, and the record takes one.
    for (limit, is_sent) in [(11, true), (10, false), (9, false), (0, false)] {
        let clock = VirtualClock::new();
        let created = Reply::json(200, &task("new", "CREATED", &[]));
        let listed = Reply::json(200, r#"{"data":[]}"#);
        let (fake, client) = service(vec![listed, created], &clock).await;
        client.list().await.unwrap();
        let during = clock.clone();
        let create = client
            .create(valid_request().build().unwrap())
            .not_after(in_seconds(&clock, limit))
            .before_send(move |_| {
                during.advance(Duration::from_secs(1));
                Ok(())
            });
        match (create.outcome().await, is_sent) {
            (CreateOutcome::Created(task), true) => assert_eq!(task.id(), "new"),
            (CreateOutcome::Rejected(error), false) => {
                assert_eq!(error.kind(), ErrorKind::Timeout);
                assert_eq!(error.charged(), Charged::No);
                assert!(error.summary().starts_with("not sent"), "{error}");
            }
            (other, _) => panic!("{limit}: {other:?}"),
        }
        assert_eq!(fake.requests().len(), 1 + usize::from(is_sent), "{limit}");
    }
}

#[tokio::test]
async fn time_of_another_boot_has_passed() {
    let clock = VirtualClock::new();
    let (fake, client) = service(vec![Reply::Drop], &clock).await;
    let another = BootTime::new("another", Duration::from_secs(1 << 30));
    let create = client.create(valid_request().build().unwrap());
    let error = create.not_after(another).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(fake.requests().is_empty());
}

#[tokio::test]
async fn create_with_a_limit_is_not_retried() {
    let clock = VirtualClock::new();
    let created = Reply::json(200, &task("new", "CREATED", &[]));
    let (fake, client) = service(vec![Reply::http(429, &[], ""), created], &clock).await;
    let create = client.create(valid_request().build().unwrap());
    let error = create.not_after(in_seconds(&clock, 600)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert_eq!(fake.requests().len(), 1);
}

/// What is recorded before a create is sent.
async fn recorded(client: &Client, limit: Option<BootTime>) -> UnconfirmedCreate {
    let (sender, record) = std::sync::mpsc::channel();
    let create = client
        .create(valid_request().build().unwrap())
        .with_list_snapshot()
        .before_send(move |unconfirmed| {
            sender.send(unconfirmed.clone()).unwrap();
            Ok(())
        });
    let create = match limit {
        Some(limit) => create.not_after(limit),
        None => create,
    };
    create.await.unwrap_err();
    record.recv().unwrap()
}

fn empty_lists() -> Vec<Reply> {
    let empty = Reply::json(200, r#"{"data":[]}"#);
    vec![empty.clone(), Reply::Drop, empty]
}

#[tokio::test]
async fn recorded_end_is_that_of_one_attempt() {
    for (limit, latest) in [
        (Some(30), 30 + 2 * 20 + 300),
        (None, 2 * 20 + 3 * 288 + 300),
    ] {
        let clock = VirtualClock::new();
        let (_fake, client) = service(empty_lists(), &clock).await;
        let limit = limit.map(|limit| in_seconds(&clock, limit));
        let is_limited = limit.is_some();
        let unconfirmed = recorded(&client, limit).await;
        let left = client.reconcile(&unconfirmed).time_left().as_secs();
        // The rate limiter delays the create by ten seconds.
        let expected = latest - if is_limited { 10 } else { 0 };
        assert_eq!(left, expected);
    }
}

#[tokio::test]
async fn dead_sender_ends_the_create_now() {
    let clock = VirtualClock::new();
    let (_fake, client) = service(empty_lists(), &clock).await;
    let unconfirmed = recorded(&client, None).await;
    let left = |create: &UnconfirmedCreate| client.reconcile(create).time_left().as_secs();
    assert!(left(&unconfirmed) > 1000);
    let ended = unconfirmed.clone().with_sender_ended(&client);
    assert_eq!(left(&ended), 300);
    clock.advance(Duration::from_secs(100));
    assert_eq!(left(&ended), 200);
    // It cannot end twice, and its latest possible end stays if that has passed.
    assert_eq!(left(&ended.clone().with_sender_ended(&client)), 200);
    clock.advance(Duration::from_secs(3600));
    assert_eq!(left(&unconfirmed.clone().with_sender_ended(&client)), 0);
    let reconciled = client.reconcile(&ended).await.unwrap();
    assert!(
        matches!(reconciled, Reconciled::NotCreated),
        "{reconciled:?}"
    );
}
