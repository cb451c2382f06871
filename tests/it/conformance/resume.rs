//! What is left after a fault, and the way from there to the video.

use futures_util::TryStreamExt;
use kling_omni::recovery::{AmbiguityReason, Reconciled, UnconfirmedCreate};
use kling_omni::{Charged, CreateOutcome, Error, Video};

use super::scene::Scene;

/// What an operation has left behind.
pub struct Loose {
    /// How it ended.
    pub end: String,
    pub charged: Option<Charged>,
    /// All that the error says.
    pub says: String,
    /// The task, if it is known.
    pub task: Option<String>,
    pub unresolved: Option<UnconfirmedCreate>,
    pub next: Next,
}

/// What the caller is told to do where there is neither a task nor a doubt.
#[derive(PartialEq)]
pub enum Next {
    /// There is nothing left to do.
    Done,
    Create,
    /// There is nothing to go on from.
    Nothing,
}

impl Loose {
    /// Ended well, or at least without an error.
    pub fn at(end: impl Into<String>) -> Self {
        Self {
            end: end.into(),
            charged: None,
            says: String::new(),
            task: None,
            unresolved: None,
            next: Next::Nothing,
        }
    }

    pub fn task(mut self, id: impl Into<String>) -> Self {
        self.task = Some(id.into());
        self
    }

    pub fn of(scene: &Scene<'_>, error: &Error) -> Self {
        scene.watch.error(error);
        Self {
            end: format!("{:?}", error.kind()),
            charged: Some(error.charged()),
            says: error.to_string(),
            task: error.task_id().map(str::to_owned),
            unresolved: error.unconfirmed_create().cloned(),
            next: Next::Nothing,
        }
    }

    pub fn of_create(scene: &Scene<'_>, outcome: &CreateOutcome) -> Self {
        scene.watch.object(outcome);
        match outcome {
            CreateOutcome::Created(task) => Self::at("created").task(task.id()),
            CreateOutcome::Rejected(error) => Self {
                next: Next::Create,
                ..Self::of(scene, error)
            },
            CreateOutcome::Unknown { unresolved, error } => {
                let loose = Self::of(scene, error);
                assert_eq!(loose.unresolved.as_ref(), Some(unresolved));
                loose
            }
        }
    }
}

/// How a search ended, in the words of the table.
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

/// Goes on from what is left, as the documentation has it, and says by which way and how far.
pub async fn to_the_video(scene: &Scene<'_>, loose: &Loose) -> String {
    if let Some(unresolved) = &loose.unresolved {
        return search(scene, unresolved).await;
    }
    if let Some(id) = &loose.task {
        return take_up(scene, "attach", id).await;
    }
    match loose.next {
        Next::Done => "–".to_owned(),
        Next::Create => create_again(scene, "create").await,
        Next::Nothing => "nothing to go on".to_owned(),
    }
}

async fn search(scene: &Scene<'_>, unresolved: &UnconfirmedCreate) -> String {
    // As another process would have it from a file.
    scene.watch.object(unresolved);
    scene.watch.text(unresolved);
    scene.watch.json(unresolved);
    let json = serde_json::to_string(unresolved).unwrap();
    let unresolved = serde_json::from_str(&json).unwrap();
    let client = scene.fresh_process();
    let mut search = client.reconcile(&unresolved).until_settled();
    if let Some(inbox) = &scene.inbox {
        // In the time that the task takes, its deliveries arrive.
        scene.deliver(&scene.given.deliveries).await;
        search = search.webhook(inbox);
    }
    scene.watch.object(&search);
    let reconciled = search.await.unwrap();
    scene.watch.object(&reconciled);
    let way = word(&reconciled);
    match reconciled {
        Reconciled::Found { task, .. } => take_up(scene, &way, task.id()).await,
        Reconciled::NotCreated => create_again(scene, "absent, create").await,
        Reconciled::Ambiguous { candidates, .. } => match &candidates[..] {
            [] => way,
            [one] => take_up(scene, &format!("{way}, 1 candidate"), one).await,
            several => format!("{way}, {} candidates", several.len()),
        },
        other => panic!("{other:?}"),
    }
}

async fn create_again(scene: &Scene<'_>, way: &str) -> String {
    match scene.create(&scene.other_client()).await {
        Ok(task) => take_up(scene, way, task.id()).await,
        Err(error) => format!("{way} → {:?}", error.kind()),
    }
}

/// Follows a task that is known by its id alone to the video on disk.
async fn take_up(scene: &Scene<'_>, way: &str, id: &str) -> String {
    match video(scene, id).await {
        Ok(()) => format!("{way} → video"),
        Err(error) => {
            scene.watch.error(&error);
            format!("{way} → {:?}", error.kind())
        }
    }
}

async fn video(scene: &Scene<'_>, id: &str) -> kling_omni::Result<()> {
    let task = scene.other_client().task(id);
    let wait = task.wait();
    scene.watch.object(&wait);
    let video = wait.await?;
    scene.watch.object(&task);
    save(scene, &video, "resumed.mp4").await.map(|_| ())
}

/// Reads a video to its end.
pub async fn stream(video: &Video) -> kling_omni::Result<()> {
    let mut chunks = video.download().await?;
    while chunks.try_next().await?.is_some() {}
    Ok(())
}

/// Brings a video to disk, with its sidecar, and says how often that took a new beginning.
pub async fn save(scene: &Scene<'_>, video: &Video, name: &str) -> kling_omni::Result<String> {
    scene.watch.object(video);
    let path = scene.file(name);
    let (tell, told) = std::sync::mpsc::channel();
    let request = serde_json::json!({"video_url": "https://me:canary@example.com/?token=exp=1"});
    let save = video
        .save(&path)
        .sidecar(true)
        .request(request)
        .on_event(move |setback| {
            let _ = tell.send((format!("{setback:?}"), setback.to_string()));
        });
    scene.watch.object(&save);
    let saved = save.await;
    for (debug, text) in told {
        scene.watch.text(&debug);
        scene.watch.text(&text);
    }
    if saved.is_err() {
        let left: Vec<_> = std::fs::read_dir(scene.folder.path()).unwrap().collect();
        assert!(left.is_empty(), "{}: {left:?}", scene.row.id);
    }
    let saved = saved?;
    scene.watch.object(&saved);
    scene.watch.json(&saved);
    let sidecar = std::fs::read_to_string(saved.sidecar.as_ref().expect("it was asked for"));
    scene.watch.text(&sidecar.unwrap());
    Ok(saved.sha256)
}
