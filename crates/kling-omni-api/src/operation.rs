//! Operations: what the document defines for each.

use crate::Field;
use crate::service::OPERATIONS;
use crate::tasks::{TaskCreate, TaskList, TaskRead};

/// An operation of the document.
///
/// The constants in [`crate::service`] are generated from the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The `operationId` of the document, such as `createVideoReference`.
    pub id: &'static str,
    /// The method of [`crate::Client`], such as `create_video_reference`. [`crate::Transport`] receives it, too.
    pub name: &'static str,
    /// The HTTP method in upper case.
    pub method: &'static str,
    /// The path template relative to the base URL, such as `/v1/tasks/{task-id}`.
    pub path: &'static str,
    /// The role of the operation.
    pub role: Role,
}

impl Operation {
    /// Finds the operation with this `operationId`.
    pub fn by_id(id: &str) -> Option<&'static Self> {
        OPERATIONS.iter().find(|operation| operation.id == id)
    }
}

/// What an operation does with tasks, from `x-task` of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Creates a task.
    Create(TaskCreate),
    /// Reads a task.
    Read(TaskRead),
    /// Lists tasks.
    List(TaskList),
    /// Does not use tasks.
    Other {
        /// Whether it may be retried if its outcome is unknown.
        is_repeatable: bool,
    },
}

impl Role {
    /// Whether the operation costs money.
    pub const fn is_paid(self) -> bool {
        matches!(self, Self::Create(_))
    }

    /// Whether the operation is idempotent: it may be retried if its outcome is unknown.
    pub const fn is_repeatable(self) -> bool {
        match self {
            Self::Create(_) => false,
            Self::Read(_) | Self::List(_) => true,
            Self::Other { is_repeatable } => is_repeatable,
        }
    }
}

/// An operation that creates a task.
#[derive(Clone, Copy, Debug)]
pub struct CreateSpec {
    /// The operation.
    pub operation: Operation,
    /// The mode of the task, such as `reference`.
    pub mode: &'static str,
    /// The name that distinguishes it from other operations of its mode and tier, such as `reference-to-video`.
    pub route: &'static str,
    /// The quality tier, such as `pro`.
    pub tier: &'static str,
    /// The name in files: route and tier.
    pub name: &'static str,
    /// The name in messages.
    pub title: &'static str,
    /// The families that may have its tasks, most likely first. With several families, the service does not document
    /// which of them has a task.
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

/// An operation that reads a task.
#[derive(Clone, Copy, Debug)]
pub struct ReadSpec {
    /// The operation.
    pub operation: Operation,
    /// The family whose tasks it reads.
    pub family: &'static str,
    /// The list of this family.
    pub list: Option<TaskList>,
}

/// An operation that lists tasks.
#[derive(Clone, Copy, Debug)]
pub struct ListSpec {
    /// The operation.
    pub operation: Operation,
    /// The family whose tasks it lists.
    pub family: &'static str,
    /// Its parameters.
    pub fields: &'static [Field],
}
