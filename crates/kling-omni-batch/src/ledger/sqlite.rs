//! A ledger in a SQLite file.

mod facts;
mod open;
mod session;

use std::any::Any;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::blocking::run_blocking;
use crate::error::{BatchError, BatchResult};
use crate::failpoint::CommitHook;
use crate::ledger::LedgerFacts;
use crate::ledger::sql::{Loss, SqlDatabase, SqlFailure, SqlSession};
use crate::ledger::sqlite::open::OpenFile;
use crate::ledger::sqlite::session::{SqliteSession, failure};

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
    connection: Arc<Mutex<OpenFile>>,
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
        run_blocking(move || {
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
        run_blocking(move || {
            let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let limit = "max_page_count";
            let limited =
                (connection.sqlite).pragma_update_and_check(None, limit, pages, |_| Ok(()));
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

    /// Calls `work` with the connection, on a blocking thread.
    async fn with_connection<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut OpenFile, &Path) -> Result<T, SqlFailure> + Send + 'static,
    ) -> BatchResult<T> {
        let connection = Arc::clone(&self.connection);
        let path = self.path.clone();
        run_blocking(move || {
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut connection, &path).map_err(SqlFailure::into_error)
        })
        .await
    }
}

impl SqlDatabase for SqliteLedger {
    const LEASE: Option<Duration> = None;

    fn location(&self) -> String {
        self.path.display().to_string()
    }

    async fn transact<T: Send + 'static>(
        &self,
        loss: Loss,
        work: impl Fn(&mut dyn SqlSession) -> Result<T, SqlFailure> + Send + 'static,
    ) -> BatchResult<T> {
        let on_commit = self.on_commit.clone();
        self.with_connection(move |connection, path| {
            // A power failure undoes what is written with `normal` until the next transaction with `full`. The end of the
            // process does not.
            let synchronous = match loss {
                Loss::Money => "full",
                Loss::Nothing => "normal",
            };
            let failed = |error| SqlFailure::from(failure(path, error));
            let transaction = connection.begin(synchronous).map_err(failed)?;
            let value = work(&mut SqliteSession {
                connection: &transaction,
                path,
            })?;
            on_commit.call();
            transaction.commit().map_err(failed)?;
            Ok(value)
        })
        .await
    }

    /// Does not wait for writers.
    async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&mut dyn SqlSession) -> Result<T, SqlFailure> + Send + 'static,
    ) -> BatchResult<T> {
        self.with_connection(move |connection, path| {
            let connection = &connection.sqlite;
            work(&mut SqliteSession { connection, path })
        })
        .await
    }

    async fn begin_run(&self, holder: &str) -> BatchResult<Option<Arc<dyn Any + Send + Sync>>> {
        let holder = holder.to_owned();
        let path = self.path.clone();
        let lock = run_blocking(move || open::LockFile::acquire(&path, &holder)).await?;
        // Only what may spend money needs it, and a status should not wait for it.
        self.with_connection(|connection, path| open::check(&connection.sqlite, path))
            .await?;
        Ok(Some(Arc::new(lock)))
    }

    async fn inspect(&self) -> BatchResult<LedgerFacts> {
        self.with_connection(|connection, path| {
            facts::inspect(&connection.sqlite).map_err(|error| failure(path, error).into())
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
