//! The in-flight limit: how many tasks of a client run at once (concurrency limit).

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Limits how many tasks of a client are in flight.
pub(crate) struct InFlightLimit {
    max: usize,
    permits: Arc<Semaphore>,
}

/// The permit of one task in flight. Dropping it releases it.
#[derive(Debug)]
pub(crate) struct InFlightPermit {
    _permit: Option<OwnedSemaphorePermit>,
}

impl InFlightLimit {
    /// Allows at most `max` tasks, or practically any number.
    pub(crate) fn new(max: Option<usize>) -> Self {
        let max = max
            .unwrap_or(Semaphore::MAX_PERMITS)
            .min(Semaphore::MAX_PERMITS);
        Self {
            max,
            permits: Arc::new(Semaphore::new(max)),
        }
    }

    pub(crate) fn max(&self) -> usize {
        self.max
    }

    pub(crate) fn in_use(&self) -> usize {
        self.max - self.permits.available_permits()
    }

    /// Acquires a permit if one is available.
    pub(crate) fn try_acquire(&self) -> Option<InFlightPermit> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        Some(InFlightPermit {
            _permit: Some(permit),
        })
    }

    /// Waits for a permit, in the order of the calls.
    pub(crate) async fn acquire(&self) -> InFlightPermit {
        // The semaphore is never closed, so there is no error.
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok();
        InFlightPermit { _permit: permit }
    }
}
