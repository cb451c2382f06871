use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many of a client's tasks may be in flight at once.
pub(crate) struct InFlightLimit {
    most: usize,
    free: Arc<Semaphore>,
}

/// One task's place among those in flight; free again when it is dropped.
#[derive(Debug)]
pub(crate) struct InFlightPermit {
    _held: Option<OwnedSemaphorePermit>,
}

impl InFlightLimit {
    /// As many as `most`, or no limit to speak of.
    pub(crate) fn new(most: Option<usize>) -> Self {
        let most = most
            .unwrap_or(Semaphore::MAX_PERMITS)
            .min(Semaphore::MAX_PERMITS);
        Self {
            most,
            free: Arc::new(Semaphore::new(most)),
        }
    }

    pub(crate) fn most(&self) -> usize {
        self.most
    }

    pub(crate) fn taken(&self) -> usize {
        self.most - self.free.available_permits()
    }

    /// Takes a place if one is free.
    pub(crate) fn try_take(&self) -> Option<InFlightPermit> {
        let held = Arc::clone(&self.free).try_acquire_owned().ok()?;
        Some(InFlightPermit { _held: Some(held) })
    }

    /// Takes a place as soon as one is free, in the order of asking.
    pub(crate) async fn take(&self) -> InFlightPermit {
        // The semaphore is never closed, so that an error is none to speak of.
        let held = Arc::clone(&self.free).acquire_owned().await.ok();
        InFlightPermit { _held: held }
    }
}
