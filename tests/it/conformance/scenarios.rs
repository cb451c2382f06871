//! The operations, each run under its fault.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use kling_omni::polling::{PollSchedule, TaskStatus, Update, Wait};
use kling_omni::recovery::{Reconciled, UnconfirmedCreate};
use kling_omni::{CreateOutcome, Task, Video};
use kling_omni_sandbox::{DeliveryOutcome, TaskOutcome as End, TaskScript as Life};

use super::fixture::{Fixture, TASK, is_read, is_result};
use super::resume::{self, Leftover, Recovery, word};
use super::row::{Given, Script};

/// What remains, and the number of requests.
type Ended = (Leftover, usize);

/// The time between the creation and the start of a task, in the sandbox.
const BEGUN: Duration = Duration::from_secs(12);
/// Times after a task: one within the tolerance of the receiver, and one beyond it.
const SOON: Duration = Duration::from_secs(120);
const LATER: Duration = Duration::from_secs(1200);
/// The settle time.
const SETTLED: Duration = Duration::from_secs(301);

pub async fn create(fixture: &Fixture<'_>) -> Ended {
    fixture.inject();
    let journal = Arc::new(Mutex::new(None));
    let mut create = fixture.create(&fixture.client);
    if !fixture.given.unlisted {
        create = create.with_list_snapshot();
    }
    if fixture.given.journal {
        let journal = Arc::clone(&journal);
        create = create.before_send(move |unconfirmed| {
            *journal.lock().unwrap() = Some(unconfirmed.clone());
            Ok(())
        });
    }
    let loose = fixture
        .in_time(async {
            tokio::select! {
                biased;
                outcome = create.outcome() => Leftover::of_create(fixture, &outcome),
                () = fixture.injected(), if fixture.given.dropped => Leftover::at("dropped"),
            }
        })
        .await;
    let recorded = journal
        .lock()
        .unwrap()
        .take()
        .filter(|_| fixture.given.dropped);
    let unconfirmed: Option<UnconfirmedCreate> = recorded.or(loose.unconfirmed);
    (
        Leftover {
            unconfirmed,
            ..loose
        },
        fixture.creates(),
    )
}

pub async fn reconcile(fixture: &Fixture<'_>) -> Ended {
    let how = fixture.given.create.as_deref().unwrap_or("create:drop@1");
    fixture.sandbox.inject(how.parse().unwrap());
    let mut create = fixture.create(&fixture.client);
    if !fixture.given.unlisted {
        create = create.with_list_snapshot();
    }
    let CreateOutcome::Unknown { unconfirmed, .. } = create.outcome().await else {
        panic!("{}: the create should be unknown", fixture.row.id);
    };
    fixture.sandbox.clear_faults();
    for _ in 0..fixture.given.others {
        fixture.create_as_another().await;
    }
    if !fixture.given.early {
        fixture.clock.advance(SETTLED);
    }
    fixture.inject();
    let client = fixture.fresh_process();
    let search = client.reconcile(&unconfirmed);
    let search = match &fixture.receiver {
        Some(receiver) => {
            fixture.deliver(&fixture.given.deliveries).await;
            search.webhook(receiver)
        }
        None => search,
    };
    let reads = fixture.sent(is_read);
    let loose = match search.await {
        Ok(reconciled) => {
            fixture.watch.object(&reconciled);
            let loose = Leftover::at(word(&reconciled));
            match reconciled {
                Reconciled::Found { task, .. } => loose.task(task.id()),
                _ => Leftover {
                    unconfirmed: Some(unconfirmed),
                    ..loose
                },
            }
        }
        Err(error) => Leftover {
            unconfirmed: Some(unconfirmed),
            ..Leftover::of(fixture, &error)
        },
    };
    (loose, fixture.sent(is_read) - reads)
}

pub async fn status(fixture: &Fixture<'_>) -> Ended {
    let begun = begun(fixture).await;
    let id = begun.id().to_owned();
    let task = match fixture.given.same {
        true => begun,
        false => fixture.other_client().task(&id),
    };
    fixture.inject();
    let reads = fixture.sent(is_read);
    let loose = match fixture.in_time(task.refresh()).await {
        Ok(state) => {
            fixture.watch.object(&state);
            Leftover::at(state.status().to_string()).task(id)
        }
        Err(error) => Leftover::of(fixture, &error),
    };
    fixture.watch.object(&task);
    (loose, fixture.sent(is_read) - reads)
}

pub async fn list(fixture: &Fixture<'_>) -> Ended {
    let id = begun(fixture).await.id().to_owned();
    let client = fixture.fresh_process();
    fixture.inject();
    let reads = fixture.sent(is_read);
    let list = client.list().mode(fixture.mode());
    let loose = match fixture.in_time(list.into_future()).await {
        Ok(tasks) => {
            fixture.watch.object(&tasks);
            let shown: Vec<_> = tasks.iter().map(|task| task.status.to_string()).collect();
            Leftover::at(format!("[{}]", shown.join(" ")))
        }
        Err(error) => Leftover::of(fixture, &error),
    };
    let sent = fixture.sent(is_read) - reads;
    (loose.task(id), sent)
}

pub async fn wait(fixture: &Fixture<'_>) -> Ended {
    let task = begun(fixture).await;
    fixture.inject();
    let reads = fixture.sent(is_read);
    let wait = patience(task.wait(), fixture.given);
    // The stream yields what a plain wait ignores.
    let follow = async {
        let mut updates = wait.updates();
        while let Some(update) = updates.next().await {
            fixture.watch.object(&update);
            if let Update::PollFailed { reason, .. } = update? {
                fixture.watch.text(&reason);
            }
        }
        task.video()
    };
    let loose = tokio::select! {
        biased;
        video = fixture.in_time(follow) => told(fixture, video, &task),
        () = fixture.injected(), if fixture.given.dropped => Leftover::at("dropped").task(task.id()),
    };
    (loose, fixture.sent(is_read) - reads)
}

pub async fn save(fixture: &Fixture<'_>) -> Ended {
    let video = begun(fixture).await.wait().await.unwrap();
    fixture
        .clock
        .advance(Duration::from_secs(fixture.given.late));
    if fixture.given.hasty {
        // The sandbox renders a clip once and caches it.
        let patient = fixture.other_client().task(video.task_id());
        resume::stream(&patient.wait().await.unwrap())
            .await
            .unwrap();
    }
    fixture.inject();
    let results = fixture.sent(is_result);
    let save = fixture.in_time(resume::save(fixture, &video, "clip.mp4"));
    let loose = tokio::select! {
        biased;
        saved = save => match saved {
            Ok(_) => Leftover {
                next: Recovery::Done,
                ..Leftover::at("saved")
            },
            Err(error) => Leftover::of(fixture, &error),
        },
        () = fixture.injected(), if fixture.given.dropped => Leftover::at("dropped").task(video.task_id()),
    };
    (loose, fixture.sent(is_result) - results)
}

pub async fn webhook(fixture: &Fixture<'_>) -> Ended {
    let receiver = fixture
        .receiver
        .as_ref()
        .expect("the row names its deliveries");
    let mut news = receiver.deliveries();
    fixture.inject();
    let task = begun(fixture).await;
    fixture.deliver(&fixture.given.deliveries).await;
    let answers: Vec<_> = fixture.sandbox.deliveries().iter().map(answer).collect();
    let mut told_of = 0;
    while let Some(delivery) = news.next().now_or_never().flatten() {
        fixture.watch.object(&delivery);
        told_of += 1;
    }
    let reads = fixture.sent(is_read);
    let video = patience(task.wait(), fixture.given).webhook(receiver).await;
    let loose = told(fixture, video, &task);
    let end = format!("{} · {told_of} new · {}", answers.join(" "), loose.end);
    (Leftover { end, ..loose }, fixture.sent(is_read) - reads)
}

/// Creates a task without a fault.
async fn begun(fixture: &Fixture<'_>) -> Task {
    match fixture.given.script {
        Some(Script::Fail) => fixture.sandbox.fail_next(1),
        Some(Script::Empty) => fixture.sandbox.script_next(Life::new(End::CompletedEmpty)),
        Some(Script::Queued) => {
            let status = "QUEUED".into();
            fixture.sandbox.script_next(Life::default().via(status));
        }
        None => {}
    }
    fixture.create(&fixture.client).await.unwrap()
}

fn patience(wait: Wait, given: &Given) -> Wait {
    let wait = match given.timeout {
        Some(seconds) => wait.timeout(Duration::from_secs(seconds)),
        None => wait,
    };
    match given.every {
        Some(seconds) => wait.schedule(PollSchedule::fixed(Duration::from_secs(seconds))),
        None => wait,
    }
}

/// The outcome of a wait.
fn told(fixture: &Fixture<'_>, video: kling_omni::Result<Video>, task: &Task) -> Leftover {
    fixture.watch.object(task);
    match video {
        Ok(video) => {
            assert_eq!(task.status(), Some(TaskStatus::Completed));
            fixture.watch.object(&video);
            Leftover::at("video").task(task.id())
        }
        Err(error) => Leftover::of(fixture, &error),
    }
}

fn answer(delivery: &kling_omni_sandbox::Delivery) -> String {
    match delivery.outcome() {
        DeliveryOutcome::Accepted(status) | DeliveryOutcome::Rejected(status) => {
            status.as_u16().to_string()
        }
        DeliveryOutcome::Skipped(_) => "lost".to_owned(),
        other => panic!("{other:?}"),
    }
}

impl Fixture<'_> {
    /// Runs the task to its end, with the given number of deliveries in each period.
    pub async fn deliver(&self, deliveries: &[usize]) {
        let mut arrived = self.sandbox.deliveries().len();
        for (pass, count) in [BEGUN, TASK - BEGUN, SOON, LATER]
            .into_iter()
            .zip(deliveries)
        {
            self.clock.advance(pass);
            arrived += count;
            self.sandbox.wait_for_deliveries(arrived).await;
        }
        assert_eq!(self.sandbox.deliveries().len(), arrived, "{}", self.row.id);
    }
}
