//! What the service says about a task.

use std::fmt;
use std::time::SystemTime;

#[cfg(feature = "schemars")]
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use url::Url;

use crate::engine::expiry;
use crate::redact::{RedactedUrl, sanitize};

/// Where a task stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(JsonSchema))]
#[serde(from = "String", into = "String")]
#[non_exhaustive]
pub enum TaskStatus {
    /// `CREATED`: taken on, not begun.
    Created,
    /// `IN_PROGRESS`: being worked on.
    InProgress,
    /// `COMPLETED`: ended with a result.
    Completed,
    /// `FAILED`: ended without a result.
    Failed,
    /// A value that this version does not know. The task is taken to be going on.
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

    /// Whether the task has ended, and this status will not change again.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

impl fmt::Display for TaskStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An unknown value is the service's text, and goes to terminals and logs.
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

/// The service may send null for "nothing".
fn list_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// What the service said about a task at one moment.
///
/// Serialises as the service writes it. `Debug` leaves the tokens out of result URLs.
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

    /// Id of the task.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where it stood.
    pub fn status(&self) -> &TaskStatus {
        &self.status
    }

    /// URLs of the finished files: empty until the task is completed, and each good for an hour from then. They carry
    /// a token that lets anyone read the file.
    pub fn generated(&self) -> &[String] {
        &self.generated
    }

    /// When the first of the finished files can no longer be fetched, as its URL says.
    pub fn expires_at(&self) -> Option<SystemTime> {
        expiry::of(&Url::parse(self.generated.first()?).ok()?)
    }

    /// The service's own words on why the task failed, if it had any: as they came, which is not always as they may be
    /// shown.
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// What [`error`](Self::error) says, to be shown: on one line, not too long, without what URLs in it give access to.
    pub fn shown_error(&self) -> Option<String> {
        self.error().map(|error| sanitize(error, ""))
    }

    /// How far the task has come. What is said of it may arrive in any order, and none of it takes the task back.
    pub(crate) fn progress(&self) -> Progress {
        match self.status {
            TaskStatus::Created => Progress::Begun,
            TaskStatus::InProgress | TaskStatus::Unknown(_) => Progress::Running,
            TaskStatus::Completed if self.generated.is_empty() => Progress::Unproven,
            TaskStatus::Completed | TaskStatus::Failed => Progress::Ended,
        }
    }
}

/// Stages of a task, each of which comes after those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Progress {
    Begun,
    Running,
    /// Completed without a result, which may still come.
    Unproven,
    Ended,
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

/// A task as the list shows it: without results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(JsonSchema))]
#[non_exhaustive]
pub struct TaskSummary {
    /// Id of the task; empty if the list has a row here without an id that can be read.
    #[serde(rename = "task_id")]
    pub id: String,
    /// Where it stands.
    pub status: TaskStatus,
}

impl TaskSummary {
    pub(crate) fn new(id: String, status: TaskStatus) -> Self {
        Self { id, status }
    }
}
