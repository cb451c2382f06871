//! The store of a journal: where its records are kept.

use std::io;

use async_trait::async_trait;

use crate::journal::record::{KnownBy, Record};
use crate::journal::state::State;

/// Keeps the records of one [`Journal`](super::Journal): a file, rows of a database, or anything else that is durable.
///
/// [`Journal::open`](super::Journal::open) uses a file. Implement this trait to keep the records elsewhere, and pass the
/// store to [`Journal::with_store`](super::Journal::with_store). The journal decides which records are valid; a store keeps
/// them in order. The feature `store-conformance` has a test suite for implementations, `journal::conformance`.
///
/// In SQL, a table with the primary key `(job, number)` is enough, if `append` is one `INSERT` that commits durably
/// (`synchronous = FULL` in SQLite, `synchronous_commit` not off in PostgreSQL):
///
/// ```
/// use std::collections::BTreeMap;
/// use std::io;
/// use std::sync::{Arc, Mutex};
///
/// use kling_omni::journal::{Journal, JournalRecord, JournalStore, StoredRecords};
///
/// /// The rows of a table, by job and number.
/// type Table = Arc<Mutex<BTreeMap<(u64, u64), String>>>;
///
/// struct JobStore {
///     table: Table,
///     job: u64,
/// }
///
/// #[async_trait::async_trait]
/// impl JournalStore for JobStore {
///     async fn load(&mut self) -> io::Result<StoredRecords> {
///         let table = self.table.lock().unwrap();
///         let rows = table.range((self.job, 0)..=(self.job, u64::MAX));
///         Ok(StoredRecords {
///             records: rows.map(|(_, json)| json.clone()).collect(),
///             sender_ended: false,
///         })
///     }
///
///     async fn append(&mut self, number: u64, record: &JournalRecord) -> io::Result<()> {
///         let mut table = self.table.lock().unwrap();
///         if table.contains_key(&(self.job, number)) {
///             return Err(io::ErrorKind::AlreadyExists.into());
///         }
///         table.insert((self.job, number), record.json().to_owned());
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> kling_omni::Result<()> {
/// let journal = Journal::with_store(JobStore { table: Table::default(), job: 7 }).await?;
/// assert!(journal.state().may_create());
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait JournalStore: Send {
    /// Returns the records so far.
    ///
    /// # Errors
    ///
    /// If they cannot be read. A store that is empty, or does not exist yet, has no records.
    async fn load(&mut self) -> io::Result<StoredRecords>;

    /// Appends `record` as record `number`: the first one has the number 0, and each further one the number of records before
    /// it. The record is durable when this returns: a crash of the process or of the machine does not lose it.
    ///
    /// The journal drives this future to completion even if its caller is dropped, on the tokio runtime.
    ///
    /// # Errors
    ///
    /// * [`io::ErrorKind::AlreadyExists`] if the store has a record with this number, whichever process appended it. It is
    ///   not changed. This keeps two processes from creating the same task twice: both announce the create with the same
    ///   number, and one of them fails before it sends anything.
    /// * Any other error if the record could not be appended. If its effect is unknown, such as after a connection that was
    ///   lost at `COMMIT`, the store should read the record back and return `Ok` if it is there. If it cannot, it returns the
    ///   error. The journal appends nothing after a failed append. Before a create is sent, the failure is final and nothing
    ///   is sent; a record that was stored nevertheless only makes the next process search for a task.
    async fn append(&mut self, number: u64, record: &JournalRecord) -> io::Result<()>;
}

/// The records of a journal, as its [`JournalStore`] returns them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredRecords {
    /// The JSON texts of the records, in order and unchanged.
    pub records: Vec<String>,
    /// Whether the process that appended the last record is known to have ended, so it cannot send a request any more. A lock
    /// that the process held until it ended proves it; a row of a database alone does not.
    ///
    /// It matters for a create that was announced and has no recorded outcome. If the sender has ended, no request is sent
    /// from now on, and [`Journal::reconcile`](super::Journal::reconcile) starts the settle time now. Otherwise it starts at
    /// the end of the longest time that the create may take, which was recorded with it.
    /// [`Journal::declare_sender_ended`](super::Journal::declare_sender_ended) does the same later.
    pub sender_ended: bool,
}

/// A record of a journal, for its [`JournalStore`].
#[derive(Clone, Debug)]
pub struct JournalRecord {
    json: String,
    name: &'static str,
    is_response: bool,
    state: State,
}

impl JournalRecord {
    pub(super) fn new(record: &Record, state: State) -> serde_json::Result<Self> {
        Ok(Self {
            json: serde_json::to_string(record)?,
            name: record.name(),
            is_response: matches!(
                record,
                Record::Created {
                    known_by: KnownBy::Response,
                    ..
                }
            ),
            state,
        })
    }

    /// The record as JSON in one line, which [`JournalStore::load`] returns unchanged. It contains no secrets.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The name of the record: `prepared`, `sending`, `unconfirmed`, `rejected`, `not_created`, `created`, `ended`,
    /// `publishing` or `saved`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether the record has a task id from the response to a create. If it is lost, only the list has the id; a task that
    /// [`Journal::reconcile`](super::Journal::reconcile) found can be found again.
    pub fn is_response(&self) -> bool {
        self.is_response
    }

    /// The state of the journal after this record, for a store that keeps columns beside the record.
    pub fn state(&self) -> &State {
        &self.state
    }
}
