//! What the tasks of a run share.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kling_omni::Mode;
use tokio::sync::watch;

use crate::attempt_store::KnownStore;
use crate::error::BatchResult;
use crate::ledger::Lease;
use crate::run::Control;
use crate::start::Dispatch;
use crate::step::StepContext;

/// The delays between failures that concern the whole account: from 1 s, doubled up to 60 s.
pub(super) struct Backoff(Duration);

impl Backoff {
    pub(super) fn new() -> Self {
        Self(Duration::from_millis(500))
    }

    pub(super) fn next(&mut self) -> Duration {
        self.0 = (self.0 * 2).min(Duration::from_secs(60));
        self.0
    }
}

/// What the tasks of a run share.
pub(crate) struct RunContext {
    pub(crate) step: StepContext,
    pub(crate) lease: Lease,
    pub(crate) known: Arc<KnownStore>,
    pub(crate) dispatch: Dispatch,
    pub(crate) control: watch::Receiver<Control>,
    /// The modes whose lists were read in this run.
    pub(crate) listed: Mutex<BTreeSet<&'static str>>,
}

impl RunContext {
    /// Reads the lists that may have tasks of a mode, once in a run: tasks that exist already are not those of its creates.
    /// Returns the error if a list could not be read.
    pub(super) async fn read_lists(
        &self,
        mode: Mode,
    ) -> BatchResult<Result<(), kling_omni::Error>> {
        if self.listed().contains(mode.as_str()) {
            return Ok(Ok(()));
        }
        if let Err(error) = self.known.known.refresh(&self.step.client, mode).await {
            return Ok(Err(error));
        }
        self.known.store(&*self.step.ledger, &self.lease).await?;
        self.listed().insert(mode.as_str());
        Ok(Ok(()))
    }

    fn listed(&self) -> MutexGuard<'_, BTreeSet<&'static str>> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether workers prepare and fetch.
    pub(super) fn leaves_steps_to_workers(&self) -> bool {
        matches!(self.dispatch, Dispatch::Workers(_))
    }

    /// Completes when the run is asked to stop.
    pub(super) async fn stopped(&self) {
        let mut control = self.control.clone();
        // The handle of the run was dropped, which also stops it.
        let _ = control.wait_for(|control| *control == Control::Stop).await;
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.control.borrow() == Control::Stop || self.control.has_changed().is_err()
    }
}
