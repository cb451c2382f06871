//! The error of this crate: its kind, its task, and whether it was charged.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use http::StatusCode;
use serde::Serialize;

use crate::engine::state::TaskStatus;
use crate::engine::unconfirmed::UnconfirmedCreate;
use crate::redact;
use crate::redact::printable;
use crate::validation::{Finding, InvalidParam, ValidationError};

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kinds of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The client could not be set up: no key, a key with forbidden characters, a bad base URL.
    Configuration,
    /// The call does not fit what it is made on: a journal in another state or about another create, a request of another
    /// mode. Nothing was sent.
    InvalidState,
    /// The request breaks a rule and was stopped before it could cost anything. [`Error::findings`](crate::Error::findings) lists every broken rule.
    Validation,
    /// The service refused the key (401).
    Authentication,
    /// The key is valid but may not do this (403): the account is suspended, or its plan does not include it.
    Permission,
    /// The account is out of credits (402).
    InsufficientCredits,
    /// The rate limit is used up (429). It makes room by itself.
    RateLimited,
    /// A trial or a plan has reached its limit (429 with a text that says so). Waiting does not help, so no call waits for
    /// it or tries again.
    PlanLimit,
    /// The service refused the request (400, and other 4xx that say as much).
    /// [`Error::invalid_params`](crate::Error::invalid_params) lists what it named.
    InvalidRequest,
    /// No such task or route (404, 405, 410).
    NotFound,
    /// The service failed (5xx).
    Server,
    /// No connection, or it broke before the answer was complete.
    Transport,
    /// A deadline of yours passed. A task that was being waited for goes on.
    Timeout,
    /// The wait was cancelled by you. The task goes on.
    Cancelled,
    /// The task has not ended, as far as is known, so there is no result yet.
    NotFinished,
    /// The task ended as `FAILED`.
    TaskFailed,
    /// The task ended as `COMPLETED` without a result.
    EmptyResult,
    /// The result URL no longer works, and the service names no other: the video is lost at its side.
    Expired,
    /// The service answered something that this version cannot read.
    UnexpectedResponse,
    /// What was downloaded is not a whole MP4 file.
    CorruptResult,
    /// A local file could not be read or written, or already exists.
    File,
    /// A local file could not be brought to where the service can read it: its storage refused it, or an
    /// [`Uploader`](crate::upload::Uploader) of yours gave up.
    Upload,
}

/// Whether money was spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Charged {
    /// A paid task exists.
    Yes,
    /// No paid task was made.
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

/// What to do when a create may have made a task.
const BEFORE_CREATING_AGAIN: &str = "give the error's `unresolved` to `Client::reconcile` before you create it again, or you may pay twice";

/// What went wrong, to which task, what it means for your money and what to do.
///
/// Its `Display` is for people; so is `Debug`, which a `main` that returns an error prints. For code, [`kind`](Error::kind) says which of a few cases it is, and the
/// other methods carry the facts. Neither `Display` nor `Debug` ever shows an API key or the token of a result URL.
///
/// ```
/// use kling_omni::{Charged, ErrorKind, VideoReference};
///
/// let error: kling_omni::Error = VideoReference::builder().duration(99).build().unwrap_err().into();
/// assert_eq!(error.kind(), ErrorKind::Validation);
/// assert_eq!(error.charged(), Charged::No);
/// ```
pub struct Error(Box<Facts>);

#[derive(Debug)]
struct Facts {
    kind: ErrorKind,
    summary: String,
    help: Option<String>,
    charged: Charged,
    retryable: bool,
    /// Whether the service said something in the form that its errors have.
    has_words: bool,
    task_id: Option<String>,
    task_status: Option<TaskStatus>,
    status: Option<StatusCode>,
    request_id: Option<String>,
    retry_after: Option<Duration>,
    validation: Option<ValidationError>,
    unresolved: Option<Box<UnconfirmedCreate>>,
    candidates: Vec<String>,
    invalid_params: Vec<InvalidParam>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error that has charged nothing: nothing was sent, or reading is free.
    pub(crate) fn uncharged(kind: ErrorKind, summary: impl Into<String>) -> Self {
        Self::new(kind, Charged::No, summary)
    }

    /// An error of a create, or about a task: it says whether that was charged.
    pub(crate) fn new(kind: ErrorKind, charged: Charged, summary: impl Into<String>) -> Self {
        Self(Box::new(Facts {
            kind,
            summary: summary.into(),
            help: None,
            charged,
            retryable: false,
            has_words: false,
            task_id: None,
            task_status: None,
            status: None,
            request_id: None,
            retry_after: None,
            validation: None,
            unresolved: None,
            candidates: Vec::new(),
            invalid_params: Vec::new(),
            source: None,
        }))
    }

    /// Which of a few cases this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the task that this error is about was charged.
    ///
    /// For an error of `create`: whether that call made a paid task. For an error about a known task: whether that task
    /// was paid. For reads that concern no task: `No`, since reading is free.
    pub fn charged(&self) -> Charged {
        self.0.charged
    }

    /// Whether the same call may succeed later **and** is safe to repeat: it cannot pay for a second task.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// The task concerned, if there is one.
    pub fn task_id(&self) -> Option<&str> {
        self.0.task_id.as_deref()
    }

    /// Where that task stood when it was last heard of, for errors of waiting for a task and of reading its status.
    ///
    /// [`TaskStatus::Unknown`] on an [`ErrorKind::Timeout`] says that the task may have come to an end that this version
    /// cannot read, in which case waiting longer with it is of no use.
    pub fn task_status(&self) -> Option<&TaskStatus> {
        self.0.task_status.as_ref()
    }

    /// The HTTP status that the service answered, if it answered.
    pub fn status(&self) -> Option<u16> {
        self.0.status.map(|status| status.as_u16())
    }

    /// The service's own id of the exchange (`x-request-id`), to be quoted to its support.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// How long the service asked to wait before the next attempt, from `Retry-After` or `x-ratelimit-reset`.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The rules that the request breaks, for [`ErrorKind::Validation`]; warnings included.
    pub fn findings(&self) -> &[Finding] {
        self.0
            .validation
            .as_ref()
            .map_or(&[], ValidationError::findings)
    }

    /// The parameters that the service named when it refused the request.
    pub fn invalid_params(&self) -> &[InvalidParam] {
        &self.0.invalid_params
    }

    /// What is needed to find out whether there is a task, for an error of a create that is
    /// [`Charged::Unknown`]: give it to [`Client::reconcile`](crate::Client::reconcile).
    pub fn unconfirmed_create(&self) -> Option<&UnconfirmedCreate> {
        self.0.unresolved.as_deref()
    }

    /// The tasks that the answer to a create names where it does not tell which of them is the new one, or whether there
    /// is a new one at all. At most 20 ids, as they came.
    pub fn candidates(&self) -> &[String] {
        &self.0.candidates
    }

    /// What happened; the help stands beside it.
    pub fn summary(&self) -> &str {
        &self.0.summary
    }

    /// What to do about it, if there is something.
    pub fn help(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Tells first what led to this.
    pub(crate) fn after(mut self, what: &str) -> Self {
        self.0.summary = format!("{what}; {}", self.0.summary);
        self
    }

    pub(crate) fn with_status_of(mut self, other: &Self) -> Self {
        self.0.status = other.0.status;
        self.0.request_id = other.0.request_id.clone();
        self
    }

    pub(crate) fn with_attempts(self, attempts: u32) -> Self {
        self.with_note(&format!("after {attempts} attempts"))
    }

    /// Adds to what happened.
    pub(crate) fn with_note(mut self, note: &str) -> Self {
        self.0.summary.push_str(", ");
        self.0.summary.push_str(note);
        self
    }

    pub(crate) fn with_charged(mut self, charged: Charged) -> Self {
        self.0.charged = charged;
        self
    }

    /// Whether the error is in the service's own words, and not those of a proxy or a web server on the way.
    pub(crate) fn has_words(&self) -> bool {
        self.0.has_words
    }

    pub(crate) fn with_words(mut self, has_words: bool) -> Self {
        self.0.has_words = has_words;
        self
    }

    pub(crate) fn with_candidates(mut self, candidates: Vec<String>, key: &str) -> Self {
        if !candidates.is_empty() {
            let ids: Vec<_> = candidates.iter().map(|id| printable(id)).collect();
            let ids = redact::sanitize(&ids.join(", "), key);
            self = self.with_note(&format!("task ids in the answer: {ids}"));
        }
        self.0.candidates = candidates;
        self
    }

    /// Leaves open whether there is a task, and says how to find out.
    pub(crate) fn with_unconfirmed(mut self, unresolved: UnconfirmedCreate) -> Self {
        self.0.unresolved = Some(Box::new(unresolved));
        self.0.retryable = false;
        self.with_charged(Charged::Unknown)
            .with_help(BEFORE_CREATING_AGAIN)
    }

    pub(crate) fn with_retryable(mut self, retryable: bool) -> Self {
        self.0.retryable = retryable;
        self
    }

    /// Ties the error to a task that is known to exist, and so to have been charged.
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
        let Facts {
            summary,
            help,
            charged,
            request_id,
            validation,
            ..
        } = &*self.0;
        // The list of findings says what it costs.
        if validation.is_some() {
            return f.write_str(summary);
        }
        f.write_str(summary)?;
        if let Some(id) = request_id {
            write!(f, " (request {id})")?;
        }
        write!(f, "; charged: {charged}")?;
        if let Some(help) = help {
            write!(f, "; {help}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)?;
        if let Some(id) = self.task_id() {
            write!(f, " (task {})", printable(id))?;
        }
        let mut cause = self.source();
        while let Some(next) = cause {
            write!(f, "; caused by: {next}")?;
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
