//! The store of an attempt's journal: the ledger.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use kling_omni::journal::{Journal, JournalRecord, JournalStore, State, StoredRecords};
use kling_omni::polling::TaskStatus;
use kling_omni::recovery::KnownTasks;

use crate::error::{BatchError, BatchResult};
use crate::failpoint::Failpoints;
use crate::ledger::{
    AccountId, Announcement, Attempt, AttemptId, ItemError, ItemId, KnownUpdate, Lease, Ledger,
    NewRecord, SavedFile,
};
use crate::spool::Spool;
use crate::state::{AttemptState, ItemState};

/// The known tasks of an account, and what the ledger has of them.
#[derive(Debug)]
pub(crate) struct KnownStore {
    pub(crate) known: KnownTasks,
    stored: Mutex<StoredEntries>,
}

#[derive(Debug)]
struct StoredEntries {
    count: usize,
    facts: Option<String>,
}

impl KnownStore {
    /// Reads the known tasks of an account from its ledger.
    pub(crate) async fn load(ledger: &dyn Ledger, account: AccountId) -> BatchResult<Self> {
        let stored = ledger.known_tasks(account).await?;
        let corrupt = |error: serde_json::Error| BatchError::Ledger(error.into());
        let known = match &stored.facts {
            None => KnownTasks::new(),
            Some(facts) => {
                let entries = stored.entries.iter();
                let entries = entries.map(|entry| serde_json::from_str(entry));
                let entries = entries.collect::<Result<Vec<_>, _>>().map_err(corrupt)?;
                let facts = serde_json::from_str(facts).map_err(corrupt)?;
                KnownTasks::restore(facts, entries)?
            }
        };
        Ok(Self {
            stored: Mutex::new(StoredEntries {
                count: stored.entries.len(),
                facts: stored.facts,
            }),
            known,
        })
    }

    /// What the ledger does not have yet.
    pub(crate) fn update(&self) -> BatchResult<KnownUpdate> {
        let stored = self.stored();
        let from = stored.count;
        let (entries, facts) = self.known.entries_from(from);
        let failed = |error: serde_json::Error| BatchError::Ledger(error.into());
        let entries = entries.iter().map(serde_json::to_string);
        let facts = serde_json::to_string(&facts).map_err(failed)?;
        Ok(KnownUpdate {
            from: from as u64,
            entries: entries.collect::<Result<_, _>>().map_err(failed)?,
            facts: (stored.facts.as_ref() != Some(&facts)).then_some(facts),
        })
    }

    /// Records that the ledger has an update.
    pub(crate) fn is_stored(&self, update: &KnownUpdate) {
        let mut stored = self.stored();
        let end = update.from as usize + update.entries.len();
        stored.count = stored.count.max(end);
        if update.facts.is_some() {
            stored.facts.clone_from(&update.facts);
        }
    }

    fn stored(&self) -> MutexGuard<'_, StoredEntries> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores what the ledger does not have yet.
    pub(crate) async fn store(&self, ledger: &dyn Ledger, lease: &Lease) -> BatchResult<()> {
        let update = self.update()?;
        ledger.add_known_tasks(lease, update.clone()).await?;
        self.is_stored(&update);
        Ok(())
    }
}

/// The attempt of a journal.
pub(crate) enum JournalAttempt {
    /// The ledger has it.
    Begun(AttemptId),
    /// It begins with the announcement of its create.
    Next(NextAttempt),
}

impl From<&Attempt> for JournalAttempt {
    fn from(attempt: &Attempt) -> Self {
        Self::Begun(attempt.id)
    }
}

/// The next attempt of an item. The ledger has nothing of it before its announcement.
pub(crate) struct NextAttempt {
    pub(crate) item: ItemId,
    pub(crate) lease: Lease,
    pub(crate) announced: Announced,
    /// Those before the announcement.
    pub(crate) records: Vec<String>,
}

/// What became of an announcement, for the owner of the journal. `None` before it.
#[derive(Clone, Default)]
pub(crate) struct Announced(Arc<Mutex<Option<BatchResult<Attempt>>>>);

impl Announced {
    fn set(&self, announced: BatchResult<Attempt>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(announced);
    }

    pub(crate) fn take(&self) -> Option<BatchResult<Attempt>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Keeps the journal of an attempt in the ledger, and makes the states of the attempt and of its item follow.
pub(crate) struct AttemptStore {
    pub(crate) ledger: Arc<dyn Ledger>,
    /// `None` for the decision of a person.
    pub(crate) lease: Option<Lease>,
    pub(crate) attempt: JournalAttempt,
    /// Stored with each record until the task exists.
    pub(crate) known: Option<Arc<KnownStore>>,
    /// Why the next record is about a failure.
    pub(crate) reason: Reason,
    pub(crate) failpoints: Failpoints,
    /// Where the record of a task is kept while the ledger is not available.
    pub(crate) spool: Option<Spool>,
}

/// Why a task failed: set by a step, and written with the next record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reason(Arc<Mutex<Option<ItemError>>>);

impl Reason {
    pub(crate) fn set(&self, error: ItemError) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    fn get(&self) -> Option<ItemError> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl AttemptStore {
    /// What the ledger does not have yet of the known tasks.
    fn known_update(&self) -> BatchResult<KnownUpdate> {
        match &self.known {
            Some(known) => known.update(),
            None => Ok(KnownUpdate::default()),
        }
    }

    /// Begins an attempt. The text of an error is for the journal, and its type for the owner of the journal.
    async fn announce(&self, next: &NextAttempt, record: &JournalRecord) -> io::Result<AttemptId> {
        let known = self.known_update()?;
        let mut records = next.records.clone();
        records.push(record.json().to_owned());
        let announcement = Announcement {
            records,
            known: known.clone(),
        };
        let announced = self
            .ledger
            .announce(&next.lease, next.item, announcement)
            .await;
        if let (Ok(_), Some(store)) = (&announced, &self.known) {
            store.is_stored(&known);
        }
        let begun = match &announced {
            Ok(attempt) => Ok(attempt.id),
            Err(error) => Err(io::Error::other(error.to_string())),
        };
        next.announced.set(announced);
        begun
    }

    async fn append_to(
        &mut self,
        attempt: AttemptId,
        number: u64,
        record: &JournalRecord,
    ) -> io::Result<()> {
        let new = self.new_record(attempt, number, record)?;
        let known = new.known.clone();
        let has_task = new.attempt_state == AttemptState::Created;
        let append = self.ledger.append(self.lease.as_ref(), new.clone());
        match (&self.spool, &self.lease) {
            (Some(spool), Some(lease)) if record.is_response() => {
                let ledger = &*self.ledger;
                spool.keep(ledger, lease.account, &new, append).await?;
            }
            _ => append.await?,
        }
        if let Some(store) = &self.known {
            store.is_stored(&known);
        }
        if has_task {
            self.known = None;
        }
        Ok(())
    }

    fn new_record(
        &self,
        attempt: AttemptId,
        number: u64,
        record: &JournalRecord,
    ) -> io::Result<NewRecord> {
        let state = record.state();
        let mut error = None;
        let mut file = None;
        let (attempt_state, item_state) = match state {
            State::Empty | State::Prepared => (AttemptState::Prepared, ItemState::Prepared),
            State::Rejected { reason } => {
                error = Some(ItemError {
                    kind: "rejected".to_owned(),
                    text: reason.clone(),
                });
                (AttemptState::Rejected, ItemState::Prepared)
            }
            State::Unconfirmed(_) if record.name() == "sending" => {
                (AttemptState::Announced, ItemState::Sending)
            }
            State::Unconfirmed(_) => (AttemptState::Unknown, ItemState::Sending),
            State::Ended {
                status: TaskStatus::Failed,
                ..
            } => {
                error = self.reason.get();
                (AttemptState::Created, ItemState::Failed)
            }
            State::Created { .. } => (AttemptState::Created, ItemState::Created),
            State::Ended { .. } => (AttemptState::Created, ItemState::Ended),
            State::Publishing { .. } => (AttemptState::Created, ItemState::Publishing),
            State::Saved { .. } => {
                file = SavedFile::of(state);
                (AttemptState::Created, ItemState::Saved)
            }
            other => {
                return Err(io::Error::other(format!("unknown journal state {other:?}")));
            }
        };
        Ok(NewRecord {
            attempt,
            number,
            json: record.json().to_owned(),
            attempt_state,
            item_state,
            task_id: state.task_id().map(str::to_owned),
            file,
            error,
            known: self.known_update()?,
        })
    }
}

/// A ledger that does not take what became of a create ends the run: the next one settles the create.
pub(crate) fn check_written(journal: &Journal) -> BatchResult<()> {
    match journal.write_error() {
        Some(error) if error.ends_with(&BatchError::Full.to_string()) => Err(BatchError::Full),
        Some(error) => Err(BatchError::Ledger(error.into())),
        None => Ok(()),
    }
}

#[async_trait]
impl JournalStore for AttemptStore {
    async fn load(&mut self) -> io::Result<StoredRecords> {
        Ok(StoredRecords {
            records: match &self.attempt {
                JournalAttempt::Begun(attempt) => self.ledger.records(*attempt).await?,
                JournalAttempt::Next(next) => next.records.clone(),
            },
            sender_ended: self
                .lease
                .as_ref()
                .is_some_and(|lease| lease.earlier_senders_ended),
        })
    }

    async fn append(&mut self, number: u64, record: &JournalRecord) -> io::Result<()> {
        if let JournalAttempt::Next(next) = &mut self.attempt
            && record.state().may_create()
        {
            // Nothing was sent, so a crash may lose it.
            next.records.push(record.json().to_owned());
            return Ok(());
        }
        self.failpoints.before(record.name()).await;
        match &self.attempt {
            JournalAttempt::Next(next) => {
                self.attempt = JournalAttempt::Begun(self.announce(next, record).await?);
            }
            JournalAttempt::Begun(attempt) => self.append_to(*attempt, number, record).await?,
        }
        self.failpoints.after(record.name()).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::collections::hash_map::Entry;

    use kling_omni::TextToVideo;
    use kling_omni::journal::conformance;
    use kling_omni::request::Request;

    use super::*;
    use crate::ledger::{ItemChange, ItemQuery, NewItem, SqliteLedger};

    type BegunJob = (Arc<dyn Ledger>, Lease, AttemptId);

    /// Begins the attempt of a job without records, as older programs did, in a ledger of its own: the suite leaves unconfirmed
    /// creates.
    async fn begin(path: &std::path::Path) -> BatchResult<BegunJob> {
        let ledger: Arc<dyn Ledger> = Arc::new(SqliteLedger::open(path).await?);
        let request = TextToVideo::builder().prompt("A cat").build();
        let request = Request::from(request.map_err(kling_omni::Error::from)?);
        let item = NewItem::new("cat", &request, "/videos/puppet.mp4");
        ledger.import("b", Box::new(std::iter::once(item))).await?;
        let batch = ledger.batch("b").await?.id;
        let account = ledger.assign(batch, "service", "key").await?;
        let lease = ledger.acquire(account, "test").await?;
        let item = ledger.items(ItemQuery::new(batch)).await?[0].id;
        let change = ItemChange::new(item, ItemState::Planned, ItemState::Prepared);
        ledger.change_item(change).await?;
        let insert = "insert into attempt (item_id, account_id, number, epoch, state)
            values (?, ?, 1, ?, 'prepared') returning id";
        let values = (item.0, account.0, lease.epoch.cast_signed());
        let failed = |error: rusqlite::Error| BatchError::Ledger(error.into());
        let connection = rusqlite::Connection::open(path).map_err(failed)?;
        let attempt = connection.query_row(insert, values, |row| row.get(0));
        Ok((ledger, lease, AttemptId(attempt.map_err(failed)?)))
    }

    #[tokio::test]
    async fn store_conforms() {
        let folder = tempfile::TempDir::new().unwrap();
        let jobs = tokio::sync::Mutex::new(HashMap::<u64, BegunJob>::new());
        let checked = conformance::check(async |job: u64| {
            let (ledger, lease, attempt) = match jobs.lock().await.entry(job) {
                Entry::Occupied(begun) => begun.get().clone(),
                Entry::Vacant(new) => {
                    let path = folder.path().join(format!("{job}.db"));
                    new.insert(begin(&path).await?).clone()
                }
            };
            Ok(AttemptStore {
                ledger,
                lease: Some(lease),
                attempt: JournalAttempt::Begun(attempt),
                known: None,
                reason: Reason::default(),
                failpoints: Failpoints::default(),
                spool: None,
            })
        });
        assert_eq!(checked.await, Ok(()));
    }
}
