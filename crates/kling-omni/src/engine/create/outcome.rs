use crate::engine::attribution::unconfirmed::Unresolved;
use crate::engine::task::Task;
use crate::error::{Error, Result};

/// The three ends that a create can come to.
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
    pub(crate) fn of(result: Result<Task>) -> Self {
        let error = match result {
            Ok(task) => return Self::Created(task),
            Err(error) => error,
        };
        match error.unresolved() {
            Some(unresolved) => Self::Unknown {
                unresolved: unresolved.clone(),
                error,
            },
            None => Self::Rejected(error),
        }
    }
}
