//! The records of a journal over any store: their valid order, and the state that follows from them.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::engine::unconfirmed::UnconfirmedCreate;
use crate::fingerprint::RequestFingerprint;
use crate::journal::record::Record;
use crate::journal::state::State;
use crate::journal::store::{JournalRecord, JournalStore, StoredRecords};

/// A point at which a test kills the process: see `Journal::on_step`. The name is the record's name in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "test-hooks"), expect(unreachable_pub))]
pub enum Step<'a> {
    /// The record is about to be appended.
    Writing(&'a str),
    /// The record is durable, and the step that it announces has not begun.
    Written(&'a str),
}

pub(super) type OnStep = Box<dyn Fn(Step<'_>) + Send + Sync>;

/// Appends records to a store, and keeps the state.
pub(super) struct RecordLog {
    store: tokio::sync::Mutex<Box<dyn JournalStore>>,
    contents: Mutex<JournalContents>,
    pub(super) on_step: OnceLock<OnStep>,
}

/// What the records of a journal say.
#[derive(Debug)]
pub(super) struct JournalContents {
    pub(super) fingerprint: Option<RequestFingerprint>,
    pub(super) state: State,
    /// Whether the last record is `Sending`.
    pub(super) is_sending: bool,
    /// Whether the process that appended the last record cannot send any more.
    pub(super) sender_ended: bool,
    /// The first write error. Nothing is appended after it.
    pub(super) write_error: Option<String>,
    /// The number of records.
    length: u64,
}

/// Why the records of a store are not a journal.
pub(super) enum LoadError {
    Unreadable(io::Error),
    /// The number of the first invalid record.
    Corrupt(u64),
}

impl RecordLog {
    pub(super) async fn load(mut store: Box<dyn JournalStore>) -> Result<Self, LoadError> {
        let stored = store.load().await.map_err(LoadError::Unreadable)?;
        Ok(Self {
            contents: Mutex::new(JournalContents::replay(&stored)?),
            store: tokio::sync::Mutex::new(store),
            on_step: OnceLock::new(),
        })
    }

    pub(super) fn contents(&self) -> MutexGuard<'_, JournalContents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a record durable. Dropping the future does not interrupt that.
    pub(super) async fn record(self: &Arc<Self>, record: Record) -> io::Result<()> {
        let log = Arc::clone(self);
        let appending = tokio::spawn(async move { log.append(&record).await });
        match appending
            .await
            .map_err(tokio::task::JoinError::try_into_panic)
        {
            Ok(appended) => appended,
            Err(Ok(panic)) => std::panic::resume_unwind(panic),
            Err(Err(cancelled)) => Err(io::Error::other(cancelled)),
        }
    }

    /// Records a fact that cannot be undone. Logs and keeps a write error, and does not return it.
    pub(super) async fn record_or_log(self: &Arc<Self>, record: Record) {
        let name = record.name();
        if let Err(error) = self.record(record).await {
            tracing::warn!(record = name, %error, "journal write failed");
            self.contents()
                .write_error
                .get_or_insert_with(|| error.to_string());
        }
    }

    async fn append(&self, record: &Record) -> io::Result<()> {
        // Locked until the record is applied: the next one has the next number.
        let mut store = self.store.lock().await;
        let (number, state) = self.contents().next(record)?;
        self.step(Step::Writing(record.name()));
        let appended = match JournalRecord::new(record, state.clone()) {
            Ok(record) => store.append(number, &record).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = appended {
            self.contents().write_error = Some(error.to_string());
            return Err(error);
        }
        self.contents().apply(record, state);
        self.step(Step::Written(record.name()));
        Ok(())
    }

    fn step(&self, step: Step<'_>) {
        if let Some(on_step) = self.on_step.get() {
            on_step(step);
        }
    }
}

impl JournalContents {
    fn replay(stored: &StoredRecords) -> Result<Self, LoadError> {
        let mut contents = Self {
            fingerprint: None,
            state: State::Empty,
            is_sending: false,
            sender_ended: false,
            write_error: None,
            length: 0,
        };
        for json in &stored.records {
            let corrupt = LoadError::Corrupt(contents.length);
            let Ok(record) = serde_json::from_str::<Record>(json) else {
                return Err(corrupt);
            };
            let Some(state) = record.next_state(&contents.state) else {
                return Err(corrupt);
            };
            contents.apply(&record, state);
        }
        contents.sender_ended = stored.sender_ended;
        Ok(contents)
    }

    /// The number of the next record, and the state after it.
    fn next(&self, record: &Record) -> io::Result<(u64, State)> {
        if let Some(error) = &self.write_error {
            return Err(io::Error::other(format!(
                "an earlier write failed: {error}"
            )));
        }
        match record.next_state(&self.state) {
            Some(state) => Ok((self.length, state)),
            None => Err(io::Error::other(format!(
                "the record {:?} is not valid in this state",
                record.name()
            ))),
        }
    }

    fn apply(&mut self, record: &Record, state: State) {
        if let Record::Prepared(fingerprint) = record {
            self.fingerprint = Some(fingerprint.clone());
        }
        self.is_sending = matches!(record, Record::Sending { .. });
        // A create borrows its journal, so a create of this process that has no outcome was dropped.
        self.sender_ended = true;
        self.state = state;
        self.length += 1;
    }

    /// Replaces the unconfirmed create, for this process only.
    pub(super) fn replace_unconfirmed(&mut self, unconfirmed: UnconfirmedCreate) {
        if let State::Unconfirmed(create) = &mut self.state {
            *create = unconfirmed;
        }
    }
}
