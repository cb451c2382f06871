//! The handle of a run, and its events.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::error::BatchResult;
use crate::ledger::{ItemError, SavedFile};
use crate::state::ItemState;
use crate::status::BatchStatus;

/// What a run is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    Continue,
    Stop,
}

/// An event of a run. The ledger has all of them that matter after the run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunEvent {
    /// An item changed its state, or failed a step that is tried again.
    Item {
        /// The key of the item.
        key: String,
        /// The file of its video.
        path: PathBuf,
        /// Its state.
        state: ItemState,
        /// Its task, if it is new or saved.
        #[serde(skip_serializing_if = "Option::is_none")]
        task_id: Option<String>,
        /// Its video, once it is saved.
        #[serde(skip_serializing_if = "Option::is_none")]
        file: Option<SavedFile>,
        /// Why.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<ItemError>,
    },
    /// The outcome of a create is unknown. Nothing else is created until it is settled.
    Settling {
        /// The key of the item.
        key: String,
        /// How long the search takes at most.
        at_most: Duration,
    },
    /// Nothing is created for a while.
    Waiting {
        /// Why.
        reason: ItemError,
        /// For how long.
        delay: Duration,
    },
    /// Nothing is created until the batch is resumed. What is paid for is still saved.
    Paused {
        /// Why; `None` if a person paused it.
        reason: Option<ItemError>,
    },
    /// The run creates tasks again.
    Resumed,
    /// The results file could not be written. [`Batches::write_results`](crate::Batches::write_results) writes it later.
    ResultsNotWritten {
        /// Why.
        error: String,
    },
}

/// A run of a batch. It is a stream of [`RunEvent`]s that ends with the run. Await it for the status of the batch at its end;
/// events that were not read by then are dropped. While a run is neither read nor awaited, its events stay in memory.
///
/// Dropping it stops the run as [`stop`](Self::stop) does.
#[must_use = "dropping it stops the run"]
pub struct BatchRun {
    pub(crate) events: mpsc::UnboundedReceiver<RunEvent>,
    pub(crate) control: watch::Sender<Control>,
    pub(crate) conductor: JoinHandle<BatchResult<BatchStatus>>,
}

impl BatchRun {
    /// Stops the run: nothing more is created, a create that was sent is completed, and running downloads are. Tasks that are
    /// still in progress are fetched by the next run. To leave at once, [`abort`](Self::abort), or end the process.
    pub fn stop(&self) {
        // The run may have ended.
        let _ = self.control.send(Control::Stop);
    }

    /// Ends the run at once. The next run settles a create that was unconfirmed.
    pub fn abort(&self) {
        self.conductor.abort();
    }

    /// The next event; `None` at the end of the run.
    pub async fn next_event(&mut self) -> Option<RunEvent> {
        self.events.recv().await
    }
}

impl Stream for BatchRun {
    type Item = RunEvent;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<RunEvent>> {
        self.events.poll_recv(context)
    }
}

impl IntoFuture for BatchRun {
    type Output = BatchResult<BatchStatus>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self {
            events,
            control,
            conductor,
        } = self;
        drop(events);
        Box::pin(async move {
            let ended = conductor.await;
            drop(control);
            match ended {
                Ok(ended) => ended,
                Err(error) if error.is_cancelled() => Err(crate::BatchError::Aborted),
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            }
        })
    }
}

impl fmt::Debug for BatchRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchRun").finish_non_exhaustive()
    }
}
