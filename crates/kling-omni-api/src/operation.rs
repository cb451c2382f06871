//! What the document says of one operation.

use crate::Field;
use crate::service::OPERATIONS;
use crate::tasks::{TaskCreate, TaskList, TaskRead};

/// What the spec says of one operation.
///
/// The constants in [`crate::service`] are generated from the spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The spec's `operationId`, such as `createVideoReference`.
    pub id: &'static str,
    /// The method of [`crate::Client`], such as `create_video_reference`, by which [`crate::Transport`] is told too.
    pub name: &'static str,
    /// The HTTP method in capitals.
    pub method: &'static str,
    /// The path template below the base URL, such as `/v1/tasks/{task-id}`.
    pub path: &'static str,
    /// What it does with tasks.
    pub role: Role,
}

impl Operation {
    /// The operation of this `operationId`.
    pub fn by_id(id: &str) -> Option<&'static Self> {
        OPERATIONS.iter().find(|operation| operation.id == id)
    }
}

/// What an operation does with tasks, from the spec's `x-task`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Creates a task.
    Create(TaskCreate),
    /// Reads a task.
    Read(TaskRead),
    /// Lists tasks.
    List(TaskList),
    /// Does nothing with tasks.
    Other {
        /// Whether it may be sent again when its outcome is unknown.
        is_repeatable: bool,
    },
}

impl Role {
    /// Whether the operation costs money.
    pub const fn is_paid(self) -> bool {
        matches!(self, Self::Create(_))
    }

    /// Whether the operation may be sent again when its outcome is unknown.
    pub const fn is_repeatable(self) -> bool {
        match self {
            Self::Create(_) => false,
            Self::Read(_) | Self::List(_) => true,
            Self::Other { is_repeatable } => is_repeatable,
        }
    }
}

/// What the spec says of an operation that creates a task.
#[derive(Clone, Copy, Debug)]
pub struct CreateSpec {
    /// The operation.
    pub operation: Operation,
    /// What the task is made from, such as `reference`.
    pub mode: &'static str,
    /// The name that chooses it among the operations of its mode and tier, such as `reference-to-video`.
    pub route: &'static str,
    /// Quality tier, such as `pro`.
    pub tier: &'static str,
    /// Route and tier: the name in files.
    pub name: &'static str,
    /// The name in messages.
    pub title: &'static str,
    /// The families that may have its tasks, most likely first. With more than one, the service does not document which
    /// of them has a task.
    pub families: &'static [&'static str],
    /// The reads of these families.
    pub reads: &'static [TaskRead],
    /// The lists of these families.
    pub lists: &'static [TaskList],
    /// The operation that replaces this one.
    pub successor: Option<TaskCreate>,
    /// The fields of its body.
    pub fields: &'static [Field],
}

/// What the spec says of an operation that reads a task.
#[derive(Clone, Copy, Debug)]
pub struct ReadSpec {
    /// The operation.
    pub operation: Operation,
    /// The family whose tasks it reads.
    pub family: &'static str,
    /// The list of this family.
    pub list: Option<TaskList>,
}

/// What the spec says of an operation that lists tasks.
#[derive(Clone, Copy, Debug)]
pub struct ListSpec {
    /// The operation.
    pub operation: Operation,
    /// The family whose tasks it lists.
    pub family: &'static str,
    /// Its parameters.
    pub fields: &'static [Field],
}
