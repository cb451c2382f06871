//! The status of a task, as the service reports it.

use std::fmt;
use std::time::SystemTime;

#[cfg(feature = "schemars")]
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use url::Url;

use crate::engine::expiry;
use crate::redact::{RedactedUrl, sanitize};

/// The status of a task.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(JsonSchema))]
#[serde(from = "String", into = "String")]
#[non_exhaustive]
pub enum TaskStatus {
    /// `CREATED`: accepted, not started.
    Created,
    /// `IN_PROGRESS`: running.
    InProgress,
    /// `COMPLETED`: finished with a result.
    Completed,
    /// `FAILED`: finished without a result.
    Failed,
    /// A value that this version does not know. The task counts as running.
    Unknown(String),
}

impl TaskStatus {
    /// The value on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Created => "CREATED",
            Self::InProgress => "IN_PROGRESS",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Unknown(value) => value,
        }
    }

    /// Whether the status is final.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

impl fmt::Display for TaskStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An unknown value is text of the service, and may be printed to a terminal.
        match self {
            Self::Unknown(value) => f.write_str(&sanitize(value, "")),
            known => f.write_str(known.as_str()),
        }
    }
}

impl From<String> for TaskStatus {
    fn from(value: String) -> Self {
        [
            Self::Created,
            Self::InProgress,
            Self::Completed,
            Self::Failed,
        ]
        .into_iter()
        .find(|known| known.as_str() == value)
        .unwrap_or(Self::Unknown(value))
    }
}

impl From<TaskStatus> for String {
    fn from(status: TaskStatus) -> Self {
        status.as_str().to_owned()
    }
}

/// Deserialises a list that may be null.
fn list_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// The state of a task in one response of the service.
///
/// Serialises in the form of the service. `Debug` redacts the tokens in result URLs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(JsonSchema))]
#[non_exhaustive]
pub struct TaskState {
    #[serde(rename = "task_id")]
    id: String,
    status: TaskStatus,
    #[serde(default, deserialize_with = "list_or_null")]
    generated: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl TaskState {
    pub(crate) fn new(
        id: String,
        status: TaskStatus,
        generated: Vec<String>,
        error: Option<String>,
    ) -> Self {
        Self {
            id,
            status,
            generated,
            error,
        }
    }

    /// The id of the task.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The status of the task.
    pub fn status(&self) -> &TaskStatus {
        &self.status
    }

    /// URLs of the result files. Empty until the task is completed. Each is valid for an hour from then, and contains a
    /// token that lets anyone read the file.
    pub fn generated(&self) -> &[String] {
        &self.generated
    }

    /// When the URL of the first result file expires, according to the URL.
    pub fn expires_at(&self) -> Option<SystemTime> {
        expiry::expires_at(&Url::parse(self.generated.first()?).ok()?)
    }

    /// The message of the service on why the task failed, unchanged. It may not be fit to print: see
    /// [`shown_error`](Self::shown_error).
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// The message in [`error`](Self::error), to be printed: on one line, truncated, with the secrets in URLs redacted.
    pub fn shown_error(&self) -> Option<String> {
        self.error().map(|error| sanitize(error, ""))
    }

    /// The progress of the task. Responses may arrive in any order; progress never goes back.
    pub(crate) fn progress(&self) -> TaskProgress {
        match self.status {
            TaskStatus::Created => TaskProgress::Created,
            TaskStatus::InProgress | TaskStatus::Unknown(_) => TaskProgress::Running,
            TaskStatus::Completed if self.generated.is_empty() => TaskProgress::EmptyResult,
            TaskStatus::Completed | TaskStatus::Failed => TaskProgress::Final,
        }
    }
}

/// The stages of a task, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TaskProgress {
    Created,
    Running,
    /// Completed without a result, which may still appear.
    EmptyResult,
    Final,
}

impl fmt::Debug for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let generated: Vec<_> = self
            .generated
            .iter()
            .map(|url| RedactedUrl(url).to_string())
            .collect();
        f.debug_struct("TaskState")
            .field("id", &self.id)
            .field("status", &self.status)
            .field("generated", &generated)
            .field("error", &self.shown_error())
            .finish()
    }
}

/// A task in a list: without results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(JsonSchema))]
#[non_exhaustive]
pub struct TaskSummary {
    /// The id of the task. Empty if the row of the list has no id that can be read.
    #[serde(rename = "task_id")]
    pub id: String,
    /// The status of the task.
    pub status: TaskStatus,
}

impl TaskSummary {
    pub(crate) fn new(id: String, status: TaskStatus) -> Self {
        Self { id, status }
    }
}
