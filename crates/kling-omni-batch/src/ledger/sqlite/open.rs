//! Opens, checks, migrates and locks the file of a ledger.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, ToSql, Transaction, TransactionBehavior};

use crate::error::{BatchError, BatchResult};
use crate::ledger::sql::{SqlFailure, migrate};
use crate::ledger::sqlite::session::{SqliteSession, failure};

/// Identifies ledgers among SQLite files: "KLOB".
const APPLICATION_ID: i32 = 0x4b4c_4f42;

/// 3.7.0 to 3.51.2 can corrupt a file when two connections write and checkpoint at once
/// (<https://www.sqlite.org/wal.html#walresetbug>).
const MIN_SQLITE: (i32, &str) = (3_051_003, "3.51.3");

/// Of the page cache: negative, in KiB. An import adds to several indexes, which do not fit in the default of 2 MB.
const CACHE_SIZE: i32 = -32 * 1024;

/// More than the distinct statements of a run, which are compiled again otherwise.
const CACHED_STATEMENTS: usize = 128;

/// The pragma `synchronous` of a new connection.
const SYNCHRONOUS: &str = "full";

/// The pages of the write-ahead log, 16 MB, after which they are written to the file: most are those of the same few pages.
const CHECKPOINT_PAGES: u32 = 4000;

/// How long to wait for a write of another process, such as a large import during a run.
const BUSY_TIMEOUT: Duration = Duration::from_secs(60);

/// An open file.
pub(super) struct OpenFile {
    pub(super) sqlite: Connection,
    /// The value of the pragma of this name. Setting it is as slow as a small statement, so it is set when it changes.
    synchronous: &'static str,
}

impl OpenFile {
    pub(super) fn begin(&mut self, synchronous: &'static str) -> rusqlite::Result<Transaction<'_>> {
        if self.synchronous != synchronous {
            self.sqlite
                .pragma_update(None, "synchronous", synchronous)?;
            self.synchronous = synchronous;
        }
        self.sqlite
            .transaction_with_behavior(TransactionBehavior::Immediate)
    }
}

pub(super) fn open(path: &Path) -> BatchResult<OpenFile> {
    if rusqlite::version_number() < MIN_SQLITE.0 {
        return Err(BatchError::OldSqlite {
            version: rusqlite::version().to_owned(),
            minimum: MIN_SQLITE.1,
        });
    }
    create_missing(path).map_err(BatchError::file("open", path))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection =
        Connection::open_with_flags(path, flags).map_err(|error| failure(path, error))?;
    prepare(&mut connection, path).map_err(SqlFailure::into_error)?;
    Ok(OpenFile {
        sqlite: connection,
        synchronous: SYNCHRONOUS,
    })
}

/// Creates the file if it does not exist. SQLite gives its other files the same mode. One that exists is not opened: closing it
/// would release the locks of other connections of this process.
fn create_missing(path: &Path) -> std::io::Result<()> {
    let mut options = private();
    match options.write(true).create_new(true).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Options that create files for the user alone.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Opens a file, and creates it if it does not exist.
fn create_private(path: &Path) -> std::io::Result<File> {
    let mut options = private();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path)
}

fn prepare(connection: &mut Connection, path: &Path) -> Result<(), SqlFailure> {
    set_up(connection, path)?;
    let failed = |error| failure(path, error);
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    let tables = "select count(*) from sqlite_schema where name = 'meta'";
    let tables: u32 = transaction
        .query_row(tables, [], |row| row.get(0))
        .map_err(failed)?;
    let is_new = tables == 0;
    let mut session = SqliteSession {
        connection: &transaction,
        path,
    };
    migrate(&mut session, &path.display().to_string(), is_new)?;
    if is_new {
        transaction
            .pragma_update(None, "application_id", APPLICATION_ID)
            .map_err(failed)?;
    }
    transaction.commit().map_err(failed)?;
    Ok(())
}

/// Configures a connection, and refuses the database of another program before anything is written.
fn set_up(connection: &Connection, path: &Path) -> BatchResult<()> {
    let set = |name, value: &dyn ToSql| {
        let set = connection.pragma_update(None, name, value);
        set.map_err(|error| failure(path, error))
    };
    connection
        .busy_timeout(BUSY_TIMEOUT)
        .map_err(|error| failure(path, error))?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    // A cached statement keeps its plan. Otherwise, some are compiled again for each value of a parameter.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map_err(|error| failure(path, error))?;
    set("foreign_keys", &true)?;
    set("synchronous", &SYNCHRONOUS)?;
    set("wal_autocheckpoint", &CHECKPOINT_PAGES)?;
    set("cache_size", &CACHE_SIZE)?;
    // What is deleted, such as the URLs of uploads, is overwritten.
    set("secure_delete", &true)?;
    let damaged = |problem: &str| BatchError::Damaged {
        path: path.to_owned(),
        problem: problem.to_owned(),
    };
    // In one transaction: another process may create the ledger between two queries.
    let identify = || {
        let transaction = connection.unchecked_transaction()?;
        let number = |query| transaction.query_row(query, [], |row| row.get::<_, i32>(0));
        let tables = number("select count(*) from sqlite_schema")?;
        Ok((number("pragma application_id")?, tables))
    };
    let (application, tables) = identify().map_err(|error| failure(path, error))?;
    if application != APPLICATION_ID && (application != 0 || tables > 0) {
        return Err(damaged("it is the database of another program"));
    }
    let start = Instant::now();
    let switch = || {
        connection
            .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0))
    };
    let mut switched = switch();
    // SQLite does not wait for another process that switches, too.
    while let Err(error) = &switched
        && error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
        && start.elapsed() < BUSY_TIMEOUT
    {
        std::thread::sleep(Duration::from_millis(10));
        switched = switch();
    }
    let journal_mode = switched.map_err(|error| failure(path, error))?;
    match journal_mode.eq_ignore_ascii_case("wal") {
        true => Ok(()),
        false => Err(damaged(
            "its file system does not support a write-ahead log",
        )),
    }
}

/// Reads the whole file and checks its structure, which takes about a second for 500 MB.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<(), SqlFailure> {
    let check: String = connection
        .query_row("pragma quick_check(1)", [], |row| row.get(0))
        .map_err(|error| failure(path, error))?;
    match check.as_str() {
        "ok" => Ok(()),
        problem => Err(BatchError::Damaged {
            path: path.to_owned(),
            problem: problem.to_owned(),
        }
        .into()),
    }
}

/// The lock that a run holds. A child process that another thread starts holds a copy of the file until `exec`. Unlocking
/// releases the lock for all copies; closing does not.
pub(super) struct LockFile(File);

impl LockFile {
    pub(super) fn acquire(ledger: &Path, holder: &str) -> BatchResult<Self> {
        let mut path = ledger.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        let mut file = create_private(&path).map_err(BatchError::file("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.take(200).read_to_string(&mut holder);
                return Err(BatchError::InUse { holder });
            }
            Err(TryLockError::Error(error)) => {
                return Err(BatchError::file("lock", &path)(error));
            }
        }
        // Only for the error of the other process, so a failure does not matter.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(holder.as_bytes()));
        Ok(Self(file))
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}
