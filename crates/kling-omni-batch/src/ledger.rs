//! The ledger: what is durable of a batch.
//!
//! A ledger has batches, their items, and for each item its attempts. An attempt has the records of a
//! [`Journal`](kling_omni::journal::Journal), and the state that follows from them. Two rules hold in every ledger, whatever
//! its callers do:
//!
//! * `paid_once`: an item has at most one attempt that was paid or may have been
//!   ([`AttemptState::may_be_paid`](crate::AttemptState::may_be_paid)).
//! * `one_unconfirmed`: an account has at most one unconfirmed create
//!   ([`AttemptState::is_unconfirmed`](crate::AttemptState::is_unconfirmed)). The one new task on the account's list is then the
//!   task of that create.
//!
//! Only the holder of the account's [`Lease`] writes what may spend money. Each such write carries the epoch of the lease,
//! and fails if another run has acquired the account since.
//!
//! [`SqliteLedger`] is a file on one machine. `PostgresLedger` (feature `postgres`) is for several machines. The feature `conformance` has the tests for other implementations.

#[cfg(feature = "conformance")]
pub mod conformance;
mod facts;
mod job;
mod lease;
mod metrics;
mod moving;
#[cfg(feature = "postgres")]
mod postgres;
mod rows;
mod sql;
mod sqlite;

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

pub use crate::ledger::facts::{LedgerFacts, QueueFacts, ServerFacts};
pub use crate::ledger::job::{Account, Job, JobConsumer, JobQuery, RunJob, Step};
pub use crate::ledger::lease::Lease;
pub use crate::ledger::metrics::{
    AccountMetrics, BatchMetrics, LedgerMetrics, QueuedJobs, RecentVideo,
};
pub use crate::ledger::moving::{MovedLedger, move_ledger};
#[cfg(feature = "postgres")]
pub use crate::ledger::postgres::PostgresLedger;
pub use crate::ledger::rows::{
    AccountId, Announcement, Attempt, AttemptId, Batch, BatchId, BatchItem, CostGroup, EventDetail,
    Imported, ItemChange, ItemError, ItemEvent, ItemId, ItemQuery, ItemUploads, KnownUpdate,
    NewItem, NewItems, NewRecord, Reopening, ReportRow, SavedFile,
};
pub use crate::ledger::sqlite::SqliteLedger;

use crate::error::BatchResult;
use crate::request::StoredRequest;
use crate::state::{BatchState, ItemState};

/// How many items are read at once.
pub(crate) const PAGE: usize = 100;

/// A durable store of batches. See the [module documentation](self).
///
/// Each method is one transaction, durable when it returns. What costs nothing to repeat may become durable later, in order:
/// [`change_item`](Self::change_item), and the records that a task is ended or saved.
#[async_trait]
pub trait Ledger: fmt::Debug + Send + Sync + 'static {
    /// Adds items to a batch, which is created if it does not exist. An item that the batch has already is left as it is.
    ///
    /// # Errors
    ///
    /// [`BatchError::Changed`](crate::BatchError::Changed) if an item exists with another request or another file, and
    /// [`BatchError::SamePath`](crate::BatchError::SamePath) if another item has its file. Nothing is added then.
    async fn import(&self, batch: &str, items: NewItems) -> BatchResult<Imported>;

    /// All batches, in the order of their creation.
    async fn batches(&self) -> BatchResult<Vec<Batch>>;

    /// Finds a batch.
    async fn batch(&self, name: &str) -> BatchResult<Batch>;

    /// Sets the state of a batch. Returns whether it did: [`BatchState::Done`] is set only if all items have ended, which an
    /// import may have changed.
    async fn set_batch_state(
        &self,
        batch: BatchId,
        state: BatchState,
        reason: Option<String>,
    ) -> BatchResult<bool>;

    /// Finds a batch by its id.
    async fn batch_of(&self, id: BatchId) -> BatchResult<Batch>;

    /// Stores how workers run a batch, as JSON. `None` leaves the batch to [runs](crate::Batches::run).
    async fn set_policy(&self, batch: BatchId, policy: Option<String>) -> BatchResult<()>;

    /// All accounts, in the order in which they were first used.
    ///
    /// # Errors
    ///
    /// [`BatchError::Moved`](crate::BatchError::Moved).
    async fn accounts(&self) -> BatchResult<Vec<Account>>;

    /// A random salt for fingerprints of keys. Always the same.
    async fn salt(&self) -> BatchResult<Vec<u8>>;

    /// Assigns a batch to the account with this service and this fingerprint of a key.
    ///
    /// # Errors
    ///
    /// [`BatchError::OtherAccount`](crate::BatchError::OtherAccount) if it is assigned to another one.
    async fn assign(
        &self,
        batch: BatchId,
        service: &str,
        key_fingerprint: &str,
    ) -> BatchResult<AccountId>;

    /// Acquires the right to spend money on an account.
    ///
    /// # Errors
    ///
    /// [`BatchError::InUse`](crate::BatchError::InUse) if another run has it,
    /// [`BatchError::Damaged`](crate::BatchError::Damaged) if the ledger is not intact, and
    /// [`BatchError::Moved`](crate::BatchError::Moved).
    async fn acquire(&self, account: AccountId, holder: &str) -> BatchResult<Lease>;

    /// Extends a lease. A run calls it every second, and before a create that would begin late in its lease. Returns for how long
    /// the account is the caller's at least, from before the call; `None` if until the lease is dropped.
    ///
    /// # Errors
    ///
    /// [`BatchError::LeaseLost`](crate::BatchError::LeaseLost) if another run has the account.
    async fn renew(&self, lease: &Lease) -> BatchResult<Option<Duration>>;

    /// Gives a lease back.
    async fn release(&self, lease: Lease) -> BatchResult<()>;

    /// The known tasks of an account, all entries from the first on.
    async fn known_tasks(&self, account: AccountId) -> BatchResult<KnownUpdate>;

    /// Adds known tasks of an account.
    async fn add_known_tasks(&self, lease: &Lease, update: KnownUpdate) -> BatchResult<()>;

    /// Finds items.
    async fn items(&self, query: ItemQuery) -> BatchResult<Vec<BatchItem>>;

    /// Finds an item by its key.
    async fn item(&self, batch: BatchId, key: &str) -> BatchResult<Option<BatchItem>>;

    /// Finds an item by its id.
    async fn item_by_id(&self, item: ItemId) -> BatchResult<Option<BatchItem>>;

    /// The number of items in each state.
    async fn counts(&self, batch: BatchId) -> BatchResult<BTreeMap<ItemState, u64>>;

    /// When the next item in one of these states may begin that may not yet.
    async fn next_ready(
        &self,
        batch: BatchId,
        states: Vec<ItemState>,
        after: SystemTime,
    ) -> BatchResult<Option<SystemTime>>;

    /// Changes an item, if it is in the expected state. Returns whether it was.
    async fn change_item(&self, change: ItemChange) -> BatchResult<bool>;

    /// Begins the next attempt of a prepared item with the announcement of its create, and closes those that certainly made no
    /// task. Before this returns, nothing may be sent.
    ///
    /// # Errors
    ///
    /// [`BatchError::LeaseLost`](crate::BatchError::LeaseLost) also if the lease has ended,
    /// [`BatchError::ItemIs`](crate::BatchError::ItemIs) if the item is not prepared, and
    /// [`BatchError::Forbidden`](crate::BatchError::Forbidden) if a rule of the ledger would be violated. Nothing was written
    /// then.
    async fn announce(
        &self,
        lease: &Lease,
        item: ItemId,
        announcement: Announcement,
    ) -> BatchResult<Attempt>;

    /// The latest attempt of an item.
    async fn latest_attempt(&self, item: ItemId) -> BatchResult<Option<Attempt>>;

    /// The attempts of an account whose outcome is unknown: unconfirmed and undecided ones.
    async fn open_attempts(&self, account: AccountId) -> BatchResult<Vec<(Attempt, BatchItem)>>;

    /// The records of an attempt, in order.
    async fn records(&self, attempt: AttemptId) -> BatchResult<Vec<String>>;

    /// Appends a record, and makes the states follow, in one transaction. Without a lease, an undecided attempt can be decided,
    /// and what becomes of a task that exists can be recorded; a batch that is done is running again then.
    ///
    /// # Errors
    ///
    /// [`BatchError::RecordExists`](crate::BatchError::RecordExists) if the attempt has a record of this number,
    /// [`BatchError::LeaseLost`](crate::BatchError::LeaseLost), and [`BatchError::Forbidden`](crate::BatchError::Forbidden) if
    /// a rule of the ledger would be violated. Nothing was written then.
    async fn append(&self, lease: Option<&Lease>, record: NewRecord) -> BatchResult<()>;

    /// Records that the outcome of an attempt remains unknown after its settle time, with the tasks that it may have made.
    /// The account may create again then.
    async fn set_undecided(
        &self,
        lease: &Lease,
        attempt: AttemptId,
        candidates: Vec<String>,
        reason: ItemError,
    ) -> BatchResult<()>;

    /// Puts an item back, if it is in the expected state and its attempt is not unconfirmed. Returns whether it did.
    /// A batch that is done is running again then.
    async fn reopen(&self, item: ItemId, from: ItemState, as_: Reopening) -> BatchResult<bool>;

    /// Adds jobs for the next items of a batch that need a step and have no job for it. A ledger with a
    /// [queue](Self::has_queue) delivers them to its consumers, from the same transaction on.
    ///
    /// # Errors
    ///
    /// [`BatchError::LeaseLost`](crate::BatchError::LeaseLost).
    async fn queue_jobs(&self, lease: &Lease, query: JobQuery) -> BatchResult<Vec<Job>>;

    /// Removes a job: its step was run, or the item does not need it.
    async fn finish_job(&self, job: Job) -> BatchResult<()>;

    /// The jobs of an account, in the order in which they were queued.
    async fn unfinished_jobs(&self, account: AccountId) -> BatchResult<Vec<Job>>;

    /// Removes the jobs of an account that the queue of the ledger has lost, so they are queued again, and what the queue keeps
    /// of finished ones. Returns how many were lost.
    async fn remove_lost_jobs(&self, lease: &Lease) -> BatchResult<u64>;

    /// Whether the ledger delivers jobs itself.
    fn has_queue(&self) -> bool;

    /// Runs the jobs that the queue of the ledger delivers, each at least once, until the consumer is stopped and the running
    /// ones have ended.
    ///
    /// # Errors
    ///
    /// [`BatchError::NoQueue`](crate::BatchError::NoQueue) if it has none.
    async fn consume_jobs(&self, consumer: JobConsumer) -> BatchResult<()>;

    /// How many tasks of this request failed on the account.
    async fn failed_tasks(&self, account: AccountId, request_sha256: &str) -> BatchResult<u32>;

    /// The history of an item, in order.
    async fn events(&self, item: ItemId) -> BatchResult<Vec<ItemEvent>>;

    /// The events of all items of a batch, in order: those after an event, at most so many.
    async fn batch_events(
        &self,
        batch: BatchId,
        after: u64,
        limit: u32,
    ) -> BatchResult<Vec<ItemEvent>>;

    /// The events with which items of a batch ended, in order: those after an event, at most so many.
    async fn end_events(
        &self,
        batch: BatchId,
        after: u64,
        limit: u32,
    ) -> BatchResult<Vec<ItemEvent>>;

    /// What the items of a batch that have no task yet would pay for, each with a request of the group.
    async fn planned(&self, batch: BatchId) -> BatchResult<Vec<(CostGroup, StoredRequest)>>;

    /// What a batch has paid for, or may have, each with a request of the group.
    async fn spent(&self, batch: BatchId) -> BatchResult<Vec<(CostGroup, StoredRequest)>>;

    /// The counts of all batches and accounts, cheap enough to be read every few seconds.
    async fn metrics(&self) -> BatchResult<LedgerMetrics>;

    /// What a person needs to judge the health of the ledger.
    async fn facts(&self) -> BatchResult<LedgerFacts>;

    /// What a report says about items, in the order of their positions.
    async fn report(&self, batch: BatchId, from: u64, limit: u32) -> BatchResult<Vec<ReportRow>>;
}
