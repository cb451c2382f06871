//! The ledger in SQL, for every database: a database runs transactions, and all rules and statements are here.

mod accounts;
mod attempts;
mod import;
mod items;
mod jobs;
pub(super) mod mark;
mod metrics;
mod schema;
mod session;
pub(super) mod tables;
mod times;

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

pub(super) use self::schema::migrate;
#[cfg(feature = "postgres")]
pub(super) use self::session::SqlStatement;
pub(super) use self::session::{Dialect, SqlFailure, SqlRow, SqlSession, SqlValue, values};
use self::times::from_ms;
pub(super) use self::times::to_ms;

use crate::error::{BatchError, BatchResult};
use crate::ledger::{
    Account, AccountId, Announcement, Attempt, AttemptId, Batch, BatchId, BatchItem, CostGroup,
    Imported, ItemChange, ItemError, ItemEvent, ItemId, ItemQuery, Job, JobConsumer, JobQuery,
    KnownUpdate, Lease, Ledger, LedgerFacts, LedgerMetrics, NewItems, NewRecord, Reopening,
    ReportRow,
};
use crate::request::StoredRequest;
use crate::state::{BatchState, ItemState};

/// What a transaction costs that is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It may cost money.
    Money,
    /// It costs nothing. It may become durable with the next transaction.
    Nothing,
}

/// A database that can keep a ledger.
pub trait SqlDatabase: fmt::Debug + Send + Sync + 'static {
    /// How long a lease lasts; `None` until it is dropped.
    const LEASE: Option<Duration>;

    /// Where it is, without a password.
    fn location(&self) -> String;

    /// Runs `work` in a transaction. It may run several times; all but the last one are undone. What it did is durable when
    /// this returns, or with the next transaction if its loss costs nothing.
    fn transact<T: Send + 'static>(
        &self,
        loss: Loss,
        work: impl Fn(&mut dyn SqlSession) -> Result<T, SqlFailure> + Send + 'static,
    ) -> impl Future<Output = BatchResult<T>> + Send;

    /// Runs queries.
    fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&mut dyn SqlSession) -> Result<T, SqlFailure> + Send + 'static,
    ) -> impl Future<Output = BatchResult<T>> + Send;

    /// Checks the database before money is spent, and locks what proves that earlier holders have ended, if something does.
    fn begin_run(
        &self,
        holder: &str,
    ) -> impl Future<Output = BatchResult<Option<Arc<dyn Any + Send + Sync>>>> + Send;

    /// Whether the database delivers jobs to consumers.
    fn has_queue(&self) -> bool {
        false
    }

    /// Runs the jobs that the queue of the database delivers.
    fn consume_jobs(
        &self,
        _: JobConsumer,
        _queue: String,
    ) -> impl Future<Output = BatchResult<()>> + Send {
        std::future::ready(Err(BatchError::NoQueue))
    }

    /// Reads what a person needs to judge the health of the database.
    fn inspect(&self) -> impl Future<Output = BatchResult<LedgerFacts>> + Send;
}

#[async_trait]
impl<D: SqlDatabase> Ledger for D {
    async fn import(&self, batch: &str, items: NewItems) -> BatchResult<Imported> {
        let batch = batch.to_owned();
        let items = Mutex::new(Some(items));
        self.transact(Loss::Money, move |ledger| {
            import::import(ledger, &batch, &items)
        })
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
        self.transact(Loss::Money, move |ledger| {
            accounts::set_batch_state(ledger, batch, state, reason.as_ref())
        })
        .await
    }

    async fn batch_of(&self, id: BatchId) -> BatchResult<Batch> {
        self.read(move |ledger| accounts::batch_of(ledger, id))
            .await
    }

    async fn set_policy(&self, batch: BatchId, policy: Option<String>) -> BatchResult<()> {
        self.transact(Loss::Money, move |ledger| {
            accounts::set_policy(ledger, batch, policy.as_ref())
        })
        .await
    }

    async fn accounts(&self) -> BatchResult<Vec<Account>> {
        self.read(accounts::all).await
    }

    async fn salt(&self) -> BatchResult<Vec<u8>> {
        self.read(mark::salt).await
    }

    async fn assign(
        &self,
        batch: BatchId,
        service: &str,
        key_fingerprint: &str,
    ) -> BatchResult<AccountId> {
        let (service, key) = (service.to_owned(), key_fingerprint.to_owned());
        self.transact(Loss::Money, move |ledger| {
            accounts::assign(ledger, batch, &service, &key)
        })
        .await
    }

    async fn acquire(&self, account: AccountId, holder: &str) -> BatchResult<Lease> {
        let hold = self.begin_run(holder).await?;
        let holder = holder.to_owned();
        let begun = self.transact(Loss::Money, move |ledger| {
            let epoch = accounts::begin_epoch(ledger, account, &holder)?;
            Ok((epoch, mark::has_open_create(ledger, account)?))
        });
        let (epoch, has_open_create) = begun.await?;
        let mut lease = Lease::new(account, epoch, hold);
        // The lock proves nothing about a sender that had the account in another ledger.
        lease.earlier_senders_ended &= !has_open_create;
        Ok(lease)
    }

    async fn renew(&self, lease: &Lease) -> BatchResult<Option<Duration>> {
        let lease = lease.clone();
        match D::LEASE {
            Some(_) => {
                self.transact(Loss::Money, move |ledger| {
                    accounts::extend_lease(ledger, &lease)
                })
                .await?;
            }
            None => {
                self.read(move |ledger| accounts::check_lease(ledger, &lease))
                    .await?;
            }
        }
        Ok(D::LEASE)
    }

    async fn release(&self, lease: Lease) -> BatchResult<()> {
        if D::LEASE.is_none() {
            drop(lease);
            return Ok(());
        }
        self.transact(Loss::Nothing, move |ledger| {
            accounts::end_lease(ledger, &lease)
        })
        .await
    }

    async fn known_tasks(&self, account: AccountId) -> BatchResult<KnownUpdate> {
        self.read(move |ledger| accounts::known_tasks(ledger, account))
            .await
    }

    async fn add_known_tasks(&self, lease: &Lease, update: KnownUpdate) -> BatchResult<()> {
        let lease = lease.clone();
        self.transact(Loss::Money, move |ledger| {
            accounts::check_lease(ledger, &lease)?;
            ledger.execute_each(&accounts::add_known_tasks(lease.account, &update))
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

    async fn item_by_id(&self, item: ItemId) -> BatchResult<Option<BatchItem>> {
        self.read(move |ledger| items::by_id(ledger, item)).await
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
        self.transact(Loss::Nothing, move |ledger| items::change(ledger, &change))
            .await
    }

    async fn announce(
        &self,
        lease: &Lease,
        item: ItemId,
        announcement: Announcement,
    ) -> BatchResult<Attempt> {
        let lease = lease.clone();
        self.transact(Loss::Money, move |ledger| {
            attempts::announce(ledger, &lease, item, &announcement)
        })
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
        // A video whose last record is lost is found by the one before it.
        let loss = match record.item_state {
            ItemState::Ended | ItemState::Saved => Loss::Nothing,
            _ => Loss::Money,
        };
        self.transact(loss, move |ledger| {
            attempts::append(ledger, lease.as_ref(), &record)
        })
        .await
    }

    async fn set_undecided(
        &self,
        lease: &Lease,
        attempt: AttemptId,
        candidates: Vec<String>,
        reason: ItemError,
    ) -> BatchResult<()> {
        let lease = lease.clone();
        self.transact(Loss::Money, move |ledger| {
            attempts::set_undecided(ledger, &lease, attempt, &candidates, &reason)
        })
        .await
    }

    async fn reopen(&self, item: ItemId, from: ItemState, as_: Reopening) -> BatchResult<bool> {
        self.transact(Loss::Money, move |ledger| {
            attempts::reopen(ledger, item, from, as_)
        })
        .await
    }

    async fn queue_jobs(&self, lease: &Lease, query: JobQuery) -> BatchResult<Vec<Job>> {
        let lease = lease.clone();
        self.transact(Loss::Nothing, move |ledger| {
            jobs::queue(ledger, &lease, &query)
        })
        .await
    }

    async fn finish_job(&self, job: Job) -> BatchResult<()> {
        self.transact(Loss::Nothing, move |ledger| jobs::finish(ledger, job))
            .await
    }

    async fn unfinished_jobs(&self, account: AccountId) -> BatchResult<Vec<Job>> {
        self.read(move |ledger| jobs::unfinished(ledger, account))
            .await
    }

    async fn remove_lost_jobs(&self, lease: &Lease) -> BatchResult<u64> {
        let lease = lease.clone();
        self.transact(Loss::Nothing, move |ledger| {
            jobs::remove_lost(ledger, &lease)
        })
        .await
    }

    fn has_queue(&self) -> bool {
        SqlDatabase::has_queue(self)
    }

    async fn consume_jobs(&self, consumer: JobConsumer) -> BatchResult<()> {
        let (account, step) = (consumer.account, consumer.step);
        let queue = self.read(move |ledger| jobs::queue_name(ledger, account, step));
        SqlDatabase::consume_jobs(self, consumer, queue.await?).await
    }

    async fn failed_tasks(&self, account: AccountId, request_sha256: &str) -> BatchResult<u32> {
        let request = request_sha256.to_owned();
        self.read(move |ledger| attempts::failed_tasks(ledger, account, &request))
            .await
    }

    async fn events(&self, item: ItemId) -> BatchResult<Vec<ItemEvent>> {
        self.read(move |ledger| items::events(ledger, item)).await
    }

    async fn batch_events(
        &self,
        batch: BatchId,
        after: u64,
        limit: u32,
    ) -> BatchResult<Vec<ItemEvent>> {
        self.read(move |ledger| items::batch_events(ledger, batch, after, limit))
            .await
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

    async fn metrics(&self) -> BatchResult<LedgerMetrics> {
        self.read(metrics::read).await
    }

    async fn facts(&self) -> BatchResult<LedgerFacts> {
        let mut facts = self.inspect().await?;
        if let Some(mark) = self.read(mark::read).await? {
            facts.problem = Some(format!("the ledger was moved to {}", mark.location));
        }
        Ok(facts)
    }

    async fn report(&self, batch: BatchId, from: u64, limit: u32) -> BatchResult<Vec<ReportRow>> {
        self.read(move |ledger| items::report(ledger, batch, from, limit))
            .await
    }
}
