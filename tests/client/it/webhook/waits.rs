//! Waits that deliveries complete.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use kling_omni::polling::{PollSchedule, TaskStatus, Update};
use kling_omni::webhook::WebhookReceiver;
use kling_omni::{ErrorKind, Task};
use kling_omni_test_support::fake::{Fake, Reply};
use kling_omni_test_support::setup::{client, task};
use kling_omni_test_support::virtual_clock::VirtualClock;

use super::{START, URL, deliver, receiver, task as delivered};

const EVERY: Duration = Duration::from_secs(10);

/// A fake service with replies to polls, a receiver, and their clock.
struct Bench {
    fake: Fake,
    clock: VirtualClock,
    receiver: WebhookReceiver,
    task: Task,
}

impl Bench {
    async fn new(replies: Vec<Reply>) -> Self {
        let fake = Fake::start(replies).await;
        let clock = VirtualClock::new();
        let task = client(fake.base_url(), &clock).build().unwrap().task("a");
        let receiver = receiver(&clock).build();
        Self {
            fake,
            clock,
            receiver,
            task,
        }
    }

    /// Delivers a state after this number of seconds.
    fn deliver_at(&self, seconds: u64, status: &'static str, generated: &'static [&'static str]) {
        let receiver = self.receiver.clone();
        self.clock.at(Duration::from_secs(seconds), move || {
            deliver_task(&receiver, seconds, status, generated);
        });
    }

    fn wait(&self) -> kling_omni::polling::Wait {
        let schedule = PollSchedule::fixed(EVERY);
        self.task.wait().schedule(schedule).webhook(&self.receiver)
    }

    fn polls(&self) -> usize {
        self.fake.requests().len()
    }
}

fn deliver_task(receiver: &WebhookReceiver, seconds: u64, status: &str, generated: &[&str]) {
    let id = format!("{status}-{seconds}");
    let body = delivered("a", status, generated);
    deliver(receiver, &id, START + seconds, &body).unwrap();
}

fn reply(status: &str) -> Reply {
    Reply::json(200, &task("a", status, &[]))
}

fn completed() -> Reply {
    Reply::json(200, &task("a", "COMPLETED", &[URL]))
}

/// The statuses that a wait yields until it ends.
async fn statuses(wait: kling_omni::polling::Wait) -> Vec<String> {
    let name = |update| match update {
        Update::Status(state) => state.status().as_str().to_owned(),
        other => format!("{other:?}"),
    };
    wait.updates().map_ok(name).try_collect().await.unwrap()
}

#[tokio::test]
async fn delivery_completes_the_wait_once() {
    let bench = Bench::new(vec![reply("CREATED"), completed()]).await;
    bench.deliver_at(5, "IN_PROGRESS", &[]);
    bench.deliver_at(17, "COMPLETED", &[URL]);
    let seen = statuses(bench.wait()).await;
    assert_eq!(seen, ["CREATED", "IN_PROGRESS", "COMPLETED"]);
    assert_eq!(bench.clock.elapsed(), Duration::from_secs(17));
    assert_eq!(bench.polls(), 1, "only the first poll");
    assert_eq!(bench.task.video().unwrap().url(), URL);
}

#[tokio::test]
async fn earlier_delivery_completes_the_wait() {
    let bench = Bench::new(vec![Reply::Drop]).await;
    deliver_task(&bench.receiver, 0, "COMPLETED", &[URL]);
    let (one, other) = tokio::join!(bench.wait(), bench.wait());
    assert_eq!(one.unwrap().url(), other.unwrap().url());
    assert_eq!((bench.polls(), bench.clock.sleeps()), (0, vec![]));
}

#[tokio::test]
async fn foreign_and_forged_deliveries_are_ignored() {
    let bench = Bench::new(vec![reply("IN_PROGRESS"), completed()]).await;
    let receiver = bench.receiver.clone();
    bench.clock.at(Duration::from_secs(5), move || {
        deliver(&receiver, "1", START, &delivered("b", "COMPLETED", &[URL])).unwrap();
        let forged = delivered("a", "COMPLETED", &["https://forger.example/"]);
        receiver
            .receive(&super::signed("2", START, "{}"), None, forged.as_bytes())
            .unwrap_err();
    });
    assert_eq!(bench.wait().await.unwrap().url(), URL);
    assert_eq!(bench.polls(), 2);
}

#[tokio::test]
async fn polls_are_sparse_while_deliveries_arrive() {
    let bench = Bench::new(vec![
        reply("CREATED"),
        // An unchanged status does not mean that a delivery was lost.
        reply("CREATED"),
        // This change was not delivered.
        reply("IN_PROGRESS"),
    ])
    .await;
    bench.deliver_at(200, "IN_PROGRESS", &[]);
    bench.deliver_at(290, "COMPLETED", &[URL]);
    bench.wait().await.unwrap();
    assert_eq!(bench.clock.elapsed(), Duration::from_secs(290));
    // Each delay has a jitter of a tenth.
    let is_about = |pause: Duration, span: Duration| {
        let ratio = pause.as_secs_f64() / span.as_secs_f64();
        (0.9..=1.1).contains(&ratio)
    };
    let mut pauses: Vec<_> = bench
        .clock
        .sleeps()
        .into_iter()
        .map(|pause| match pause {
            _ if is_about(pause, EVERY) => "usual",
            _ if is_about(pause, EVERY * 6) => "sparse",
            _ => panic!("{pause:?}"),
        })
        .collect();
    let sparse = pauses.iter().filter(|pause| **pause == "sparse").count();
    assert_eq!(sparse, 4, "two before, two after: {pauses:?}");
    pauses.dedup();
    assert_eq!(pauses, ["sparse", "usual", "sparse"]);
}

#[tokio::test]
async fn lost_delivery_costs_at_most_one_sparse_delay() {
    let bench = Bench::new(vec![
        reply("CREATED"),
        reply("IN_PROGRESS"),
        reply("IN_PROGRESS"),
        completed(),
    ])
    .await;
    let seen = statuses(bench.wait()).await;
    assert_eq!(seen, ["CREATED", "IN_PROGRESS", "COMPLETED"]);
    let seconds = bench.clock.elapsed().as_secs();
    assert!(
        (72..=88).contains(&seconds),
        "60 + 10 + 10 s, not {seconds}"
    );
}

#[tokio::test]
async fn next_wait_does_not_rely_on_a_receiver_with_lost_deliveries() {
    let of_another = |status| Reply::json(200, &task("b", status, &[URL]));
    let bench = Bench::new(vec![
        reply("CREATED"),
        completed(),
        of_another("IN_PROGRESS"),
        of_another("COMPLETED"),
    ])
    .await;
    bench.wait().await.unwrap();
    let lost = bench.clock.elapsed();
    let other = client(bench.fake.base_url(), &bench.clock);
    let other = other.build().unwrap().task("b");
    let schedule = PollSchedule::fixed(EVERY);
    let wait = other.wait().schedule(schedule).webhook(&bench.receiver);
    wait.await.unwrap();
    let usual = bench.clock.elapsed() - lost;
    assert!(lost > EVERY * 5, "{lost:?}");
    assert!(usual < EVERY * 2, "{usual:?}");
}

#[tokio::test]
async fn delivered_state_behaves_like_a_polled_one() {
    const NONE: &[&str] = &[];
    // Name, delivery after 5 s, later replies to polls, result of the wait.
    type Case = (
        &'static str,
        &'static str,
        &'static [&'static str],
        Reply,
        Result<(), (ErrorKind, &'static str)>,
    );
    let cases: [Case; 6] = [
        (
            "failed",
            "FAILED",
            NONE,
            Reply::Drop,
            Err((ErrorKind::TaskFailed, "failed")),
        ),
        ("completed", "COMPLETED", &[URL], Reply::Drop, Ok(())),
        (
            "empty, and a result at the second poll",
            "COMPLETED",
            NONE,
            completed(),
            Ok(()),
        ),
        (
            "empty, also at the second poll",
            "COMPLETED",
            NONE,
            reply("COMPLETED"),
            Err((ErrorKind::EmptyResult, "without a result")),
        ),
        (
            "unknown status",
            "PAUSED",
            NONE,
            reply("PAUSED"),
            Err((ErrorKind::Timeout, "its status is PAUSED")),
        ),
        (
            "no URL",
            "COMPLETED",
            &["nonsense"],
            Reply::Drop,
            Err((ErrorKind::UnexpectedResponse, "not an http or https URL")),
        ),
    ];
    for (name, status, generated, then, end) in cases {
        let bench = Bench::new(vec![reply("IN_PROGRESS"), then]).await;
        bench.deliver_at(5, status, generated);
        let wait = bench.wait().timeout(Duration::from_secs(600));
        match (wait.await, end) {
            (Ok(video), Ok(())) => assert_eq!(video.url(), URL, "{name}"),
            (Err(error), Err((kind, says))) => {
                assert_eq!(error.kind(), kind, "{name}: {error}");
                assert!(format!("{error:?}").contains(says), "{name}: {error}");
            }
            (result, _) => panic!("{name}: {result:?}"),
        }
    }
}

#[tokio::test]
async fn repeated_empty_deliveries_do_not_replace_a_poll() {
    let bench = Bench::new(vec![reply("IN_PROGRESS"), completed()]).await;
    for seconds in [5, 6] {
        bench.deliver_at(seconds, "COMPLETED", &[]);
    }
    assert_eq!(bench.wait().await.unwrap().url(), URL);
    assert_eq!(bench.polls(), 2);
    assert_eq!(
        bench.clock.elapsed(),
        Duration::from_secs(7),
        "two after the first"
    );
}

#[tokio::test]
async fn late_delivery_does_not_revert_the_status() {
    let bench = Bench::new(vec![
        reply("IN_PROGRESS"),
        reply("IN_PROGRESS"),
        completed(),
    ])
    .await;
    bench.deliver_at(5, "CREATED", &[]);
    assert_eq!(statuses(bench.wait()).await, ["IN_PROGRESS", "COMPLETED"]);
}

#[tokio::test]
async fn delivery_interrupts_a_hanging_poll() {
    for timeout in [Duration::ZERO, Duration::from_secs(600)] {
        let bench = Bench::new(vec![Reply::hang()]).await;
        let arrive = async {
            while bench.polls() == 0 {
                tokio::task::yield_now().await;
            }
            deliver_task(&bench.receiver, 0, "IN_PROGRESS", &[]);
            deliver_task(&bench.receiver, 0, "COMPLETED", &[URL]);
        };
        let (video, ()) = tokio::join!(bench.wait().timeout(timeout), arrive);
        assert_eq!(video.unwrap().url(), URL);
        assert_eq!(bench.polls(), 1);
    }
}

#[tokio::test]
async fn delivery_does_not_shorten_a_retry_after() {
    let bench = Bench::new(vec![
        reply("CREATED"),
        Reply::http(429, &[("retry-after", "100")], ""),
        completed(),
    ])
    .await;
    // The second poll is sent within 54 and 66 seconds.
    bench.deliver_at(70, "IN_PROGRESS", &[]);
    let mut updates = bench.wait().updates();
    let mut failed_at = None;
    while let Some(update) = updates.next().await {
        if let Update::PollFailed { .. } = update.unwrap() {
            failed_at = Some(bench.clock.elapsed());
        }
    }
    let pause = bench.clock.elapsed() - failed_at.unwrap();
    assert!(pause >= Duration::from_secs(100), "{pause:?}");
}

#[tokio::test]
async fn cancelled_wait_does_not_affect_the_receiver() {
    let bench = Bench::new(vec![reply("IN_PROGRESS"), completed()]).await;
    let error = bench.wait().cancel_on(async {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    drop(bench.wait());
    deliver_task(&bench.receiver, 5, "COMPLETED", &[URL]);
    assert_eq!(bench.wait().await.unwrap().url(), URL);
    assert_eq!(bench.task.status(), Some(TaskStatus::Completed));
}
