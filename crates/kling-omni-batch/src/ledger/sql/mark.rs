//! The mark in a ledger that was moved, and the statements of a move.
//!
//! A transaction that writes what a move must not lose first locks a row, and then calls [`check`]. The transaction that sets
//! the mark locks the tables of these rows: the other one ends before, or sees the mark.

use crate::error::BatchError;
use crate::ledger::AccountId;
use crate::ledger::sql::accounts;
use crate::ledger::sql::session::{SqlFailure, SqlSession, values};

/// The first schema whose programs know the mark.
const FIRST_SCHEMA: u32 = 3;

/// The end of a lease that no run gets.
const NEVER: i64 = i64::MAX;

/// Where a ledger was moved.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) location: String,
    /// The salt that the target had before, which identifies it.
    pub(crate) salt: Vec<u8>,
}

/// Reads the mark, if the ledger was moved.
pub(crate) fn read(ledger: &mut dyn SqlSession) -> Result<Option<Mark>, SqlFailure> {
    let select = "select moved_to, moved_to_salt from meta where moved_to is not null";
    let Some(row) = ledger.find_row(select, &[])? else {
        return Ok(None);
    };
    Ok(Some(Mark {
        location: row.get(0)?,
        salt: row.get(1)?,
    }))
}

/// Fails if the ledger was moved.
pub(super) fn check(ledger: &mut dyn SqlSession) -> Result<(), SqlFailure> {
    match read(ledger)? {
        Some(Mark { location, .. }) => Err(BatchError::Moved { location }.into()),
        None => Ok(()),
    }
}

/// Keeps other transactions from writing until the end of this one.
fn lock(ledger: &mut dyn SqlSession) -> Result<(), SqlFailure> {
    match ledger.dialect().lock_tables {
        Some(lock) => ledger.execute_all(lock),
        None => Ok(()),
    }
}

/// Acquires all accounts for good, and sets the mark.
pub(crate) fn set(ledger: &mut dyn SqlSession, mark: &Mark) -> Result<(), SqlFailure> {
    lock(ledger)?;
    check(ledger)?;
    let holder = format!("moved to {}", mark.location);
    for account in accounts::all(ledger)? {
        accounts::begin_epoch(ledger, account.id, &holder)?;
    }
    // Older programs do not know the mark.
    ledger.execute("update account set lease_until = $1", values![NEVER])?;
    let set = "update meta set moved_to = $1, moved_to_salt = $2, oldest_program = $3";
    let values = values![&mark.location, mark.salt.clone(), FIRST_SCHEMA];
    ledger.execute(set, values)?;
    Ok(())
}

/// Removes the mark. The target must not be able to complete the move any more.
pub(crate) fn remove(ledger: &mut dyn SqlSession) -> Result<(), SqlFailure> {
    lock(ledger)?;
    let remove = "update meta set moved_to = null, moved_to_salt = null";
    ledger.execute(remove, &[])?;
    ledger.execute("update account set lease_until = null", &[])?;
    Ok(())
}

/// What a target has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Nothing yet.
    Empty,
    /// Everything that the source had.
    Complete,
    /// Something else, or it is not the ledger of the mark.
    Other,
}

/// Finds out what a target has, and keeps others from writing to it until the end of the transaction. `before` is its salt
/// before the move, `after` that of the source.
pub(crate) fn find_target(
    ledger: &mut dyn SqlSession,
    before: &[u8],
    after: &[u8],
) -> Result<Target, SqlFailure> {
    lock(ledger)?;
    let salt = salt(ledger)?;
    Ok(if salt == after {
        Target::Complete
    } else if salt == before && is_empty(ledger)? {
        Target::Empty
    } else {
        Target::Other
    })
}

/// Whether a ledger has no batch and no account, and was not moved.
pub(crate) fn is_empty(ledger: &mut dyn SqlSession) -> Result<bool, SqlFailure> {
    let rows = "select id from batch union all select id from account limit 1";
    Ok(read(ledger)?.is_none() && ledger.find_row(rows, &[])?.is_none())
}

pub(crate) fn salt(ledger: &mut dyn SqlSession) -> Result<Vec<u8>, SqlFailure> {
    ledger.row("select salt from meta", &[])?.get(0)
}

pub(crate) fn new_salt() -> [u8; 16] {
    std::array::from_fn(|_| fastrand::u8(..))
}

pub(crate) fn set_salt(ledger: &mut dyn SqlSession, salt: &[u8]) -> Result<(), SqlFailure> {
    ledger.execute("update meta set salt = $1", values![salt.to_vec()])?;
    Ok(())
}

/// Sets the salt of a target, which says that it has everything. Unless `senders_ended`, the processes that had the accounts
/// may still run.
pub(crate) fn complete(
    ledger: &mut dyn SqlSession,
    salt: &[u8],
    senders_ended: bool,
) -> Result<(), SqlFailure> {
    if !senders_ended {
        ledger.execute("update account set moved_epoch = epoch", &[])?;
        // Older programs do not read it.
        let set = "update meta set oldest_program = $1";
        ledger.execute(set, values![FIRST_SCHEMA])?;
    }
    set_salt(ledger, salt)
}

/// Whether an account has an unconfirmed create from before a move, whose sender may still run.
pub(super) fn has_open_create(
    ledger: &mut dyn SqlSession,
    account: AccountId,
) -> Result<bool, SqlFailure> {
    let select = "select attempt.id from attempt join account on account.id = attempt.account_id
        where attempt.account_id = $1 and attempt.state in ('announced', 'unknown')
            and attempt.epoch <= account.moved_epoch";
    Ok(ledger.find_row(select, values![account.0])?.is_some())
}
