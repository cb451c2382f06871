//! The kind of a task, and its origin.

use std::time::Instant;

use serde::{Deserialize, Serialize};

/// Tasks of one kind take similar times. What the number stands for, and how it is written, is the service's affair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct TaskKind(pub(crate) u32);

/// The kind of a task that this client created, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TaskOrigin {
    pub(crate) kind: TaskKind,
    pub(crate) created: Instant,
}
