//! The error type of this crate: what failed, for which task, and whether it was charged.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::engine::state::TaskStatus;
use crate::engine::unconfirmed::UnconfirmedCreate;
use crate::redact;
use crate::redact::printable;
use crate::validation::{Finding, InvalidParam, ValidationError};

/// The result type of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kinds of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The client could not be set up: no key, a key with forbidden characters, a bad base URL.
    Configuration,
    /// The call is not valid in the present state: a journal in another state or of another create, or a request of another
    /// mode. Nothing was sent.
    InvalidState,
    /// The request violates a rule and was not sent. [`Error::findings`](crate::Error::findings) lists every violation.
    Validation,
    /// The service rejected the key (401).
    Authentication,
    /// The key is valid but not permitted to do this (403): the account is suspended, or its plan does not include it.
    Permission,
    /// The account is out of credits (402).
    InsufficientCredits,
    /// Throttled: the rate limit was exceeded (429). It recovers with time.
    RateLimited,
    /// A trial or a plan has reached its limit (429 with a text that says so). Waiting does not help, so no call retries it.
    PlanLimit,
    /// The [`SpendGuard`](crate::spend::SpendGuard) of the client refused the create: a limit is reached, or its price table
    /// has no valid price. Nothing was sent.
    SpendLimit,
    /// The service rejected the request (400, and other 4xx with the same meaning).
    /// [`Error::invalid_params`](crate::Error::invalid_params) lists the parameters that it named.
    InvalidRequest,
    /// No such task or route (404, 405, 410).
    NotFound,
    /// The service failed (5xx).
    Server,
    /// The connection failed, or broke before the response was complete.
    Transport,
    /// A deadline that the caller set has passed. A task that was being waited for keeps running.
    Timeout,
    /// The caller cancelled the wait. The task keeps running.
    Cancelled,
    /// The task is not known to have completed or failed, so it has no result yet.
    NotFinished,
    /// The status of the task is `FAILED`.
    TaskFailed,
    /// The status of the task is `COMPLETED`, but it has no result.
    EmptyResult,
    /// The result URL no longer works, and the service returns no other. The video can no longer be downloaded.
    Expired,
    /// This version cannot read the response of the service.
    UnexpectedResponse,
    /// The downloaded file is not a complete MP4 file.
    CorruptResult,
    /// A local file could not be read or written, or already exists. The same for the store of a journal.
    File,
    /// A local file could not be uploaded: its storage rejected it, or the caller's
    /// [`Uploader`](crate::upload::Uploader) failed.
    Upload,
}

/// Whether money was spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Charged {
    /// A paid task exists.
    Yes,
    /// No paid task was created.
    No,
    /// A paid task may or may not exist.
    Unknown,
}

impl fmt::Display for Charged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        })
    }
}

/// What to do after a create that may have made a task.
const HELP_UNCONFIRMED: &str = "pass `unconfirmed_create()` of the error to `Client::reconcile` before creating again, or the task may be paid twice";

/// The error type of this crate.
///
/// `Display` is one clause: what failed. `Debug`, which a `main` that returns an error prints, adds a line each for the
/// charge, the task, the request id, the help and the cause. Code matches on [`kind`](Error::kind) and reads the other
/// methods. Neither `Display` nor `Debug` shows an API key or the token of a result URL.
///
/// ```
/// use kling_omni::{Charged, ErrorKind, VideoReference};
///
/// let error: kling_omni::Error = VideoReference::builder().duration(99).build().unwrap_err().into();
/// assert_eq!(error.kind(), ErrorKind::Validation);
/// assert_eq!(error.charged(), Charged::No);
/// ```
pub struct Error(Box<ErrorInner>);

struct ErrorInner {
    kind: ErrorKind,
    summary: String,
    help: Option<String>,
    charged: Charged,
    retryable: bool,
    /// Whether the response has a message in the documented form of errors.
    has_service_message: bool,
    task_id: Option<String>,
    task_status: Option<TaskStatus>,
    status: Option<StatusCode>,
    request_id: Option<String>,
    retry_after: Option<Duration>,
    validation: Option<ValidationError>,
    unconfirmed: Option<Box<UnconfirmedCreate>>,
    candidates: Vec<String>,
    invalid_params: Vec<InvalidParam>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error that charged nothing: the request was not sent, or was a read, which is free.
    pub(crate) fn uncharged(kind: ErrorKind, summary: impl Into<String>) -> Self {
        Self::new(kind, Charged::No, summary)
    }

    /// An error of a create, or of a task, with whether that was charged.
    pub(crate) fn new(kind: ErrorKind, charged: Charged, summary: impl Into<String>) -> Self {
        Self(Box::new(ErrorInner {
            kind,
            summary: summary.into(),
            help: None,
            charged,
            retryable: false,
            has_service_message: false,
            task_id: None,
            task_status: None,
            status: None,
            request_id: None,
            retry_after: None,
            validation: None,
            unconfirmed: None,
            candidates: Vec::new(),
            invalid_params: Vec::new(),
            source: None,
        }))
    }

    /// The kind of this error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the task of this error was charged.
    ///
    /// For an error of `create`: whether that call created a paid task. For an error of a known task: whether that task
    /// was paid. For reads without a task: `No`, because reads are free.
    pub fn charged(&self) -> Charged {
        self.0.charged
    }

    /// Whether the same call may succeed later **and** is idempotent in effect: repeating it cannot pay for a second task.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// The id of the task, for an error of a task.
    pub fn task_id(&self) -> Option<&str> {
        self.0.task_id.as_deref()
    }

    /// The last known status of the task, for errors of waiting for a task and of reading its status.
    ///
    /// [`TaskStatus::Unknown`] on an [`ErrorKind::Timeout`] means that the task may have a final status that this version
    /// does not know. Waiting longer with this version does not help then.
    pub fn task_status(&self) -> Option<&TaskStatus> {
        self.0.task_status.as_ref()
    }

    /// The HTTP status of the response, if there was one.
    pub fn status(&self) -> Option<u16> {
        self.0.status.map(|status| status.as_u16())
    }

    /// The service's id of the request (`x-request-id`). Quote it to the service's support.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// The wait that the service requested before the next attempt, from `Retry-After` or `x-ratelimit-reset`.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The rules that the request violates, for [`ErrorKind::Validation`]. Includes warnings.
    pub fn findings(&self) -> &[Finding] {
        self.0
            .validation
            .as_ref()
            .map_or(&[], ValidationError::findings)
    }

    /// The parameters that the service named when it rejected the request.
    pub fn invalid_params(&self) -> &[InvalidParam] {
        &self.0.invalid_params
    }

    /// The unconfirmed create, for an error of a create that is [`Charged::Unknown`]. Pass it to
    /// [`Client::reconcile`](crate::Client::reconcile) to find out whether there is a task.
    pub fn unconfirmed_create(&self) -> Option<&UnconfirmedCreate> {
        self.0.unconfirmed.as_deref()
    }

    /// The tasks that the response to a create names, if it does not say which of them is new, or whether one is. At most
    /// 20 ids, unchanged.
    pub fn candidates(&self) -> &[String] {
        &self.0.candidates
    }

    /// What failed, as one clause. `Display` writes the same.
    pub fn summary(&self) -> &str {
        &self.0.summary
    }

    /// What to do about the error, as an imperative clause.
    pub fn help(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Puts what was being done in front of the summary.
    pub(crate) fn with_context(mut self, context: &str) -> Self {
        self.0.summary = format!("{context}: {}", self.0.summary);
        self
    }

    /// Copies the status and the request id of another error.
    pub(crate) fn with_status_of(mut self, other: &Self) -> Self {
        self.0.status = other.0.status;
        self.0.request_id = other.0.request_id.clone();
        self
    }

    pub(crate) fn with_attempts(self, attempts: u32) -> Self {
        self.with_note(&format!("after {attempts} attempts"))
    }

    /// Appends a note to the summary.
    pub(crate) fn with_note(mut self, note: &str) -> Self {
        self.0.summary.push_str(", ");
        self.0.summary.push_str(note);
        self
    }

    pub(crate) fn with_charged(mut self, charged: Charged) -> Self {
        self.0.charged = charged;
        self
    }

    /// Whether the response has a message of the service, and not a page of a proxy or a web server between.
    pub(crate) fn has_service_message(&self) -> bool {
        self.0.has_service_message
    }

    pub(crate) fn with_service_message(mut self, has_service_message: bool) -> Self {
        self.0.has_service_message = has_service_message;
        self
    }

    pub(crate) fn with_candidates(mut self, candidates: Vec<String>, key: &str) -> Self {
        if !candidates.is_empty() {
            let ids: Vec<_> = candidates.iter().map(|id| printable(id)).collect();
            let ids = redact::sanitize(&ids.join(", "), key);
            self = self.with_note(&format!("task ids in the response: {ids}"));
        }
        self.0.candidates = candidates;
        self
    }

    /// Marks the create as unconfirmed: a task may exist. The help says how to find out.
    pub(crate) fn with_unconfirmed(mut self, unconfirmed: UnconfirmedCreate) -> Self {
        self.0.unconfirmed = Some(Box::new(unconfirmed));
        self.0.retryable = false;
        self.with_charged(Charged::Unknown)
            .with_help(HELP_UNCONFIRMED)
    }

    pub(crate) fn with_retryable(mut self, retryable: bool) -> Self {
        self.0.retryable = retryable;
        self
    }

    /// Sets the task, which exists and so was charged.
    pub(crate) fn with_task(mut self, id: &str) -> Self {
        self.0.task_id = Some(id.to_owned());
        self.0.charged = Charged::Yes;
        self
    }

    pub(crate) fn with_task_id(mut self, id: &str) -> Self {
        self.0.task_id = Some(id.to_owned());
        self
    }

    pub(crate) fn with_task_status(mut self, status: TaskStatus) -> Self {
        self.0.task_status = Some(status);
        self
    }

    pub(crate) fn with_status(mut self, status: Option<StatusCode>) -> Self {
        self.0.status = status;
        self
    }

    pub(crate) fn with_request_id(mut self, request_id: Option<String>) -> Self {
        self.0.request_id = request_id;
        self
    }

    pub(crate) fn with_retry_after(mut self, retry_after: Option<Duration>) -> Self {
        self.0.retry_after = retry_after;
        self
    }

    pub(crate) fn with_invalid_params(mut self, invalid_params: Vec<InvalidParam>) -> Self {
        self.0.invalid_params = invalid_params;
        self
    }

    pub(crate) fn with_source(
        mut self,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(source.into());
        self
    }
}

impl From<ValidationError> for Error {
    fn from(validation: ValidationError) -> Self {
        let mut error = Self::uncharged(ErrorKind::Validation, validation.to_string());
        error.0.validation = Some(validation);
        error
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.summary)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ErrorInner {
            kind,
            summary,
            help,
            charged,
            task_id,
            request_id,
            ..
        } = &*self.0;
        write!(f, "{kind:?}: {summary}\n  charged: {charged}")?;
        if let Some(id) = task_id {
            write!(f, "\n  task: {}", printable(id))?;
        }
        if let Some(id) = request_id {
            write!(f, "\n  request: {id}")?;
        }
        if let Some(help) = help {
            write!(f, "\n  help: {help}")?;
        }
        let mut cause = self.source();
        while let Some(next) = cause {
            write!(f, "\n  caused by: {next}")?;
            cause = next.source();
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
