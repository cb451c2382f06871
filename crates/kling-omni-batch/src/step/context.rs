//! What the steps of items share.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use kling_omni::Client;
use kling_omni::journal::Journal;
use tokio::sync::mpsc;

use crate::attempt_store::{AttemptStore, KnownStore, Reason};
use crate::error::BatchResult;
use crate::failpoint::Failpoints;
use crate::ledger::{Attempt, BatchItem, ItemError, Lease, Ledger, SavedFile};
use crate::run::RunEvent;
use crate::run_options::RunOptions;
use crate::spool::Spool;
use crate::state::ItemState;

/// What the steps of items share.
pub(crate) struct StepContext {
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) client: Client,
    pub(crate) options: RunOptions,
    pub(crate) events: mpsc::UnboundedSender<RunEvent>,
    /// The lease of the account. A worker that only runs steps has none.
    pub(crate) lease: Option<Lease>,
    pub(crate) spool: Option<Spool>,
    /// The folders that were found writable since the last tick.
    pub(crate) writable: Arc<Mutex<HashSet<PathBuf>>>,
}

impl StepContext {
    /// Opens the journal of an attempt. `known` is stored with each record, and `reason` with that of a failure.
    pub(crate) async fn journal(
        &self,
        attempt: &Attempt,
        known: Option<Arc<KnownStore>>,
        reason: Reason,
    ) -> BatchResult<Journal> {
        let store = AttemptStore {
            ledger: Arc::clone(&self.ledger),
            lease: self.lease.clone(),
            attempt: attempt.id,
            known,
            reason,
            failpoints: self.failpoints().clone(),
            spool: self.spool.clone(),
        };
        Ok(Journal::with_store(store).await?)
    }

    pub(crate) fn failpoints(&self) -> &Failpoints {
        &self.options.failpoints
    }

    /// Has the next item check its folder again.
    pub(crate) fn forget_writable(&self) {
        let writable = self.writable.lock();
        writable.unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(crate) fn emit(&self, event: RunEvent) {
        // Nothing reads the events of a run that is only awaited.
        let _ = self.events.send(event);
    }

    pub(crate) fn report(&self, item: &BatchItem, state: ItemState, error: Option<ItemError>) {
        self.emit(RunEvent::Item {
            key: item.key.clone(),
            path: item.path.clone(),
            state,
            task_id: None,
            file: None,
            error,
        });
    }

    pub(crate) fn report_task(
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
    pub(crate) fn retry_at(&self, failures: u32) -> SystemTime {
        let delay = Duration::from_secs(5) * 2u32.saturating_pow(failures.saturating_sub(1).min(4));
        self.client.clock().system_time() + delay.min(Duration::from_secs(60))
    }
}
