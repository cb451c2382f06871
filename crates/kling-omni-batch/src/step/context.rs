//! What the steps of items share.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use kling_omni::Client;
use kling_omni::download::Destination;
use kling_omni::journal::Journal;
use tokio::sync::mpsc;

use crate::attempt_store::{AttemptStore, JournalAttempt, KnownStore, Reason};
use crate::error::BatchResult;
use crate::failpoint::Failpoints;
use crate::ledger::{BatchItem, ItemError, Lease, Ledger, SavedFile};
use crate::object_url::is_url;
use crate::run::RunEvent;
use crate::run_options::RunOptions;
use crate::spool::Spool;
use crate::state::ItemState;
#[cfg(feature = "object-store")]
use crate::step::prepare::item_error;

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
        attempt: impl Into<JournalAttempt>,
        known: Option<Arc<KnownStore>>,
        reason: Reason,
    ) -> BatchResult<Journal> {
        let store = AttemptStore {
            ledger: Arc::clone(&self.ledger),
            lease: self.lease.clone(),
            attempt: attempt.into(),
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

    /// Where the video of an item goes.
    pub(crate) fn destination(&self, path: &Path) -> Result<Destination, ItemError> {
        match is_url(path) {
            true => self.object(path),
            false => Ok(path.into()),
        }
    }

    #[cfg(feature = "object-store")]
    fn object(&self, path: &Path) -> Result<Destination, ItemError> {
        let Some(store) = &self.options.video_store else {
            return Err(no_store(path, "this run has no store"));
        };
        let object = store.object(&path.to_string_lossy());
        object.map_err(|error| item_error(&error))
    }

    #[cfg(not(feature = "object-store"))]
    fn object(&self, path: &Path) -> Result<Destination, ItemError> {
        Err(no_store(path, "this program has no object stores"))
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

fn no_store(path: &Path, reason: &str) -> ItemError {
    ItemError {
        kind: "configuration".to_owned(),
        text: format!("{} could not be written: {reason}", path.display()),
    }
}
