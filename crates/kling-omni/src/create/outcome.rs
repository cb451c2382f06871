use std::sync::Arc;

use crate::error::{Charged, Error, Result};
use crate::session::Session;
use crate::task::Task;
use crate::unresolved::Unresolved;

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
    pub(super) fn of(result: Result<Task>, session: Arc<Session>) -> Self {
        let error = match result {
            Ok(task) => return Self::Created(task),
            Err(error) => error,
        };
        if let Some(unresolved) = error.unresolved() {
            let unresolved = unresolved.clone();
            return Self::Unknown { unresolved, error };
        }
        match (error.charged(), error.task_id()) {
            // The answer was odd and named the task all the same.
            (Charged::Yes, Some(id)) => {
                tracing::warn!(%error, "the task exists");
                Self::Created(Task::attach(session, id.to_owned()))
            }
            _ => Self::Rejected(error),
        }
    }
}
