//! What the steps of a run share.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use kling_omni::journal::Journal;
use kling_omni::{Client, Mode};
use tokio::sync::{mpsc, watch};

use crate::attempt_store::{AttemptStore, KnownStore, Reason};
use crate::error::BatchResult;
use crate::failpoint::Failpoints;
use crate::ledger::{Attempt, BatchItem, ItemError, Lease, Ledger, SavedFile};
use crate::run::{Control, RunEvent};
use crate::run_options::RunOptions;
use crate::spool::Spool;
use crate::state::ItemState;

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

/// What the steps of a run share.
pub(crate) struct RunContext {
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) client: Client,
    pub(crate) lease: Lease,
    pub(crate) known: Arc<KnownStore>,
    pub(crate) spool: Option<Spool>,
    pub(crate) options: RunOptions,
    pub(crate) events: mpsc::UnboundedSender<RunEvent>,
    pub(crate) control: watch::Receiver<Control>,
    /// The modes whose lists were read in this run.
    pub(crate) listed: Mutex<BTreeSet<&'static str>>,
    /// The folders that were found writable since the last tick.
    pub(crate) writable: Arc<Mutex<HashSet<PathBuf>>>,
}

impl RunContext {
    /// Opens the journal of an attempt. `known` is stored with each record, and `reason` with that of a failure.
    pub(super) async fn journal(
        &self,
        attempt: &Attempt,
        known: Option<Arc<KnownStore>>,
        reason: Reason,
    ) -> BatchResult<Journal> {
        let store = AttemptStore {
            ledger: Arc::clone(&self.ledger),
            lease: Some(self.lease.clone()),
            attempt: attempt.id,
            known,
            reason,
            failpoints: self.failpoints().clone(),
            spool: self.spool.clone(),
        };
        Ok(Journal::with_store(store).await?)
    }

    pub(super) fn failpoints(&self) -> &Failpoints {
        &self.options.failpoints
    }

    /// Reads the lists that may have tasks of a mode, once in a run: tasks that exist already are not those of its creates.
    /// Returns the error if a list could not be read.
    pub(super) async fn read_lists(
        &self,
        mode: Mode,
    ) -> BatchResult<Result<(), kling_omni::Error>> {
        if self.listed().contains(mode.as_str()) {
            return Ok(Ok(()));
        }
        if let Err(error) = self.known.known.refresh(&self.client, mode).await {
            return Ok(Err(error));
        }
        self.known.store(&*self.ledger, &self.lease).await?;
        self.listed().insert(mode.as_str());
        Ok(Ok(()))
    }

    fn listed(&self) -> MutexGuard<'_, BTreeSet<&'static str>> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the next item check its folder again.
    pub(super) fn forget_writable(&self) {
        let writable = self.writable.lock();
        writable.unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(super) fn emit(&self, event: RunEvent) {
        // Nothing reads the events of a run that is only awaited.
        let _ = self.events.send(event);
    }

    pub(super) fn report(&self, item: &BatchItem, state: ItemState, error: Option<ItemError>) {
        self.emit(RunEvent::Item {
            key: item.key.clone(),
            path: item.path.clone(),
            state,
            task_id: None,
            file: None,
            error,
        });
    }

    pub(super) fn report_task(
        &self,
        item: &BatchItem,
        state: ItemState,
        task_id: &str,
        file: Option<SavedFile>,
    ) {
        self.emit(RunEvent::Item {
            key: item.key.clone(),
            path: item.path.clone(),
            state,
            task_id: Some(task_id.to_owned()),
            file,
            error: None,
        });
    }

    /// When a step of an item that failed so often in a row is tried again.
    pub(super) fn retry_at(&self, failures: u32) -> SystemTime {
        let delay = Duration::from_secs(5) * 2u32.saturating_pow(failures.saturating_sub(1).min(4));
        self.client.clock().system_time() + delay.min(Duration::from_secs(60))
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
