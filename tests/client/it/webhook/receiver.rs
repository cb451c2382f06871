//! Receiving deliveries: order, duplicates, and bounded memory.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use kling_omni::polling::TaskStatus;
use kling_omni::webhook::{Deliveries, Delivery, Lagged, Received, WebhookErrorKind};
use kling_omni_test_support::virtual_clock::VirtualClock;

use super::{START, URL, at, deliver, receiver, signed, task, word};

/// The items that a stream yields without waiting.
fn drain(deliveries: &mut Deliveries) -> Vec<Result<Delivery, Lagged>> {
    std::iter::from_fn(|| deliveries.next().now_or_never().flatten()).collect()
}

#[test]
fn body_is_parsed_like_a_poll() {
    let completed = format!(r#"{{"task_id":"a","status":"COMPLETED","generated":["{URL}"]}}"#);
    for (body, status, generated) in [
        (completed.clone(), "COMPLETED", 1),
        (format!(r#" {{"data":{completed}}} "#), "COMPLETED", 1),
        (
            r#"{"task_id":"a","status":"COMPLETED"}"#.into(),
            "COMPLETED",
            0,
        ),
        (
            r#"{"task_id":"a","status":"PAUSED","generated":null}"#.into(),
            "PAUSED",
            0,
        ),
        (
            r#"{"data":null,"task_id":"a","status":"FAILED","generated":[],"has_nsfw":[true]}"#
                .into(),
            "FAILED",
            0,
        ),
    ] {
        let receiver = receiver(&VirtualClock::new()).build();
        let received = deliver(&receiver, "msg", START, &body).unwrap();
        let delivery = received.delivery();
        let state = delivery.state();
        assert_eq!((delivery.id(), delivery.sent_at()), ("msg", at(START)));
        assert_eq!((state.id(), state.status().as_str()), ("a", status));
        assert_eq!(state.generated().len(), generated, "{body}");
        assert_eq!(receiver.state("a").as_ref(), Some(state));
        assert!(!format!("{received:?}").contains("hmac"), "{received:?}");
    }
}

#[test]
fn authentic_body_without_a_task_is_rejected() {
    let receiver = receiver(&VirtualClock::new()).build();
    for body in [
        "",
        "null",
        "[]",
        "{}",
        r#"{"data":[]}"#,
        r#"{"task_id":"a"}"#,
        r#"{"task_id":"","status":"CREATED"}"#,
        r#"{"task_id":7,"status":"CREATED"}"#,
        r#"{"task_id":"a","status":"COMPLETED","generated":[{"url":"canary"}]}"#,
        "{\"task_id\":\"a\",\"status\":\"CREATED\"",
    ] {
        let error = deliver(&receiver, "msg", START, body).unwrap_err();
        assert_eq!(error.kind(), WebhookErrorKind::BodyUnreadable, "{body}");
        assert!(!error.to_string().contains("canary"), "{error}");
    }
    for (number, id) in ["a", "../a", "a.b", "a\u{202e}"].into_iter().enumerate() {
        let body = task(id, "CREATED", &[]);
        assert_eq!(
            word(&deliver(&receiver, &format!("msg-{number}"), START, &body)),
            "new"
        );
    }
}

#[test]
fn forged_delivery_changes_nothing() {
    let receiver = receiver(&VirtualClock::new()).build();
    let mut deliveries = receiver.deliveries();
    let body = task("a", "COMPLETED", &[URL]);
    let forged = receiver.receive(&signed("msg", START, "other"), None, body.as_bytes());
    assert_eq!(word(&forged), "BadSignature");
    assert_eq!(receiver.state("a"), None);
    assert_eq!(drain(&mut deliveries), []);
    assert_eq!(word(&deliver(&receiver, "msg", START, &body)), "new");
}

#[test]
fn out_of_order_deliveries_do_not_revert_a_task() {
    // id, seconds after the start, status, results; then what becomes of it, and the status that is known afterwards
    type Step = (
        &'static str,
        u64,
        &'static str,
        usize,
        &'static str,
        &'static str,
    );
    let cases: &[(&str, &[Step])] = &[
        (
            "in order",
            &[
                ("1", 0, "CREATED", 0, "new", "CREATED"),
                ("2", 20, "IN_PROGRESS", 0, "new", "IN_PROGRESS"),
                ("3", 60, "COMPLETED", 1, "new", "COMPLETED"),
            ],
        ),
        (
            "the terminal status first",
            &[
                ("3", 60, "COMPLETED", 1, "new", "COMPLETED"),
                ("1", 0, "CREATED", 0, "late", "COMPLETED"),
                ("2", 20, "IN_PROGRESS", 0, "late", "COMPLETED"),
                ("2", 20, "IN_PROGRESS", 0, "duplicate", "COMPLETED"),
                ("4", 90, "IN_PROGRESS", 0, "late", "COMPLETED"),
                ("5", 90, "PAUSED", 0, "late", "COMPLETED"),
            ],
        ),
        (
            "two swapped, within one second and apart",
            &[
                ("2", 20, "IN_PROGRESS", 0, "new", "IN_PROGRESS"),
                ("1", 20, "CREATED", 0, "late", "IN_PROGRESS"),
                ("3", 40, "QUEUED", 0, "new", "QUEUED"),
                ("4", 30, "IN_PROGRESS", 0, "late", "QUEUED"),
                ("5", 40, "IN_PROGRESS", 0, "new", "IN_PROGRESS"),
            ],
        ),
        (
            "twice, and signed again",
            &[
                ("1", 0, "FAILED", 0, "new", "FAILED"),
                ("1", 0, "FAILED", 0, "duplicate", "FAILED"),
                ("1", 40, "FAILED", 0, "duplicate", "FAILED"),
            ],
        ),
        (
            "a result after an empty one",
            &[
                ("1", 60, "COMPLETED", 0, "new", "COMPLETED"),
                ("2", 50, "COMPLETED", 1, "new", "COMPLETED"),
                ("3", 70, "COMPLETED", 0, "late", "COMPLETED"),
            ],
        ),
        (
            "two terminal statuses: the later one applies",
            &[
                ("1", 60, "FAILED", 0, "new", "FAILED"),
                ("2", 50, "COMPLETED", 1, "late", "FAILED"),
                ("3", 70, "COMPLETED", 1, "new", "COMPLETED"),
            ],
        ),
    ];
    for (case, steps) in cases {
        let receiver = receiver(&VirtualClock::new()).build();
        let mut deliveries = receiver.deliveries();
        let mut passed_on = Vec::new();
        for (number, (id, seconds, status, results, expected, known)) in steps.iter().enumerate() {
            let body = task("a", status, &[URL][..*results]);
            let received = deliver(&receiver, id, START + seconds, &body);
            assert_eq!(&word(&received), expected, "{case}, step {number}");
            let state = receiver.state("a").unwrap();
            assert_eq!(state.status().as_str(), *known, "{case}, step {number}");
            if let Ok(Received::Accepted(delivery)) = received {
                passed_on.push(Ok(delivery));
            }
        }
        assert_eq!(drain(&mut deliveries), passed_on, "{case}");
        assert_eq!(receiver.state("b"), None);
    }
}

#[test]
fn eviction_rejects_old_deliveries_and_prevents_replays() {
    let clock = VirtualClock::new();
    let receiver = receiver(&clock).dedup_capacity(3).build();
    let send = |number: u64, seconds: u64| {
        let body = task(&format!("task-{number}"), "IN_PROGRESS", &[]);
        word(&deliver(
            &receiver,
            &format!("msg-{number}"),
            START + seconds,
            &body,
        ))
    };
    for number in 1..=5 {
        assert_eq!(send(number, number * 10), "new");
    }
    // 1 and 2 are evicted, and cannot be distinguished from 6, which was never received.
    for (number, seconds, expected) in [
        (1, 10, "ReplayWindowExceeded"),
        (2, 20, "ReplayWindowExceeded"),
        (6, 20, "ReplayWindowExceeded"),
        (3, 30, "duplicate"),
        (5, 50, "duplicate"),
        (7, 21, "new"),
        (7, 21, "ReplayWindowExceeded"),
        (6, 60, "new"),
    ] {
        assert_eq!(send(number, seconds), expected, "{number} of {seconds} s");
    }
    // Signed again, an id is kept until its last signature expires.
    assert_eq!(send(4, 200), "duplicate");
    for number in 10..12 {
        assert_eq!(send(number, 100 + number), "new");
    }
    assert_eq!(send(4, 200), "duplicate");
    // A replay after the tolerance is rejected, too.
    clock.advance(Duration::from_secs(501));
    assert_eq!(send(4, 200), "TooOld");
}

#[test]
fn terminal_tasks_are_evicted_first() {
    let receiver = receiver(&VirtualClock::new()).state_capacity(2).build();
    let send = |id: &str, task_id: &str, status: &str| {
        deliver(&receiver, id, START, &task(task_id, status, &[URL])).unwrap();
    };
    send("1", "running", "IN_PROGRESS");
    send("2", "first", "COMPLETED");
    send("3", "second", "COMPLETED");
    assert_eq!(receiver.state("first"), None);
    let status = |task_id: &str| receiver.state(task_id).map(|state| state.status().clone());
    assert_eq!(status("running"), Some(TaskStatus::InProgress));
    assert_eq!(status("second"), Some(TaskStatus::Completed));
    send("4", "also-running", "IN_PROGRESS");
    send("5", "third-running", "CREATED");
    assert_eq!(status("running"), None, "the oldest of the running tasks");
    assert_eq!(status("also-running"), Some(TaskStatus::InProgress));
}

#[test]
fn slow_subscriber_lags() {
    let receiver = receiver(&VirtualClock::new()).buffer_capacity(4).build();
    let mut slow = receiver.deliveries();
    for number in 0..10 {
        let body = task(&format!("task-{number}"), "CREATED", &[]);
        deliver(&receiver, &format!("msg-{number}"), START, &body).unwrap();
    }
    let mut late = receiver.deliveries();
    let items = drain(&mut slow);
    assert_eq!(items.len(), 5);
    let missed = items[0].as_ref().unwrap_err();
    assert_eq!(missed.count(), 6);
    assert!(missed.to_string().starts_with("6 deliveries were dropped"));
    assert_eq!(items[1].as_ref().unwrap().id(), "msg-6");
    assert_eq!(drain(&mut late), [], "earlier deliveries");
    drop(receiver);
    assert_eq!(slow.next().now_or_never(), Some(None), "the stream ends");
}
