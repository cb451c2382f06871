//! A ledger in a SQLite file.

mod accounts;
mod attempts;
mod facts;
mod import;
mod items;
mod open;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use rusqlite::types::Type;
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};

pub use self::facts::LedgerFacts;

use crate::error::{BatchError, BatchResult};
use crate::failpoint::CommitHook;
use crate::ledger::{
    AccountId, Attempt, AttemptId, Batch, BatchId, BatchItem, CostGroup, Imported, ItemChange,
    ItemEvent, ItemId, ItemQuery, KnownUpdate, Lease, Ledger, NewItems, NewRecord, Reopening,
    ReportRow,
};
use crate::request::StoredRequest;
use crate::state::{AttemptState, BatchState, ItemState};

/// A ledger in a SQLite file, for one machine.
///
/// The file is readable only by its owner, because requests may carry tokens in URLs. It has no key, no URL of a result and
/// no webhook secret. It belongs on a local disk: locks do not work on some network file systems.
///
/// A run locks the file `<name>.lock` beside it. The system releases the lock when the process ends, however it ends, so
/// the next run knows that all earlier senders have ended.
#[derive(Clone)]
pub struct SqliteLedger {
    path: PathBuf,
    connection: Arc<Mutex<Connection>>,
    on_commit: CommitHook,
}

impl SqliteLedger {
    /// Opens a ledger, and creates it if it does not exist. A ledger of an older version is migrated.
    ///
    /// # Errors
    ///
    /// [`BatchError::NewerSchema`], [`BatchError::Damaged`], [`BatchError::OldSqlite`], [`BatchError::File`].
    pub async fn open(path: impl Into<PathBuf>) -> BatchResult<Self> {
        let path = path.into();
        blocking(move || {
            let path = std::path::absolute(&path).map_err(BatchError::file("find", &path))?;
            let connection = open::open(&path)?;
            Ok(Self {
                path,
                connection: Arc::new(Mutex::new(connection)),
                on_commit: CommitHook::default(),
            })
        })
        .await
    }

    /// Reads the facts that a person needs to judge the health of a ledger.
    pub async fn inspect(&self) -> BatchResult<LedgerFacts> {
        self.read(facts::inspect).await
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Limits the size of the file, for tests of a full disk.
    #[cfg(feature = "test-hooks")]
    #[doc(hidden)]
    pub async fn limit_pages(&self, pages: u32) -> BatchResult<()> {
        let connection = Arc::clone(&self.connection);
        let path = self.path.clone();
        blocking(move || {
            let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let limited =
                connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()));
            limited.map_err(|error| failure(&path, error))
        })
        .await
    }

    /// Calls `callback` in each transaction, immediately before it is committed, on a blocking thread.
    #[cfg(feature = "test-hooks")]
    #[doc(hidden)]
    #[must_use]
    pub fn on_commit(mut self, callback: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_commit.callback = Some(Arc::new(callback));
        self
    }

    /// Runs `work` in a transaction on a blocking thread. It is durable when this returns.
    async fn transact<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, SqliteFailure> + Send + 'static,
    ) -> BatchResult<T> {
        self.transact_with("full", work).await
    }

    /// Runs a `work` whose loss costs nothing. It is durable with the next transaction of [`transact`](Self::transact): a power
    /// failure before that undoes it, the end of the process does not.
    async fn transact_free<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, SqliteFailure> + Send + 'static,
    ) -> BatchResult<T> {
        self.transact_with("normal", work).await
    }

    async fn transact_with<T: Send + 'static>(
        &self,
        synchronous: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, SqliteFailure> + Send + 'static,
    ) -> BatchResult<T> {
        let connection = Arc::clone(&self.connection);
        let path = self.path.clone();
        let on_commit = self.on_commit.clone();
        blocking(move || {
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let done = connection
                .pragma_update(None, "synchronous", synchronous)
                .and_then(|()| connection.transaction_with_behavior(TransactionBehavior::Immediate))
                .map_err(SqliteFailure::from)
                .and_then(|transaction| {
                    let value = work(&transaction)?;
                    on_commit.call();
                    transaction.commit()?;
                    Ok(value)
                });
            done.map_err(|failed| failed.into_error(&path))
        })
        .await
    }

    /// Runs a query on a blocking thread. It does not wait for writers.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, SqliteFailure> + Send + 'static,
    ) -> BatchResult<T> {
        let connection = Arc::clone(&self.connection);
        let path = self.path.clone();
        blocking(move || {
            let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            work(&connection).map_err(|failed| failed.into_error(&path))
        })
        .await
    }
}

impl fmt::Debug for SqliteLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteLedger")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is shutting down, and will not poll this task again.
        Err(_) => std::future::pending().await,
    }
}

/// A failure inside of a transaction.
enum SqliteFailure {
    Sqlite(rusqlite::Error),
    Batch(BatchError),
}

impl SqliteFailure {
    fn into_error(self, path: &Path) -> BatchError {
        match self {
            Self::Sqlite(error) => failure(path, error),
            Self::Batch(error) => error,
        }
    }
}

impl From<rusqlite::Error> for SqliteFailure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<BatchError> for SqliteFailure {
    fn from(error: BatchError) -> Self {
        Self::Batch(error)
    }
}

/// The error for a failure of SQLite.
fn failure(path: &Path, error: rusqlite::Error) -> BatchError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => BatchError::Full,
        Some(ErrorCode::DatabaseBusy) => BatchError::Locked,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => BatchError::Damaged {
            path: path.to_owned(),
            problem: error.to_string(),
        },
        _ => BatchError::Ledger(Box::new(error)),
    }
}

/// A value in the ledger that cannot be read.
fn invalid(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

/// The current time of the ledger.
const NOW: &str = "cast(unixepoch('subsec') * 1000 as integer)";

fn to_ms(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn from_ms(ms: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(ms).unwrap_or_default())
}

#[async_trait]
impl Ledger for SqliteLedger {
    async fn import(&self, batch: &str, items: NewItems) -> BatchResult<Imported> {
        let batch = batch.to_owned();
        self.transact(move |ledger| import::import(ledger, &batch, items))
            .await
    }

    async fn batches(&self) -> BatchResult<Vec<Batch>> {
        self.read(accounts::batches).await
    }

    async fn batch(&self, name: &str) -> BatchResult<Batch> {
        let name = name.to_owned();
        self.read(move |ledger| accounts::batch(ledger, &name))
            .await
    }

    async fn set_batch_state(
        &self,
        batch: BatchId,
        state: BatchState,
        reason: Option<String>,
    ) -> BatchResult<bool> {
        self.transact(move |ledger| accounts::set_batch_state(ledger, batch, state, reason))
            .await
    }

    async fn salt(&self) -> BatchResult<Vec<u8>> {
        self.read(|ledger| Ok(ledger.query_row("select salt from meta", [], |row| row.get(0))?))
            .await
    }

    async fn assign(
        &self,
        batch: BatchId,
        service: &str,
        key_fingerprint: &str,
    ) -> BatchResult<AccountId> {
        let (service, key) = (service.to_owned(), key_fingerprint.to_owned());
        self.transact(move |ledger| accounts::assign(ledger, batch, &service, &key))
            .await
    }

    async fn acquire(&self, account: AccountId, holder: &str) -> BatchResult<Lease> {
        let holder = holder.to_owned();
        let path = self.path.clone();
        let lock = blocking({
            let holder = holder.clone();
            move || open::LockFile::acquire(&path, &holder)
        })
        .await?;
        // Only what may spend money needs it, and a status should not wait for it.
        let path = self.path.clone();
        self.read(move |ledger| open::check(ledger, &path)).await?;
        let epoch = self
            .transact(move |ledger| accounts::begin_epoch(ledger, account, &holder))
            .await?;
        Ok(Lease::new(account, epoch, Some(Arc::new(lock))))
    }

    async fn renew(&self, lease: &Lease) -> BatchResult<()> {
        let lease = lease.clone();
        self.read(move |ledger| accounts::check_lease(ledger, &lease))
            .await
    }

    async fn release(&self, lease: Lease) -> BatchResult<()> {
        drop(lease);
        Ok(())
    }

    async fn known_tasks(&self, account: AccountId) -> BatchResult<KnownUpdate> {
        self.read(move |ledger| accounts::known_tasks(ledger, account))
            .await
    }

    async fn add_known_tasks(&self, lease: &Lease, update: KnownUpdate) -> BatchResult<()> {
        let lease = lease.clone();
        self.transact(move |ledger| {
            accounts::check_lease(ledger, &lease)?;
            accounts::add_known_tasks(ledger, lease.account, &update)
        })
        .await
    }

    async fn items(&self, query: ItemQuery) -> BatchResult<Vec<BatchItem>> {
        self.read(move |ledger| items::find(ledger, &query)).await
    }

    async fn item(&self, batch: BatchId, key: &str) -> BatchResult<Option<BatchItem>> {
        let key = key.to_owned();
        self.read(move |ledger| items::by_key(ledger, batch, &key))
            .await
    }

    async fn counts(&self, batch: BatchId) -> BatchResult<BTreeMap<ItemState, u64>> {
        self.read(move |ledger| items::counts(ledger, batch)).await
    }

    async fn next_ready(
        &self,
        batch: BatchId,
        states: Vec<ItemState>,
        after: SystemTime,
    ) -> BatchResult<Option<SystemTime>> {
        self.read(move |ledger| items::next_ready(ledger, batch, &states, after))
            .await
    }

    async fn change_item(&self, change: ItemChange) -> BatchResult<bool> {
        self.transact_free(move |ledger| items::change(ledger, &change))
            .await
    }

    async fn begin_attempt(&self, lease: &Lease, item: ItemId) -> BatchResult<Attempt> {
        let lease = lease.clone();
        self.transact_free(move |ledger| attempts::begin(ledger, &lease, item))
            .await
    }

    async fn latest_attempt(&self, item: ItemId) -> BatchResult<Option<Attempt>> {
        self.read(move |ledger| attempts::latest(ledger, item))
            .await
    }

    async fn open_attempts(&self, account: AccountId) -> BatchResult<Vec<(Attempt, BatchItem)>> {
        self.read(move |ledger| attempts::open(ledger, account))
            .await
    }

    async fn records(&self, attempt: AttemptId) -> BatchResult<Vec<String>> {
        self.read(move |ledger| attempts::records(ledger, attempt))
            .await
    }

    async fn append(&self, lease: Option<&Lease>, record: NewRecord) -> BatchResult<()> {
        let lease = lease.cloned();
        let is_free = matches!(record.item_state, ItemState::Prepared | ItemState::Ended);
        let is_free = is_free && record.attempt_state != AttemptState::Rejected;
        let append =
            move |ledger: &Transaction<'_>| attempts::append(ledger, lease.as_ref(), &record);
        match is_free {
            true => self.transact_free(append).await,
            false => self.transact(append).await,
        }
    }

    async fn set_undecided(
        &self,
        lease: &Lease,
        attempt: AttemptId,
        candidates: Vec<String>,
        reason: crate::ledger::ItemError,
    ) -> BatchResult<()> {
        let lease = lease.clone();
        self.transact(move |ledger| {
            attempts::set_undecided(ledger, &lease, attempt, &candidates, &reason)
        })
        .await
    }

    async fn reopen(&self, item: ItemId, from: ItemState, as_: Reopening) -> BatchResult<bool> {
        self.transact(move |ledger| attempts::reopen(ledger, item, from, as_))
            .await
    }

    async fn failed_tasks(&self, account: AccountId, request_sha256: &str) -> BatchResult<u32> {
        let request = request_sha256.to_owned();
        self.read(move |ledger| {
            let count = "select count(*) from attempt where account_id = ? and failed_request = ?";
            Ok(ledger.query_row(count, (account.0, request), |row| row.get(0))?)
        })
        .await
    }

    async fn events(&self, item: ItemId) -> BatchResult<Vec<ItemEvent>> {
        self.read(move |ledger| items::events(ledger, item)).await
    }

    async fn end_events(
        &self,
        batch: BatchId,
        after: u64,
        limit: u32,
    ) -> BatchResult<Vec<ItemEvent>> {
        self.read(move |ledger| items::end_events(ledger, batch, after, limit))
            .await
    }

    async fn planned(&self, batch: BatchId) -> BatchResult<Vec<(CostGroup, StoredRequest)>> {
        self.read(move |ledger| attempts::planned(ledger, batch))
            .await
    }

    async fn spent(&self, batch: BatchId) -> BatchResult<Vec<(CostGroup, StoredRequest)>> {
        self.read(move |ledger| attempts::spent(ledger, batch))
            .await
    }

    async fn report(&self, batch: BatchId, from: u64, limit: u32) -> BatchResult<Vec<ReportRow>> {
        self.read(move |ledger| items::report(ledger, batch, from, limit))
            .await
    }
}
