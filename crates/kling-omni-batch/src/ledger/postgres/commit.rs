//! Commits a transaction, and finds out what became of a commit whose response was lost.

use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;

use crate::error::BatchError;
use crate::failpoint::CommitHook;
use crate::ledger::postgres::session::PostgresSession;
use crate::ledger::sql::{SqlFailure, SqlSession, values};

/// How long to ask what became of a commit.
const READ_BACK_TIME: Duration = Duration::from_secs(60);
/// The delay between questions.
const READ_BACK_DELAY: Duration = Duration::from_millis(200);

/// Why a transaction did not end with a confirmed commit.
pub(super) enum Undone<T> {
    /// Nothing of it is kept.
    Certain(SqlFailure),
    /// The response to the commit was lost. It would have returned this value.
    InDoubt(T, BatchError),
}

impl<T> From<SqlFailure> for Undone<T> {
    fn from(failure: SqlFailure) -> Self {
        Self::Certain(failure)
    }
}

/// Runs `work` in a transaction that has the next number in the mark of the session.
pub(super) fn transact<T>(
    session: &mut PostgresSession,
    work: impl Fn(&mut dyn SqlSession) -> Result<T, SqlFailure>,
    on_commit: &CommitHook,
) -> Result<T, Undone<T>> {
    session.begin_marked();
    let value = match work(session) {
        Ok(value) => value,
        Err(failure) => {
            // If that fails, the session is not used again, and the server undoes the transaction.
            let _ = session.end("rollback");
            return Err(failure.into());
        }
    };
    on_commit.call();
    match session.end("commit") {
        Ok(()) => Ok(value),
        Err(failure) => Err(Undone::InDoubt(value, failure.into_error())),
    }
}

/// Finds out whether the last transaction of a session was committed. Waits until the server has ended it, which the lock on
/// the mark shows. `Transient` if nothing of it is kept.
pub(super) fn read_back(
    lost: &PostgresSession,
    options: &PgConnectOptions,
    cause: BatchError,
) -> Result<(), SqlFailure> {
    let start = Instant::now();
    loop {
        match committed_number(lost, options) {
            Ok(Some(number)) if number == lost.number => return Ok(()),
            Ok(Some(_)) => return Err(SqlFailure::Transient(cause)),
            Err(SqlFailure::Transient(_)) if start.elapsed() < READ_BACK_TIME => {
                std::thread::sleep(READ_BACK_DELAY);
            }
            Ok(None) | Err(_) => return Err(BatchError::InDoubt(Box::new(cause)).into()),
        }
    }
}

fn committed_number(
    lost: &PostgresSession,
    options: &PgConnectOptions,
) -> Result<Option<u64>, SqlFailure> {
    let mut session = PostgresSession::connect_only(options)?;
    let select = "select number from commit_mark where id = $1 for update";
    let row = session.find_row(select, values![&lost.mark])?;
    row.map(|row| row.get(0)).transpose()
}
