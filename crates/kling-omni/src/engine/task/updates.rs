//! The updates of one task, as a stream.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::engine::error::{ErrorKind, Result};
use crate::engine::state::TaskState;
use crate::engine::task::poll::Polling;

/// An update of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Update {
    /// The status has changed. The first update has the first known status.
    Status(TaskState),
    /// A poll failed. Says nothing about the task. Polling continues.
    #[non_exhaustive]
    PollFailed {
        /// The kind of the failure.
        kind: ErrorKind,
        /// What failed.
        reason: String,
    },
}

/// The updates of a task, as a stream.
///
/// The stream ends after `COMPLETED` or `FAILED`. An error ends it, too: a deadline that passed, or a poll that failed
/// permanently, such as with a rejected key. Dropping the stream stops the polling and does not affect the task.
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
///         Update::PollFailed { reason, .. } => println!("poll failed: {reason}"),
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
