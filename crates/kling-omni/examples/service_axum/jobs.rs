//! The jobs and their journals, in SQLite.

use std::io;
use std::sync::{Arc, Mutex};

use kling_omni::journal::{JournalRecord, JournalStore, StoredRecords};
use rusqlite::{Connection, Result};

const SCHEMA: &str = "
    PRAGMA locking_mode = EXCLUSIVE;
    PRAGMA synchronous = FULL;
    BEGIN EXCLUSIVE;
    CREATE TABLE IF NOT EXISTS jobs (id INTEGER PRIMARY KEY, request TEXT NOT NULL, end TEXT);
    CREATE TABLE IF NOT EXISTS records (job, number, state, json, PRIMARY KEY (job, number));
    COMMIT;";

/// The database, which one process uses at a time.
#[derive(Clone)]
pub struct Jobs(Arc<Mutex<Connection>>);

impl Jobs {
    /// Opens the database, and locks it until the process ends, however it ends.
    pub fn open(path: impl AsRef<std::path::Path>) -> Result<Self> {
        let database = Connection::open(path)?;
        database.execute_batch(SCHEMA)?;
        Ok(Self(Arc::new(Mutex::new(database))))
    }

    /// Runs a query on a thread that may block.
    pub async fn query<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let database = Arc::clone(&self.0);
        let querying = tokio::task::spawn_blocking(move || query(&database.lock().unwrap()));
        querying.await.unwrap()
    }

    /// The journal of a job.
    pub fn journal(&self, job: i64) -> JobJournal {
        JobJournal(self.clone(), job)
    }
}

pub struct JobJournal(Jobs, i64);

#[async_trait::async_trait]
impl JournalStore for JobJournal {
    async fn load(&mut self) -> io::Result<StoredRecords> {
        let job = self.1;
        let select = "SELECT json FROM records WHERE job = ?1 ORDER BY number";
        let records = self.0.query(move |database| {
            let mut select = database.prepare(select)?;
            select.query_map([job], |row| row.get(0))?.collect()
        });
        Ok(StoredRecords {
            records: records.await.map_err(io::Error::other)?,
            // The database could be locked, so the process that had locked it has ended.
            sender_ended: true,
        })
    }

    async fn append(&mut self, number: u64, record: &JournalRecord) -> io::Result<()> {
        let (job, state, json) = (self.1, record.state().name(), record.json().to_owned());
        let row = (job, number as i64, state, json);
        let insert = "INSERT OR IGNORE INTO records VALUES (?1, ?2, ?3, ?4)";
        let inserting = self.0.query(|database| database.execute(insert, row));
        match inserting.await {
            Ok(0) => Err(io::ErrorKind::AlreadyExists.into()),
            Ok(_) => Ok(()),
            Err(error) => Err(io::Error::other(error)),
        }
    }
}
