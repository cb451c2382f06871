//! A finished video: its URL, its state, and the error of a task without a video.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use url::Url;

use crate::engine::error::{Charged, Error, ErrorKind, Result};
use crate::engine::expected_video::ExpectedVideo;
use crate::engine::expiry;
use crate::engine::http::Http;
use crate::engine::http::client::LazyClient;
use crate::engine::http::retry_headers;
use crate::engine::state::{TaskState, TaskStatus};
use crate::redact::RedactedUrl;
use crate::redact::printable;

/// The HTTP client and the limits of downloads.
pub(crate) struct Downloads {
    pub(crate) http: Arc<Http>,
    /// The client for results, which are on other hosts. It never carries the key, and follows redirects.
    pub(crate) client: LazyClient,
    pub(crate) max_size: u64,
}

/// The task of a video, as far as the video needs it.
pub(crate) trait VideoOrigin: Send + Sync {
    /// Reads the state of the task from the service.
    fn read(&self) -> Pin<Box<dyn Future<Output = Result<TaskState>> + Send + '_>>;

    /// The times that this client has observed.
    fn times(&self) -> TaskTimes;

    /// What the request asked of the video, if this client created the task.
    fn expected(&self) -> Option<ExpectedVideo>;
}

/// TaskTimes in the life of a task that this client has observed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TaskTimes {
    pub(crate) created: Option<SystemTime>,
    /// When the client detected the completion, if it had seen the task in progress before.
    pub(crate) completed: Option<SystemTime>,
}

/// A finished video. Its URL works for an hour after the completion of the task; [`save`](Self::save) downloads the file.
#[derive(Clone)]
pub struct Video {
    pub(crate) downloads: Arc<Downloads>,
    pub(crate) origin: Arc<dyn VideoOrigin>,
    task_id: String,
    /// The URL as the service wrote it.
    pub(crate) original_url: String,
    pub(crate) url: Url,
    state: TaskState,
}

/// A task that fails faster than this cannot have processed its inputs.
const FAST_FAILURE: Duration = Duration::from_secs(30);
const HELP_FAILED: &str =
    "check the inputs before trying again, and ask the vendor whether failed tasks are refunded";
const HELP_FAST_FAILURE: &str = "try the other tier or ask the vendor instead of repeating the request, because the account or the tier most likely cannot use this model";
const HELP_FAILED_UNTIMED: &str = "check the inputs before trying again, and whether the account can use this model if the task failed within seconds";

impl Video {
    /// Returns the video of a completed task, or the error that describes the state of any other task.
    pub(crate) fn from_state(
        downloads: &Arc<Downloads>,
        state: &TaskState,
        completed_after: Option<Duration>,
        origin: Arc<dyn VideoOrigin>,
    ) -> Result<Self> {
        let id = state.id();
        let shown = printable(id);
        match state.status() {
            TaskStatus::Completed => {}
            TaskStatus::Failed => return Err(failed_error(downloads, state, completed_after)),
            status => {
                return Err(Error::uncharged(
                    ErrorKind::NotFinished,
                    format!("task {shown} has no result yet: its status is {status}"),
                )
                .with_task(id)
                .with_help("wait for the task"));
            }
        }
        let Some(original_url) = state.generated().first() else {
            return Err(Error::uncharged(
                ErrorKind::EmptyResult,
                format!("task {shown} is completed without a result"),
            )
            .with_task(id)
            .with_help("change the prompt or the inputs instead of repeating the request, because the content filter is the likely cause"));
        };
        let url = Url::parse(original_url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or_else(|| {
                Error::uncharged(
                    ErrorKind::UnexpectedResponse,
                    format!(
                        "the result of task {shown} is not an http or https URL: {}",
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

    /// The id of the task that made the video.
    pub fn task_id(&self) -> &str {
        &self.task_id
    }

    /// The presigned URL of the file, as the service wrote it. Its token lets anyone read the file: treat it as a secret.
    ///
    /// A download sends the query unchanged, except that characters that are not allowed in URLs, and `'`, are percent-encoded,
    /// as in browsers. A host whose signature covers the unencoded text rejects such a URL. The error then says so, and another
    /// program can download the file.
    pub fn url(&self) -> &str {
        &self.original_url
    }

    /// The state of the completed task, including further results.
    pub fn state(&self) -> &TaskState {
        &self.state
    }

    /// When the URL expires, read from its token; `None` if it has no readable one.
    pub fn expires_at(&self) -> Option<SystemTime> {
        expiry::expires_at(&self.url)
    }
}

/// The error of a failed task. A failure within seconds and without a reason does not depend on the inputs: the account or
/// the tier cannot use the model.
fn failed_error(
    downloads: &Arc<Downloads>,
    state: &TaskState,
    completed_after: Option<Duration>,
) -> Error {
    let id = state.id();
    let shown = printable(id);
    let reason = state.error().unwrap_or_default();
    let reason = crate::redact::sanitize(reason, downloads.http.key.expose());
    let help = match completed_after {
        _ if !reason.is_empty() => HELP_FAILED,
        Some(time) if time <= FAST_FAILURE => HELP_FAST_FAILURE,
        Some(_) => HELP_FAILED,
        None => HELP_FAILED_UNTIMED,
    };
    let summary = match completed_after {
        _ if !reason.is_empty() => format!("task {shown} failed: {reason}"),
        Some(time) if time <= FAST_FAILURE => format!(
            "task {shown} failed within {} s without a reason",
            retry_headers::whole_seconds(time)
        ),
        _ => format!("task {shown} failed without a reason"),
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
