//! A finished video: its URL, its state, and the error of a task that has no video.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use url::Url;

use crate::engine::error::{Charged, Error, ErrorKind, Result};
use crate::engine::expiry;
use crate::engine::http::Http;
use crate::engine::http::client::LazyClient;
use crate::engine::http::retry_headers;
use crate::engine::state::{TaskState, TaskStatus};
use crate::redact::RedactedUrl;
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
    /// Reads the state of the task from the service.
    fn read(&self) -> Pin<Box<dyn Future<Output = Result<TaskState>> + Send + '_>>;

    /// The times that this client has observed.
    fn times(&self) -> Times;
}

/// Times in the life of a task that this client has observed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    pub(crate) created: Option<SystemTime>,
    /// When the client learnt of the completion, if it had seen the task unfinished before.
    pub(crate) completed: Option<SystemTime>,
}

/// A finished video: a URL that works for an hour after completion, and the means to fetch the file before that ends.
#[derive(Clone)]
pub struct Video {
    pub(crate) downloads: Arc<Downloads>,
    pub(crate) origin: Arc<dyn Origin>,
    task_id: String,
    /// The URL as the service wrote it.
    pub(crate) original_url: String,
    pub(crate) url: Url,
    state: TaskState,
}

/// No task of the service reaches the inputs within this time.
const FAST_FAILURE: Duration = Duration::from_secs(30);
const CHECK_INPUTS: &str = "whether failed tasks are refunded is for the vendor to say; check the inputs before trying again";
const NOT_AVAILABLE: &str = "the account or the tier most likely cannot use this model: try the other tier or ask the vendor, and do not repeat the request unchanged";
const PERHAPS_NOT_AVAILABLE: &str = "if it failed within seconds of its creation, the account or the tier most likely cannot use this model; otherwise check the inputs before trying again";

impl Video {
    /// The video of a completed task; for any other task, the error that describes its state.
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
            TaskStatus::Failed => return Err(failed_error(downloads, state, ended_after)),
            status => {
                return Err(Error::uncharged(
                    ErrorKind::NotFinished,
                    format!("task {shown} is {status} and has no result yet"),
                )
                .with_task(id)
                .with_help("wait for it"));
            }
        }
        let Some(original_url) = state.generated().first() else {
            return Err(Error::uncharged(
                ErrorKind::EmptyResult,
                format!("task {shown} is completed, and the service names no result"),
            )
            .with_task(id)
            .with_help("the content filter is the likely cause: change the prompt or the inputs, since the same request most likely ends the same way and costs the same"));
        };
        let url = Url::parse(original_url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or_else(|| {
                Error::uncharged(
                    ErrorKind::UnexpectedResponse,
                    format!(
                        "the result of task {shown} is no http URL: {}",
                        RedactedUrl(original_url)
                    ),
                )
                .with_task(id)
            })?;
        Ok(Self {
            downloads: Arc::clone(downloads),
            origin,
            task_id: id.to_owned(),
            original_url: original_url.clone(),
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
        &self.original_url
    }

    /// Everything that the service said about the finished task, further results included.
    pub fn state(&self) -> &TaskState {
        &self.state
    }

    /// When the URL stops working, read from its token; `None` if it has none that can be read.
    pub fn expires_at(&self) -> Option<SystemTime> {
        expiry::of(&self.url)
    }
}

/// The error of a failed task. A failure within seconds and without a reason is not about the inputs: the account or the
/// tier cannot use the model.
fn failed_error(
    downloads: &Arc<Downloads>,
    state: &TaskState,
    ended_after: Option<Duration>,
) -> Error {
    let id = state.id();
    let shown = printable(id);
    let reason = state.error().unwrap_or_default();
    let reason = crate::redact::sanitize(reason, downloads.http.key.expose());
    let help = match ended_after {
        _ if !reason.is_empty() => CHECK_INPUTS,
        Some(time) if time <= FAST_FAILURE => NOT_AVAILABLE,
        Some(_) => CHECK_INPUTS,
        None => PERHAPS_NOT_AVAILABLE,
    };
    let summary = match ended_after {
        _ if !reason.is_empty() => format!("task {shown} failed: {reason}"),
        Some(time) if time <= FAST_FAILURE => format!(
            "task {shown} failed within {} s, and the service gives no reason",
            retry_headers::whole_seconds(time)
        ),
        _ => format!("task {shown} failed, and the service gives no reason"),
    };
    Error::new(ErrorKind::TaskFailed, Charged::Unknown, summary)
        .with_task_id(id)
        .with_help(help)
}

impl fmt::Debug for Video {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Video")
            .field("task_id", &self.task_id)
            .field("url", &RedactedUrl(self.url.as_str()).to_string())
            .field("expires_at", &self.expires_at())
            .finish_non_exhaustive()
    }
}
