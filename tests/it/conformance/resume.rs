//! What remains after a fault, and the recovery from there to the video.

use futures_util::TryStreamExt;
use kling_omni::recovery::{AmbiguityReason, Reconciled, UnconfirmedCreate};
use kling_omni::{Charged, CreateOutcome, Error, Video};

use super::fixture::Fixture;

/// What remains after an operation.
pub struct Leftover {
    /// The outcome.
    pub end: String,
    pub charged: Option<Charged>,
    /// The full text of the error.
    pub says: String,
    /// The task, if it is known.
    pub task: Option<String>,
    pub unconfirmed: Option<UnconfirmedCreate>,
    pub next: Recovery,
}

/// What the caller can do without a task and without an unconfirmed create.
#[derive(PartialEq)]
pub enum Recovery {
    /// Done.
    Done,
    Create,
    /// Recovery is impossible.
    Nothing,
}

impl Leftover {
    /// Completed without an error.
    pub fn at(end: impl Into<String>) -> Self {
        Self {
            end: end.into(),
            charged: None,
            says: String::new(),
            task: None,
            unconfirmed: None,
            next: Recovery::Nothing,
        }
    }

    pub fn task(mut self, id: impl Into<String>) -> Self {
        self.task = Some(id.into());
        self
    }

    pub fn of(fixture: &Fixture<'_>, error: &Error) -> Self {
        fixture.watch.error(error);
        Self {
            end: format!("{:?}", error.kind()),
            charged: Some(error.charged()),
            says: format!("{error:?}"),
            task: error.task_id().map(str::to_owned),
            unconfirmed: error.unconfirmed_create().cloned(),
            next: Recovery::Nothing,
        }
    }

    pub fn of_create(fixture: &Fixture<'_>, outcome: &CreateOutcome) -> Self {
        fixture.watch.object(outcome);
        match outcome {
            CreateOutcome::Created(task) => Self::at("created").task(task.id()),
            CreateOutcome::Rejected(error) => Self {
                next: Recovery::Create,
                ..Self::of(fixture, error)
            },
            CreateOutcome::Unknown { unconfirmed, error } => {
                let loose = Self::of(fixture, error);
                assert_eq!(loose.unconfirmed.as_ref(), Some(unconfirmed));
                loose
            }
        }
    }
}

/// The result of a reconciliation, in the words of the table.
pub fn word(reconciled: &Reconciled) -> String {
    match reconciled {
        Reconciled::Found { matched_by, .. } => format!("found by {matched_by:?}"),
        Reconciled::NotCreated => "absent".to_owned(),
        Reconciled::Ambiguous {
            reason: AmbiguityReason::TooEarly { .. },
            ..
        } => "ambiguous: TooEarly".to_owned(),
        Reconciled::Ambiguous { reason, .. } => format!("ambiguous: {reason:?}"),
        other => panic!("{other:?}"),
    }
}

/// Recovers as the documentation describes, and returns the steps.
pub async fn to_the_video(fixture: &Fixture<'_>, loose: &Leftover) -> String {
    if let Some(unconfirmed) = &loose.unconfirmed {
        return search(fixture, unconfirmed).await;
    }
    if let Some(id) = &loose.task {
        return take_up(fixture, "attach", id).await;
    }
    match loose.next {
        Recovery::Done => "–".to_owned(),
        Recovery::Create => create_again(fixture, "create").await,
        Recovery::Nothing => "nothing to go on".to_owned(),
    }
}

async fn search(fixture: &Fixture<'_>, unconfirmed: &UnconfirmedCreate) -> String {
    // As another process would read it from a file.
    fixture.watch.object(unconfirmed);
    fixture.watch.text(unconfirmed);
    fixture.watch.json(unconfirmed);
    let json = serde_json::to_string(unconfirmed).unwrap();
    let unconfirmed = serde_json::from_str(&json).unwrap();
    let client = fixture.fresh_process();
    let mut search = client.reconcile(&unconfirmed).until_settled();
    if let Some(receiver) = &fixture.receiver {
        // Its deliveries arrive while the task runs.
        fixture.deliver(&fixture.given.deliveries).await;
        search = search.webhook(receiver);
    }
    fixture.watch.object(&search);
    let reconciled = search.await.unwrap();
    fixture.watch.object(&reconciled);
    let way = word(&reconciled);
    match reconciled {
        Reconciled::Found { task, .. } => take_up(fixture, &way, task.id()).await,
        Reconciled::NotCreated => create_again(fixture, "absent, create").await,
        Reconciled::Ambiguous { candidates, .. } => match &candidates[..] {
            [] => way,
            [one] => take_up(fixture, &format!("{way}, 1 candidate"), one).await,
            several => format!("{way}, {} candidates", several.len()),
        },
        other => panic!("{other:?}"),
    }
}

async fn create_again(fixture: &Fixture<'_>, way: &str) -> String {
    match fixture.create(&fixture.other_client()).await {
        Ok(task) => take_up(fixture, way, task.id()).await,
        Err(error) => format!("{way} → {:?}", error.kind()),
    }
}

/// Waits for a task that is known only by its id, and saves the video.
async fn take_up(fixture: &Fixture<'_>, way: &str, id: &str) -> String {
    match video(fixture, id).await {
        Ok(()) => format!("{way} → video"),
        Err(error) => {
            fixture.watch.error(&error);
            format!("{way} → {:?}", error.kind())
        }
    }
}

async fn video(fixture: &Fixture<'_>, id: &str) -> kling_omni::Result<()> {
    let task = fixture.other_client().task(id);
    let wait = task.wait();
    fixture.watch.object(&wait);
    let video = wait.await?;
    fixture.watch.object(&task);
    save(fixture, &video, "resumed.mp4").await.map(|_| ())
}

/// Reads a video completely.
pub async fn stream(video: &Video) -> kling_omni::Result<()> {
    let mut chunks = video.download().await?;
    while chunks.try_next().await?.is_some() {}
    Ok(())
}

/// Saves a video with its sidecar, and counts the restarts.
pub async fn save(fixture: &Fixture<'_>, video: &Video, name: &str) -> kling_omni::Result<String> {
    fixture.watch.object(video);
    let path = fixture.file(name);
    let (tell, told) = std::sync::mpsc::channel();
    let request = serde_json::json!({"video_url": "https://me:canary@example.com/?token=exp=1"});
    let save = video
        .save(&path)
        .sidecar(true)
        .request(request)
        .on_event(move |event| {
            let _ = tell.send((format!("{event:?}"), event.to_string()));
        });
    fixture.watch.object(&save);
    let saved = save.await;
    for (debug, text) in told {
        fixture.watch.text(&debug);
        fixture.watch.text(&text);
    }
    if saved.is_err() {
        let left: Vec<_> = std::fs::read_dir(fixture.folder.path()).unwrap().collect();
        assert!(left.is_empty(), "{}: {left:?}", fixture.row.id);
    }
    let saved = saved?;
    fixture.watch.object(&saved);
    fixture.watch.json(&saved);
    let sidecar = std::fs::read_to_string(saved.sidecar.as_ref().expect("it was asked for"));
    fixture.watch.text(&sidecar.unwrap());
    Ok(saved.sha256)
}
