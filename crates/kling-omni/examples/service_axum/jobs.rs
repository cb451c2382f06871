//! The jobs and their journals, in SQLite.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use kling_omni::journal::{JournalRecord, JournalStore, StoredRecords};
use rusqlite::{Connection, ErrorCode, Result};

const SCHEMA: &str = "
    PRAGMA locking_mode = EXCLUSIVE;
    PRAGMA synchronous = FULL;
    BEGIN EXCLUSIVE;
    CREATE TABLE IF NOT EXISTS jobs (id INTEGER PRIMARY KEY, request TEXT NOT NULL, end TEXT);
    CREATE TABLE IF NOT EXISTS records (
        job INTEGER, number INTEGER, state TEXT, json TEXT, PRIMARY KEY (job, number));
    COMMIT;";
const STATE: &str = "
    SELECT coalesce(end, (SELECT state FROM records WHERE job = id ORDER BY number DESC), 'accepted')
    FROM jobs WHERE id = ?1";

/// The database, which one process uses at a time.
#[derive(Clone)]
pub struct Jobs(Arc<Mutex<Connection>>);

impl Jobs {
    /// Opens the database, and locks it until the process ends, however it ends.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let database = Connection::open(path)?;
        database.execute_batch(SCHEMA)?;
        Ok(Self(Arc::new(Mutex::new(database))))
    }

    /// Runs a query on a thread that may block.
    async fn query<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let database = Arc::clone(&self.0);
        let query = move || query(&database.lock().unwrap_or_else(PoisonError::into_inner));
        let queried = tokio::task::spawn_blocking(query).await;
        queried.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    pub async fn insert(&self, request: String) -> Result<i64> {
        let insert = "INSERT INTO jobs (request) VALUES (?1) RETURNING id";
        self.query(|database| database.query_row(insert, [request], |row| row.get(0)))
            .await
    }

    pub async fn unfinished(&self) -> Result<Vec<(i64, String)>> {
        self.query(|database| {
            let mut jobs = database.prepare("SELECT id, request FROM jobs WHERE end IS NULL")?;
            let jobs = jobs.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            jobs.collect()
        })
        .await
    }

    pub async fn finish(&self, job: i64, end: String) -> Result<usize> {
        let update = "UPDATE jobs SET end = ?2 WHERE id = ?1";
        self.query(move |database| database.execute(update, (job, end)))
            .await
    }

    /// The end of a job, or else the state of its journal.
    pub async fn state(&self, job: i64) -> Result<String> {
        self.query(move |database| database.query_row(STATE, [job], |row| row.get(0)))
            .await
    }

    pub fn journal(&self, job: i64) -> JobJournal {
        JobJournal(self.clone(), job)
    }
}

/// The journal of a job.
pub struct JobJournal(Jobs, i64);

#[async_trait::async_trait]
impl JournalStore for JobJournal {
    async fn load(&mut self) -> io::Result<StoredRecords> {
        let (Self(jobs, _), job) = (&*self, self.1);
        let select = "SELECT json FROM records WHERE job = ?1 ORDER BY number";
        let records = jobs.query(move |database| {
            let mut records = database.prepare(select)?;
            records.query_map([job], |row| row.get(0))?.collect()
        });
        Ok(StoredRecords {
            records: records.await.map_err(io::Error::other)?,
            // The database was not locked, so the process that had locked it has ended.
            sender_ended: true,
        })
    }

    async fn append(&mut self, number: u64, record: &JournalRecord) -> io::Result<()> {
        let insert = "INSERT INTO records (job, number, state, json) VALUES (?1, ?2, ?3, ?4)";
        let (job, state, json) = (self.1, record.state().name(), record.json().to_owned());
        let inserted = self
            .0
            .query(move |database| database.execute(insert, (job, number as i64, state, json)))
            .await;
        match inserted.map_err(|error| (error.sqlite_error_code(), error)) {
            Ok(_) => Ok(()),
            Err((Some(ErrorCode::ConstraintViolation), error)) => {
                Err(io::Error::new(io::ErrorKind::AlreadyExists, error))
            }
            Err((_, error)) => Err(io::Error::other(error)),
        }
    }
}
