//! The outcome of a create.

use crate::engine::error::{Error, Result};
use crate::engine::task::Task;
use crate::engine::unconfirmed::Unresolved;

/// The three outcomes of a create. There will be no fourth one, so that a `match` names them all.
#[derive(Debug)]
pub enum Outcome {
    /// There is a paid task.
    Created(Task),
    /// No paid task was made: nothing was sent, or the service refused. It may be created again.
    Rejected(Error),
    /// A paid task may have been made. Creating it again may pay for a second one.
    Unknown {
        /// What [`Client::reconcile`](crate::Client::reconcile) needs to find out.
        unresolved: Unresolved,
        /// What went wrong.
        error: Error,
    },
}

impl Outcome {
    /// The task, or the error of a create that did not return one.
    pub fn into_result(self) -> Result<Task> {
        match self {
            Self::Created(task) => Ok(task),
            Self::Rejected(error) | Self::Unknown { error, .. } => Err(error),
        }
    }
}

impl From<Error> for Outcome {
    /// The outcome of a create that failed before it was sent, or that the service refused.
    fn from(error: Error) -> Self {
        Self::Rejected(error)
    }
}
