mod save;

mod destination;
mod draft;
mod sidecar;
mod writer;

mod download;

mod problem;
pub(crate) mod redirect;
mod setback;
mod source;
mod transfer;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use url::Url;

pub use crate::engine::download::destination::Destination;
pub use crate::engine::download::download::Download;
pub use crate::engine::download::save::{Save, Saved};
pub use crate::engine::download::setback::Setback;
pub use crate::engine::download::sidecar::Sidecar;

use crate::engine::error::{Charged, Error, ErrorKind, Result};
use crate::engine::expiry;
use crate::engine::http::Http;
use crate::engine::http::client::LazyClient;
use crate::engine::http::retry_headers;
use crate::engine::state::{TaskState, TaskStatus};
use crate::redact::BareUrl;
use crate::redact::printable;

/// How a client downloads results.
pub(crate) struct Downloads {
    pub(crate) http: Arc<Http>,
    /// Fetches results, which live on other hosts: it never carries the key, and follows redirects.
    pub(crate) client: LazyClient,
    pub(crate) max_size: u64,
}

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
    downloads: Arc<Downloads>,
    origin: Arc<dyn Origin>,
    task_id: String,
    /// The URL as the service wrote it.
    given: String,
    url: Url,
    state: TaskState,
}

/// No task of the service gets as far as the inputs in this time.
const SECONDS: Duration = Duration::from_secs(30);
const CHECK_INPUTS: &str = "whether failed tasks are refunded is for the vendor to say; check the inputs before trying again";
const NOT_AVAILABLE: &str = "the account or the tier most likely cannot use this model: try the other tier or ask the vendor, and do not repeat the request unchanged";
const PERHAPS_NOT_AVAILABLE: &str = "if it failed within seconds of its creation, the account or the tier most likely cannot use this model; otherwise check the inputs before trying again";

impl Video {
    /// The video of a task that has ended well; for all others the error that says how it stands.
    pub(crate) fn of(
        downloads: &Arc<Downloads>,
        state: &TaskState,
        ended_after: Option<Duration>,
        origin: Arc<dyn Origin>,
    ) -> Result<Self> {
        let id = state.id();
        let shown = printable(id);
        match state.status() {
            TaskStatus::Completed => {}
            TaskStatus::Failed => return Err(failed(downloads, state, ended_after)),
            status => {
                return Err(Error::new(
                    ErrorKind::NotFinished,
                    format!("task {shown} is {status} and has no result yet"),
                )
                .with_task(id)
                .with_help("wait for it"));
            }
        }
        let Some(given) = state.generated().first() else {
            return Err(Error::new(
                ErrorKind::EmptyResult,
                format!("task {shown} is completed, and the service names no result"),
            )
            .with_task(id)
            .with_help("the content filter is the likely cause: change the prompt or the inputs, since the same request most likely ends the same way and costs the same"));
        };
        let url = Url::parse(given)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::UnexpectedResponse,
                    format!(
                        "the result of task {shown} is no http URL: {}",
                        BareUrl(given)
                    ),
                )
                .with_task(id)
            })?;
        Ok(Self {
            downloads: Arc::clone(downloads),
            origin,
            task_id: id.to_owned(),
            given: given.clone(),
            url,
            state: state.clone(),
        })
    }

    /// Id of the task that made it.
    pub fn task_id(&self) -> &str {
        &self.task_id
    }

    /// Where the file is, as the service wrote it. Its token lets anyone read the file: treat it as a secret.
    ///
    /// A download sends the query byte for byte, with one exception: characters that no URL may hold, and `'`, are
    /// percent-encoded by the URL library, as browsers do. A host whose signature does not survive that refuses the
    /// URL, and the error says so; another program can fetch it then.
    pub fn url(&self) -> &str {
        &self.given
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
    /// checked for its length and for being a whole MP4, with its index, its media and every frame, brought to disk, and
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
    /// [`ErrorKind::Transport`] if connections broke more often than [`Save`] puts up with, [`ErrorKind::Timeout`] if it
    /// takes longer than [`Save::timeout`], and the errors of
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

/// The error of a failed task. A task that fails within seconds and without a reason has met no problem with its
/// inputs: the account or the tier cannot use the model.
fn failed(downloads: &Arc<Downloads>, state: &TaskState, ended_after: Option<Duration>) -> Error {
    let id = state.id();
    let shown = printable(id);
    let why = state.error().unwrap_or_default();
    let why = crate::redact::quote(why, downloads.http.key.expose());
    let advice = match ended_after {
        _ if !why.is_empty() => CHECK_INPUTS,
        Some(time) if time <= SECONDS => NOT_AVAILABLE,
        Some(_) => CHECK_INPUTS,
        None => PERHAPS_NOT_AVAILABLE,
    };
    let summary = match ended_after {
        _ if !why.is_empty() => format!("task {shown} failed: {why}"),
        Some(time) if time <= SECONDS => format!(
            "task {shown} failed within {} s, and the service gives no reason",
            retry_headers::whole_seconds(time)
        ),
        _ => format!("task {shown} failed, and the service gives no reason"),
    };
    Error::new(ErrorKind::TaskFailed, summary)
        .with_task(id)
        .with_charged(Charged::Unknown)
        .with_help(advice)
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
