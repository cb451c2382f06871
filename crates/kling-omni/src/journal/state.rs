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
    /// Nothing was sent, or what was sent certainly made no task: it may be created.
    Prepared,
    /// The last create made no task: nothing was sent, or the service refused. It may be created again.
    Rejected {
        /// What went wrong.
        reason: String,
    },
    /// A create was about to be sent, or its answer was lost: it may have made a paid task. It has to be
    /// [reconciled](super::Journal::reconcile) before anything else.
    Unconfirmed(UnconfirmedCreate),
    /// There is a paid task.
    Created {
        /// Id of the task.
        task_id: String,
    },
    /// The task has ended.
    Ended {
        /// Id of the task.
        task_id: String,
        /// How it ended.
        status: TaskStatus,
    },
    /// The video is on disk as a whole and about to get its name. Whether it has it,
    /// [`Journal::verify_saved`](super::Journal::verify_saved) finds out.
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
    /// Id of the task, once it is known.
    pub fn task_id(&self) -> Option<&str> {
        match self {
            Self::Created { task_id }
            | Self::Ended { task_id, .. }
            | Self::Publishing { task_id, .. }
            | Self::Saved { task_id, .. } => Some(task_id),
            Self::Empty | Self::Prepared | Self::Rejected { .. } | Self::Unconfirmed(_) => None,
        }
    }

    /// Whether a task may be created without paying for a second one.
    pub fn may_create(&self) -> bool {
        matches!(self, Self::Empty | Self::Prepared | Self::Rejected { .. })
    }

    /// Whether there is nothing left to do: the video was saved, or the task failed.
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

    /// Whether a task was paid for.
    pub fn charged(&self) -> Charged {
        match self {
            Self::Unconfirmed(_) => Charged::Unknown,
            state if state.may_create() => Charged::No,
            _ => Charged::Yes,
        }
    }
}
