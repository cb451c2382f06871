//! Rate limiting: by the caller's rate, and by the limits of the service.

use std::time::Duration;

use kling_omni::polling::PollSchedule;
use kling_omni::request::Route;
use kling_omni::{Charged, ErrorKind};
use kling_omni_test_support::fake::{Fake, Reply};
use kling_omni_test_support::setup::{client, task, valid_request};
use kling_omni_test_support::virtual_clock::VirtualClock;

fn limits(status: u16, headers: &[(&str, &str)]) -> Reply {
    Reply::http(status, headers, task("a", "IN_PROGRESS", &[]))
}

#[tokio::test]
async fn requests_are_spaced_across_clones() {
    let fake = Fake::start(vec![limits(200, &[])]).await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock)
        .requests_per_second(0.5)
        .build()
        .unwrap();
    client
        .create(valid_request().build().unwrap())
        .await
        .unwrap();
    assert_eq!(clock.slept(), Duration::ZERO);
    client.clone().task("a").refresh().await.unwrap();
    client
        .create(valid_request().build().unwrap())
        .await
        .unwrap();
    assert_eq!(clock.sleeps(), [Duration::from_secs(2); 2]);
    clock.advance(Duration::from_secs(60));
    client.task("a").refresh().await.unwrap();
    assert_eq!(clock.sleeps().len(), 2, "elapsed time counts");
}

#[tokio::test]
async fn rate_must_be_positive() {
    for rate in [0.0, -1.0, f64::NAN] {
        let clock = VirtualClock::new();
        let error = client("http://h.example", &clock)
            .requests_per_second(rate)
            .build()
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{rate}");
    }
}

#[tokio::test]
async fn rate_limit_headers_delay_the_next_request() {
    let used_up = |reset| [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", reset)];
    for (name, status, headers, held) in [
        ("nothing", 200, &[][..], 0),
        (
            "some left",
            200,
            &[("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "60")],
            0,
        ),
        ("used up", 200, &used_up("60"), 60),
        ("an epoch", 200, &used_up("1800000060"), 0),
        ("longer than the maximum delay", 200, &used_up("121"), 0),
        ("no number", 200, &used_up("soon"), 0),
        ("no reset", 200, &[("x-ratelimit-remaining", "0")], 0),
        (
            "429 with a wait",
            429,
            &[("retry-after", "7"), ("x-ratelimit-reset", "60")],
            7,
        ),
        ("429 with a reset", 429, &[("x-ratelimit-reset", "60")], 60),
        (
            "429 with an epoch",
            429,
            &[("x-ratelimit-reset", "1800000060")],
            0,
        ),
        ("503 with a wait", 503, &[("retry-after", "7")], 0),
    ] {
        let fake = Fake::start(vec![limits(status, headers), limits(200, &[])]).await;
        let clock = VirtualClock::new();
        let client = client(fake.base_url(), &clock)
            .route(Route::VideoReference)
            .max_retries(0)
            .build()
            .unwrap();
        assert_eq!(
            client.task("a").refresh().await.is_ok(),
            status == 200,
            "{name}"
        );
        client
            .create(valid_request().build().unwrap())
            .await
            .unwrap();
        assert_eq!(clock.slept(), Duration::from_secs(held), "{name}");
    }
}

#[tokio::test]
async fn fail_fast_create_is_not_sent_and_returns_the_delay() {
    let headers = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "60")];
    let fake = Fake::start(vec![limits(200, &headers), limits(200, &[])]).await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock).build().unwrap();
    client.task("a").refresh().await.unwrap();
    let create = || client.create(valid_request().build().unwrap()).fail_fast();
    let error = create()
        .before_send(|_| panic!("the create was sent"))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.charged()),
        (ErrorKind::RateLimited, Charged::No)
    );
    assert_eq!(error.retry_after(), Some(Duration::from_secs(60)));
    assert!(error.is_retryable());
    assert_eq!((fake.requests().len(), clock.slept()), (1, Duration::ZERO));
    clock.advance(Duration::from_secs(60));
    create().await.unwrap();
    assert_eq!(fake.requests().len(), 2);
}

#[tokio::test]
async fn slot_after_the_operation_timeout_fails_immediately() {
    let fake = Fake::start(vec![limits(200, &[])]).await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock)
        .requests_per_second(0.1)
        .operation_timeout(Duration::from_secs(5))
        .build()
        .unwrap();
    client.task("a").refresh().await.unwrap();
    let error = client.list().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert_eq!((fake.requests().len(), clock.slept()), (1, Duration::ZERO));
}

#[tokio::test]
async fn waiting_for_a_slot_does_not_affect_the_recorded_send_time() {
    let fake = Fake::start(vec![limits(200, &[])]).await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock)
        .requests_per_second(0.001)
        .build()
        .unwrap();
    client.task("a").refresh().await.unwrap();
    let time = clock.clone();
    let create = client.create(valid_request().build().unwrap());
    let create = create.before_send(move |_| {
        assert_eq!(time.elapsed(), Duration::from_secs(1_000));
        Ok(())
    });
    create.await.unwrap();
}

#[tokio::test]
async fn deadline_takes_precedence_over_the_rate() {
    let fake = Fake::start(vec![limits(200, &[])]).await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock)
        .requests_per_second(0.01)
        .build()
        .unwrap();
    let wait = client.task("a").wait();
    let wait = wait.schedule(PollSchedule::fixed(Duration::from_secs(10)));
    let error = wait.timeout(Duration::from_secs(130)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(clock.elapsed(), Duration::from_secs(130));
    // At 0 s, at 100 s, and at the deadline, before the slot at 200 s.
    assert_eq!(fake.requests().len(), 3);
}

#[tokio::test]
async fn retry_without_a_slot_returns_the_previous_response() {
    let fake = Fake::start(vec![limits(503, &[])]).await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock)
        .requests_per_second(0.1)
        .operation_timeout(Duration::from_secs(5))
        .build()
        .unwrap();
    let error = client.list().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.status()),
        (ErrorKind::Server, Some(503))
    );
    assert_eq!(error.request_id(), Some("ak-fake"));
    let text = error.to_string();
    assert!(text.contains("the rate limit has no free slot"), "{text}");
    assert_eq!(fake.requests().len(), 1);
}

#[tokio::test]
async fn raw_client_is_rate_limited() {
    let fake = Fake::start(vec![limits(202, &[])]).await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock)
        .requests_per_second(0.1)
        .operation_timeout(Duration::from_secs(5))
        .build()
        .unwrap();
    let raw = client.raw();
    let answer = raw.get_video_task().task_id("a").send().await.unwrap();
    assert_eq!(answer.status(), 202);
    assert_eq!(answer.headers()["x-request-id"], "ak-fake");
    let refused = raw.get_video_task().task_id("a").send().await;
    let Err(kling_omni::raw::Error::Custom(reason)) = refused else {
        panic!("the request was sent");
    };
    assert!(reason.contains("not sent"), "{reason}");
    clock.advance(Duration::from_secs(10));
    raw.get_video_task().task_id("a").send().await.unwrap();
    assert_eq!(fake.requests().len(), 2);
}
