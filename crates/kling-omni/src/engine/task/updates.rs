//! The updates of one task, as a stream.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::engine::error::{ErrorKind, Result};
use crate::engine::state::TaskState;
use crate::engine::task::poll::Polling;

/// Something learnt about a task.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Update {
    /// The status has changed; the first update carries the status found first.
    Status(TaskState),
    /// The service could not be asked this time. Says nothing about the task, and polling goes on.
    #[non_exhaustive]
    PollFailed {
        /// What kind of failure it was.
        kind: ErrorKind,
        /// The failure in words.
        reason: String,
    },
}

/// A task's updates, as a stream.
///
/// Ends after `COMPLETED` or `FAILED`. An error ends it, too: a deadline that passed, or a poll that failed for good,
/// such as by a refused key. Dropping it stops the polling and leaves the task alone.
///
/// ```no_run
/// use futures_util::TryStreamExt;
/// use kling_omni::polling::Update;
///
/// # async fn example(task: kling_omni::Task) -> kling_omni::Result<()> {
/// let mut updates = task.updates();
/// while let Some(update) = updates.try_next().await? {
///     match update {
///         Update::Status(state) => println!("{}", state.status()),
///         Update::PollFailed { why, .. } => println!("no news: {why}"),
///         _ => {}
///     }
/// }
/// let video = task.video()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "streams do nothing unless polled"]
pub struct Updates(Box<Polling>);

impl Updates {
    pub(crate) fn new(polling: Polling) -> Self {
        Self(Box::new(polling))
    }
}

impl Stream for Updates {
    type Item = Result<Update>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next(context)
    }
}

impl fmt::Debug for Updates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Updates").finish_non_exhaustive()
    }
}
