//! The retry budget that all calls share, and the timeout of a call.

use std::time::Duration;

use kling_omni::ErrorKind;
use kling_omni::client::{CircuitState, RetryBudget};
use kling_omni_api::{Role, service, types};
use kling_omni_test_support::fake::{Fake, Reply};
use kling_omni_test_support::setup::{SHORT, client};
use kling_omni_test_support::virtual_clock::VirtualClock;

fn down() -> Reply {
    Reply::http(503, &[], "")
}

fn up() -> Reply {
    Reply::json(200, r#"{"data":[]}"#)
}

#[tokio::test]
async fn is_shared_between_calls_and_refilled_by_successes() {
    // Four attempts of the first call, two of the second, one of the third.
    let replies = [vec![down(); 7], vec![up(); 4], vec![down(); 3]].concat();
    let fake = Fake::start(replies).await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock)
        .retry_budget(RetryBudget::new(4).successes_per_retry(3))
        .build()
        .unwrap();
    let mut requests = 0;
    for (attempts, left, circuit, failures) in [
        (4, 1, CircuitState::Closed, 4),
        (2, 0, CircuitState::Open, 6),
        (1, 0, CircuitState::Open, 7),
    ] {
        // Clones share the budget.
        let error = client.clone().list().await.unwrap_err();
        requests += attempts;
        assert_eq!(fake.requests().len(), requests);
        let spent = error.to_string().contains("retry budget");
        assert_eq!(spent, attempts < 4, "{error}");
        assert!(error.is_retryable());
        let health = client.health();
        assert_eq!(health.retries_left, Some(left));
        assert_eq!(
            (health.circuit, health.consecutive_failures),
            (circuit, failures)
        );
        assert!(health.last_failure.is_some() && health.last_success.is_none());
    }
    for (left, circuit) in [
        (0, CircuitState::Open),
        (0, CircuitState::Open),
        (1, CircuitState::Closed),
        (1, CircuitState::Closed),
    ] {
        client.list().await.unwrap();
        let health = client.health();
        assert_eq!((health.retries_left, health.circuit), (Some(left), circuit));
        assert_eq!(health.consecutive_failures, 0);
    }
    client.list().await.unwrap_err();
    assert_eq!(fake.requests().len(), requests + 4 + 2);
}

#[tokio::test]
async fn refill_is_limited_and_rejections_count_as_successes() {
    let fake = Fake::start(vec![Reply::http(401, &[], "")]).await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock)
        .retry_budget(RetryBudget::new(2).successes_per_retry(0))
        .build()
        .unwrap();
    for _ in 0..3 {
        client.list().await.unwrap_err();
    }
    let health = client.health();
    assert_eq!(
        (health.retries_left, health.consecutive_failures),
        (Some(2), 0)
    );
}

#[tokio::test]
async fn unlimited_budget_allows_all_retries() {
    let fake = Fake::start(vec![down()]).await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock)
        .retry_budget(RetryBudget::unlimited())
        .build()
        .unwrap();
    for _ in 0..20 {
        client.list().await.unwrap_err();
    }
    assert_eq!(fake.requests().len(), 80);
    let health = client.health();
    assert_eq!(
        (health.retries_left, health.circuit),
        (None, CircuitState::Closed)
    );
}

#[tokio::test]
async fn operation_timeout_prevents_further_attempts() {
    let wait = |seconds| Reply::http(503, &[("retry-after", seconds)], "");
    for (replies, timeout, attempts) in [
        (vec![wait("10")], 9, 1),
        (vec![wait("10")], 15, 2),
        (vec![wait("10")], 3600, 4),
        (vec![wait("3600")], 7200, 1),
    ] {
        let fake = Fake::start(replies).await;
        let clock = VirtualClock::new();
        let client = client(fake.base_url(), &clock)
            .operation_timeout(Duration::from_secs(timeout))
            .build()
            .unwrap();
        let error = client.list().await.unwrap_err();
        assert_eq!(fake.requests().len(), attempts, "{timeout}");
        assert_eq!(error.kind(), ErrorKind::Server);
        let is_cut = error.to_string().contains("the time limit of the call");
        assert_eq!(is_cut, timeout < 60, "{error}");
        assert!(clock.slept() < Duration::from_secs(timeout));
    }
}

#[tokio::test]
async fn operation_timeout_cancels_the_attempt() {
    let fake = Fake::start(vec![Reply::hang()]).await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock)
        .operation_timeout(SHORT)
        .build()
        .unwrap();
    let error = client.list().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    assert!(
        error.to_string().contains("within the time limit"),
        "{error}"
    );
}

/// The document defines which operations are repeatable; the generated client does not override it.
#[tokio::test]
async fn only_repeatable_operations_are_retried() {
    for operation in service::OPERATIONS {
        let fake = Fake::start(vec![down()]).await;
        let clock = VirtualClock::new();
        let client = client(fake.base_url(), &clock).build().unwrap().raw();
        match operation.role {
            Role::Create(create) => drop(create.send(&client, "{}".parse().unwrap()).await),
            Role::Read(read) => drop(read.send(&client, "a").await),
            Role::List(list) => drop(list.send(&client, None, None).await),
            Role::Other { .. } if *operation == service::REQUEST_UPLOADS => {
                let body = types::UploadRequest::new(Vec::new());
                drop(client.request_uploads().body(body).send().await);
            }
            Role::Other { .. } if *operation == service::LIST_UPLOADS => {
                drop(client.list_uploads().send().await);
            }
            Role::Other { .. } => continue,
        }
        let attempts = fake.requests().len();
        assert_eq!(
            attempts > 1,
            operation.role.is_repeatable(),
            "{}",
            operation.id
        );
    }
}
