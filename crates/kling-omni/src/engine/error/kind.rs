use std::fmt;

use serde::Serialize;

/// The few cases that a caller may want to tell apart.
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
