//! The state of a journal.

use crate::engine::download::Saved;
use crate::engine::error::Charged;
use crate::engine::state::TaskStatus;
use crate::engine::unconfirmed::UnconfirmedCreate;

/// The state of a journal.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum State {
    /// Nothing is recorded yet.
    Empty,
    /// No task exists: nothing was sent, or no request made a task. It is safe to create.
    Prepared,
    /// The last create made no task: nothing was sent, or the service rejected it. It is safe to create again.
    Rejected {
        /// Why the create was rejected.
        reason: String,
    },
    /// A create was about to be sent, or its response was lost: it may have made a paid task.
    /// [Reconcile](super::Journal::reconcile) it first.
    Unconfirmed(UnconfirmedCreate),
    /// A paid task exists.
    Created {
        /// Id of the task.
        task_id: String,
    },
    /// The task reached a terminal status.
    Ended {
        /// Id of the task.
        task_id: String,
        /// The terminal status.
        status: TaskStatus,
    },
    /// The video is complete on disk and about to get its final name.
    /// [`Journal::verify_saved`](super::Journal::verify_saved) checks whether it has it.
    Publishing {
        /// Id of the task.
        task_id: String,
        /// The file.
        file: Saved,
    },
    /// The video was saved.
    Saved {
        /// Id of the task.
        task_id: String,
        /// The file.
        file: Saved,
    },
}

impl State {
    /// The id of the task, once it is known.
    pub fn task_id(&self) -> Option<&str> {
        match self {
            Self::Created { task_id }
            | Self::Ended { task_id, .. }
            | Self::Publishing { task_id, .. }
            | Self::Saved { task_id, .. } => Some(task_id),
            Self::Empty | Self::Prepared | Self::Rejected { .. } | Self::Unconfirmed(_) => None,
        }
    }

    /// The name of the state in one word: `empty`, `prepared`, `rejected`, `unconfirmed`, `created`, `ended`, `publishing` or
    /// `saved`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Prepared => "prepared",
            Self::Rejected { .. } => "rejected",
            Self::Unconfirmed(_) => "unconfirmed",
            Self::Created { .. } => "created",
            Self::Ended { .. } => "ended",
            Self::Publishing { .. } => "publishing",
            Self::Saved { .. } => "saved",
        }
    }

    /// Whether it is safe to create: no second task can be paid for.
    pub fn may_create(&self) -> bool {
        matches!(self, Self::Empty | Self::Prepared | Self::Rejected { .. })
    }

    /// Whether nothing is left to do: the video was saved, or the task failed.
    pub fn is_finished(&self) -> bool {
        matches!(
            self,
            Self::Saved { .. }
                | Self::Ended {
                    status: TaskStatus::Failed,
                    ..
                }
        )
    }

    /// Whether a task was charged.
    pub fn charged(&self) -> Charged {
        match self {
            Self::Unconfirmed(_) => Charged::Unknown,
            state if state.may_create() => Charged::No,
            _ => Charged::Yes,
        }
    }
}
