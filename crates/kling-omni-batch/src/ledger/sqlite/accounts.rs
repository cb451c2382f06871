//! Batches, accounts, leases and known tasks.

use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::error::BatchError;
use crate::ledger::sqlite::{NOW, SqliteFailure, from_ms, invalid, items};
use crate::ledger::{AccountId, Batch, BatchId, ItemId, KnownUpdate, Lease};
use crate::state::BatchState;

const BATCH: &str = "select id, name, account_id, state, reason, created_at from batch";

fn read_batch(row: &Row<'_>) -> rusqlite::Result<Batch> {
    let state: String = row.get(3)?;
    Ok(Batch {
        id: BatchId(row.get(0)?),
        name: row.get(1)?,
        account: row.get::<_, Option<i64>>(2)?.map(AccountId),
        state: state.parse().map_err(|error| invalid(3, error))?,
        reason: row.get(4)?,
        created_at: from_ms(row.get(5)?),
    })
}

pub(super) fn batches(ledger: &Connection) -> Result<Vec<Batch>, SqliteFailure> {
    let mut query = ledger.prepare_cached(&format!("{BATCH} order by id"))?;
    let batches = query.query_map([], read_batch)?;
    Ok(batches.collect::<Result<_, _>>()?)
}

pub(super) fn batch(ledger: &Connection, name: &str) -> Result<Batch, SqliteFailure> {
    let mut query = ledger.prepare_cached(&format!("{BATCH} where name = ?"))?;
    let batch = query.query_row([name], read_batch).optional()?;
    batch.ok_or_else(|| {
        let name = name.to_owned();
        BatchError::NoSuchBatch { name }.into()
    })
}

pub(super) fn set_batch_state(
    ledger: &Connection,
    batch: BatchId,
    state: BatchState,
    reason: Option<String>,
) -> Result<bool, SqliteFailure> {
    let counts = items::counts(ledger, batch)?;
    if state == BatchState::Done && counts.keys().any(|state| !state.is_final()) {
        return Ok(false);
    }
    let set = "update batch set state = ?, reason = ? where id = ?";
    Ok(ledger.execute(set, (state.as_str(), reason, batch.0))? > 0)
}

/// Lets runs continue a batch that was done and has an item to process again.
pub(super) fn continue_batch_of(ledger: &Connection, item: ItemId) -> Result<(), SqliteFailure> {
    let set = "update batch set state = 'running'
        where id = (select batch_id from item where id = ?) and state = 'done'";
    ledger.prepare_cached(set)?.execute([item.0])?;
    Ok(())
}

pub(super) fn insert_batch(ledger: &Connection, name: &str) -> Result<BatchId, SqliteFailure> {
    let insert = format!(
        "insert into batch (name, state, created_at) values (?, 'running', {NOW}) on conflict do nothing"
    );
    ledger.execute(&insert, [name])?;
    Ok(batch(ledger, name)?.id)
}

pub(super) fn assign(
    ledger: &Connection,
    batch: BatchId,
    service: &str,
    key: &str,
) -> Result<AccountId, SqliteFailure> {
    let insert =
        "insert into account (service, key_fingerprint) values (?, ?) on conflict do nothing";
    ledger.execute(insert, [service, key])?;
    let find = "select id from account where service = ? and key_fingerprint = ?";
    let account: i64 = ledger.query_row(find, [service, key], |row| row.get(0))?;
    let assign = "update batch set account_id = ?2 where id = ?1 and coalesce(account_id, ?2) = ?2";
    if ledger.execute(assign, (batch.0, account))? == 0 {
        let name = "select name from batch where id = ?";
        let batch = ledger.query_row(name, [batch.0], |row| row.get(0))?;
        return Err(BatchError::OtherAccount { batch }.into());
    }
    Ok(AccountId(account))
}

pub(super) fn begin_epoch(
    ledger: &Connection,
    account: AccountId,
    holder: &str,
) -> Result<u64, SqliteFailure> {
    let begin = "update account set epoch = epoch + 1, holder = ? where id = ? returning epoch";
    let epoch: i64 = ledger.query_row(begin, (holder, account.0), |row| row.get(0))?;
    Ok(epoch.unsigned_abs())
}

pub(super) fn check_lease(ledger: &Connection, lease: &Lease) -> Result<(), SqliteFailure> {
    let mut query = ledger.prepare_cached("select epoch from account where id = ?")?;
    let epoch: i64 = query.query_row([lease.account.0], |row| row.get(0))?;
    match epoch.unsigned_abs() == lease.epoch {
        true => Ok(()),
        false => Err(BatchError::LeaseLost.into()),
    }
}

pub(super) fn known_tasks(
    ledger: &Connection,
    account: AccountId,
) -> Result<KnownUpdate, SqliteFailure> {
    let facts = "select known_facts from account where id = ?";
    let facts = ledger.query_row(facts, [account.0], |row| row.get(0))?;
    let entries = "select entry from known_task where account_id = ? order by position";
    let mut query = ledger.prepare_cached(entries)?;
    let entries = query.query_map([account.0], |row| row.get(0))?;
    Ok(KnownUpdate {
        from: 0,
        entries: entries.collect::<Result<_, _>>()?,
        facts,
    })
}

pub(super) fn add_known_tasks(
    ledger: &Connection,
    account: AccountId,
    update: &KnownUpdate,
) -> Result<(), SqliteFailure> {
    let insert = "insert into known_task (account_id, position, entry) values (?, ?, ?)";
    let mut insert = ledger.prepare_cached(insert)?;
    for (position, entry) in (update.from..).zip(&update.entries) {
        insert.execute((account.0, position.cast_signed(), entry))?;
    }
    if let Some(facts) = &update.facts {
        let set = "update account set known_facts = ? where id = ?";
        ledger.execute(set, (facts, account.0))?;
    }
    Ok(())
}
