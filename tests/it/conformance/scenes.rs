//! The operations, each carried out while its fault strikes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use kling_omni::polling::{PollSchedule, TaskStatus, Update, Wait};
use kling_omni::recovery::{Reconciled, UnconfirmedCreate};
use kling_omni::{CreateOutcome, Task, Video};
use kling_omni_sandbox::{DeliveryOutcome, TaskOutcome as End, TaskScript as Life};

use super::resume::{self, Loose, Next, word};
use super::row::{Given, Script};
use super::scene::{Scene, TASK, is_read, is_result};

/// What is left, and how many requests it took.
type Ended = (Loose, usize);

/// How long tasks are begun before they are worked on, in the sandbox.
const BEGUN: Duration = Duration::from_secs(12);
/// After a task: a time within the tolerance of the inbox, and one beyond it.
const SOON: Duration = Duration::from_secs(120);
const LATER: Duration = Duration::from_secs(1200);
/// After that long an absence is settled.
const SETTLED: Duration = Duration::from_secs(301);

pub async fn create(scene: &Scene<'_>) -> Ended {
    scene.strike();
    let journal = Arc::new(Mutex::new(None));
    let mut create = scene.create(&scene.client);
    if !scene.given.unlisted {
        create = create.with_list_snapshot();
    }
    if scene.given.journal {
        let journal = Arc::clone(&journal);
        create = create.before_send(move |unresolved| {
            *journal.lock().unwrap() = Some(unresolved.clone());
            Ok(())
        });
    }
    let loose = scene
        .in_time(async {
            tokio::select! {
                biased;
                outcome = create.outcome() => Loose::of_create(scene, &outcome),
                () = scene.struck(), if scene.given.dropped => Loose::at("dropped"),
            }
        })
        .await;
    let recorded = journal
        .lock()
        .unwrap()
        .take()
        .filter(|_| scene.given.dropped);
    let unresolved: Option<UnconfirmedCreate> = recorded.or(loose.unresolved);
    (
        Loose {
            unresolved,
            ..loose
        },
        scene.creates(),
    )
}

pub async fn reconcile(scene: &Scene<'_>) -> Ended {
    let how = scene.given.create.as_deref().unwrap_or("create:drop@1");
    scene.sandbox.inject(how.parse().unwrap());
    let mut create = scene.create(&scene.client);
    if !scene.given.unlisted {
        create = create.with_list_snapshot();
    }
    let CreateOutcome::Unknown { unresolved, .. } = create.outcome().await else {
        panic!("{}: the create should be unknown", scene.row.id);
    };
    scene.sandbox.clear_faults();
    for _ in 0..scene.given.others {
        scene.create_as_another().await;
    }
    if !scene.given.early {
        scene.clock.advance(SETTLED);
    }
    scene.strike();
    let client = scene.fresh_process();
    let search = client.reconcile(&unresolved);
    let search = match &scene.inbox {
        Some(inbox) => {
            scene.deliver(&scene.given.deliveries).await;
            search.webhook(inbox)
        }
        None => search,
    };
    let reads = scene.sent(is_read);
    let loose = match search.await {
        Ok(reconciled) => {
            scene.watch.object(&reconciled);
            let loose = Loose::at(word(&reconciled));
            match reconciled {
                Reconciled::Found { task, .. } => loose.task(task.id()),
                _ => Loose {
                    unresolved: Some(unresolved),
                    ..loose
                },
            }
        }
        Err(error) => Loose {
            unresolved: Some(unresolved),
            ..Loose::of(scene, &error)
        },
    };
    (loose, scene.sent(is_read) - reads)
}

pub async fn status(scene: &Scene<'_>) -> Ended {
    let begun = begun(scene).await;
    let id = begun.id().to_owned();
    let task = match scene.given.same {
        true => begun,
        false => scene.other_client().task(&id),
    };
    scene.strike();
    let reads = scene.sent(is_read);
    let loose = match scene.in_time(task.refresh()).await {
        Ok(state) => {
            scene.watch.object(&state);
            Loose::at(state.status().to_string()).task(id)
        }
        Err(error) => Loose::of(scene, &error),
    };
    scene.watch.object(&task);
    (loose, scene.sent(is_read) - reads)
}

pub async fn list(scene: &Scene<'_>) -> Ended {
    let id = begun(scene).await.id().to_owned();
    let client = scene.fresh_process();
    scene.strike();
    let reads = scene.sent(is_read);
    let list = client.list().mode(scene.mode());
    let loose = match scene.in_time(list.into_future()).await {
        Ok(tasks) => {
            scene.watch.object(&tasks);
            let shown: Vec<_> = tasks.iter().map(|task| task.status.to_string()).collect();
            Loose::at(format!("[{}]", shown.join(" ")))
        }
        Err(error) => Loose::of(scene, &error),
    };
    let sent = scene.sent(is_read) - reads;
    (loose.task(id), sent)
}

pub async fn wait(scene: &Scene<'_>) -> Ended {
    let task = begun(scene).await;
    scene.strike();
    let reads = scene.sent(is_read);
    let wait = patience(task.wait(), scene.given);
    // The stream tells what the wait for the end passes over in silence.
    let follow = async {
        let mut updates = wait.updates();
        while let Some(update) = updates.next().await {
            scene.watch.object(&update);
            if let Update::PollFailed { reason, .. } = update? {
                scene.watch.text(&reason);
            }
        }
        task.video()
    };
    let loose = tokio::select! {
        biased;
        video = scene.in_time(follow) => told(scene, video, &task),
        () = scene.struck(), if scene.given.dropped => Loose::at("dropped").task(task.id()),
    };
    (loose, scene.sent(is_read) - reads)
}

pub async fn save(scene: &Scene<'_>) -> Ended {
    let video = begun(scene).await.wait().await.unwrap();
    scene.clock.advance(Duration::from_secs(scene.given.late));
    if scene.given.hasty {
        // The sandbox takes its time to render a clip, and has it ready from then on.
        let patient = scene.other_client().task(video.task_id());
        resume::stream(&patient.wait().await.unwrap())
            .await
            .unwrap();
    }
    scene.strike();
    let results = scene.sent(is_result);
    let save = scene.in_time(resume::save(scene, &video, "clip.mp4"));
    let loose = tokio::select! {
        biased;
        saved = save => match saved {
            Ok(_) => Loose {
                next: Next::Done,
                ..Loose::at("saved")
            },
            Err(error) => Loose::of(scene, &error),
        },
        () = scene.struck(), if scene.given.dropped => Loose::at("dropped").task(video.task_id()),
    };
    (loose, scene.sent(is_result) - results)
}

pub async fn webhook(scene: &Scene<'_>) -> Ended {
    let inbox = scene.inbox.as_ref().expect("the row names its deliveries");
    let mut news = inbox.deliveries();
    scene.strike();
    let task = begun(scene).await;
    scene.deliver(&scene.given.deliveries).await;
    let answers: Vec<_> = scene.sandbox.deliveries().iter().map(answer).collect();
    let mut told_of = 0;
    while let Some(delivery) = news.next().now_or_never().flatten() {
        scene.watch.object(&delivery);
        told_of += 1;
    }
    let reads = scene.sent(is_read);
    let video = patience(task.wait(), scene.given).webhook(inbox).await;
    let loose = told(scene, video, &task);
    let end = format!("{} · {told_of} new · {}", answers.join(" "), loose.end);
    (Loose { end, ..loose }, scene.sent(is_read) - reads)
}

/// A task that was created before anything went wrong.
async fn begun(scene: &Scene<'_>) -> Task {
    match scene.given.script {
        Some(Script::Fail) => scene.sandbox.fail_next(1),
        Some(Script::Empty) => scene.sandbox.script_next(Life::new(End::CompletedEmpty)),
        Some(Script::Queued) => {
            let status = "QUEUED".into();
            scene.sandbox.script_next(Life::default().via(status));
        }
        None => {}
    }
    scene.create(&scene.client).await.unwrap()
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

/// How a wait ended.
fn told(scene: &Scene<'_>, video: kling_omni::Result<Video>, task: &Task) -> Loose {
    scene.watch.object(task);
    match video {
        Ok(video) => {
            assert_eq!(task.status(), Some(TaskStatus::Completed));
            scene.watch.object(&video);
            Loose::at("video").task(task.id())
        }
        Err(error) => Loose::of(scene, &error),
    }
}

fn answer(delivery: &kling_omni_sandbox::Delivery) -> String {
    match delivery.outcome() {
        DeliveryOutcome::Accepted(status) | DeliveryOutcome::Refused(status) => {
            status.as_u16().to_string()
        }
        DeliveryOutcome::Skipped(_) => "lost".to_owned(),
        other => panic!("{other:?}"),
    }
}

impl Scene<'_> {
    /// Lets the task live and end, and so many deliveries arrive in each part of the time.
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
