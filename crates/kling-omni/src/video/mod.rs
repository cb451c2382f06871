mod save;

mod draft;
mod sidecar;
mod writer;

mod download;

pub(crate) mod boxes;
mod problem;
pub(crate) mod redirect;
mod setback;
mod source;
mod transfer;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use url::Url;

pub use download::Download;
pub use save::{Save, Saved};
pub use setback::Setback;
pub use sidecar::Sidecar;

use crate::error::{Charged, Error, ErrorKind, Result};
use crate::expiry;
use crate::redact::BareUrl;
use crate::session::Session;
use crate::state::{TaskState, TaskStatus};

/// The task behind a video, as far as the video needs it.
pub(crate) trait Origin: Send + Sync {
    /// Asks the service where the task stands.
    fn read(&self) -> Pin<Box<dyn Future<Output = Result<TaskState>> + Send + '_>>;

    /// When what happened to it, as far as this client has seen it.
    fn times(&self) -> Times;
}

/// Moments in the life of a task that this client has seen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    pub(crate) created: Option<SystemTime>,
    /// When the client learnt of the completion, of a task that it had seen unfinished.
    pub(crate) completed: Option<SystemTime>,
}

/// A finished video: a URL that works for an hour after completion, and the means to fetch the file before that ends.
#[derive(Clone)]
pub struct Video {
    session: Arc<Session>,
    origin: Arc<dyn Origin>,
    task_id: String,
    url: Url,
    state: TaskState,
}

impl Video {
    /// The video of a task that has ended well; for all others the error that says how it stands.
    pub(crate) fn of(
        session: &Arc<Session>,
        state: &TaskState,
        origin: Arc<dyn Origin>,
    ) -> Result<Self> {
        let id = state.id();
        match state.status() {
            TaskStatus::Completed => {}
            TaskStatus::Failed => return Err(failed(session, state)),
            status => {
                return Err(Error::new(
                    ErrorKind::NotFinished,
                    format!("task {id} is {status} and has no result yet"),
                )
                .with_task(id)
                .with_advice("wait for it"));
            }
        }
        let Some(url) = state.generated().first() else {
            return Err(Error::new(
                ErrorKind::EmptyResult,
                format!("task {id} is completed, and the service names no result"),
            )
            .with_task(id)
            .with_advice("look at it again later, and ask the vendor's support if it stays so"));
        };
        let url = Url::parse(url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::UnexpectedResponse,
                    format!("the result of task {id} is no http URL: {}", BareUrl(url)),
                )
                .with_task(id)
            })?;
        Ok(Self {
            session: Arc::clone(session),
            origin,
            task_id: id.to_owned(),
            url,
            state: state.clone(),
        })
    }

    /// Id of the task that made it.
    pub fn task_id(&self) -> &str {
        &self.task_id
    }

    /// Where the file is. Its token lets anyone read the file: treat it as a secret.
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// Everything that the service said about the finished task, further results included.
    pub fn state(&self) -> &TaskState {
        &self.state
    }

    /// When the URL stops working, read from its token; `None` if it has none that can be read.
    pub fn expires_at(&self) -> Option<SystemTime> {
        expiry::of(&self.url)
    }

    /// Downloads the file to `path`. Await the answer, or set options on it first.
    ///
    /// The file appears under its name whole or not at all: it is written to a temporary file beside the target,
    /// checked for its length and for being an MP4 from its first box to the end of its last one, brought to disk, and
    /// renamed. An existing file is left alone, unless [`Save::overwrite`] says otherwise.
    ///
    /// ```no_run
    /// # async fn example(video: kling_omni::Video) -> kling_omni::Result<()> {
    /// let saved = video
    ///     .save("puppet.mp4")
    ///     .sidecar(true) // puppet.mp4.json
    ///     .on_setback(|setback| eprintln!("{setback}"))
    ///     .await?;
    /// println!("{}  {}", saved.sha256, saved.path.display());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Expired`] if the URL no longer works and the service names no other, [`ErrorKind::CorruptResult`] if
    /// what came is not a whole MP4, [`ErrorKind::File`] if the file cannot be written or exists,
    /// [`ErrorKind::Transport`] if connections broke more often than [`Save`] puts up with, and the errors of
    /// [`Task::refresh`](crate::Task::refresh) if the service had to be asked for a fresh URL and did not answer.
    pub fn save(&self, path: impl Into<std::path::PathBuf>) -> Save {
        Save::new(self.clone(), path.into())
    }

    /// Opens the file for reading as a stream of bytes, in chunks as they arrive. The API key is not sent along.
    ///
    /// What [`save`](Self::save) does about lost connections and expired URLs happens here, too.
    ///
    /// # Errors
    ///
    /// As [`save`](Self::save), without those about files.
    pub async fn download(&self) -> Result<Download> {
        Download::open(self).await
    }
}

fn failed(session: &Arc<Session>, state: &TaskState) -> Error {
    let id = state.id();
    let mut summary = format!("task {id} failed");
    if let Some(why) = state.error() {
        let why = crate::redact::quote(why, session.key.expose());
        summary.push_str(&format!(": {why}"));
    }
    Error::new(ErrorKind::TaskFailed, summary)
        .with_task(id)
        .with_charged(Charged::Unknown)
        .with_advice("whether failed tasks are refunded is for the vendor to say; check the inputs before trying again")
}

impl fmt::Debug for Video {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Video")
            .field("task_id", &self.task_id)
            .field("url", &BareUrl(self.url.as_str()).to_string())
            .field("expires_at", &self.expires_at())
            .finish_non_exhaustive()
    }
}
