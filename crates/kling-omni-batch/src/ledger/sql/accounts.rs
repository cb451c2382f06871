//! Batches, accounts, leases and known tasks.

use crate::error::BatchError;
use crate::ledger::sql::session::{Dialect, SqlFailure, SqlRow, SqlSession, SqlStatement, values};
use crate::ledger::sql::{from_ms, items, mark};
use crate::ledger::{Account, AccountId, Batch, BatchId, ItemId, KnownUpdate, Lease};
use crate::state::BatchState;

/// How many known tasks are inserted by one statement. SQLite permits 32,766 parameters.
const MAX_ENTRIES: usize = 1_000;

const BATCH: &str = "select id, name, account_id, state, reason, created_at, policy from batch";

fn read_batch(row: &SqlRow) -> Result<Batch, SqlFailure> {
    Ok(Batch {
        id: BatchId(row.get(0)?),
        name: row.get(1)?,
        account: row.get::<Option<i64>>(2)?.map(AccountId),
        state: row.parse(3)?,
        reason: row.get(4)?,
        created_at: from_ms(row.get(5)?),
        policy: row.get(6)?,
    })
}

pub(super) fn batches(ledger: &mut dyn SqlSession) -> Result<Vec<Batch>, SqlFailure> {
    let batches = ledger.query(&format!("{BATCH} order by id"), &[])?;
    batches.iter().map(read_batch).collect()
}

pub(super) fn batch(ledger: &mut dyn SqlSession, name: &str) -> Result<Batch, SqlFailure> {
    match ledger.find_row(&format!("{BATCH} where name = $1"), values![name])? {
        Some(row) => read_batch(&row),
        None => {
            let name = name.to_owned();
            Err(BatchError::NoSuchBatch { name }.into())
        }
    }
}

pub(super) fn batch_of(ledger: &mut dyn SqlSession, id: BatchId) -> Result<Batch, SqlFailure> {
    read_batch(&ledger.row(&format!("{BATCH} where id = $1"), values![id.0])?)
}

pub(super) fn set_policy(
    ledger: &mut dyn SqlSession,
    batch: BatchId,
    policy: Option<&String>,
) -> Result<(), SqlFailure> {
    let set = "update batch set policy = $1 where id = $2";
    ledger.execute(set, values![policy, batch.0])?;
    mark::check(ledger)
}

pub(super) fn all(ledger: &mut dyn SqlSession) -> Result<Vec<Account>, SqlFailure> {
    let dialect = ledger.dialect();
    // Truth is a number in SQLite, and a type of its own in Postgres: counts are the same in both. A ledger without accounts
    // has a row, too, which says where it was moved.
    let select = format!(
        "select account.id, service, key_fingerprint, holder,
            (select count(*) from account as held where held.id = account.id and held.lease_until > {}),
            (select count(*) from batch
                where batch.account_id = account.id and policy is not null and state <> 'done'),
            lease_until, moved_to
         from meta left join account on true order by account.id",
        dialect.now,
    );
    let has_end = dialect.lease_end != "null";
    let rows = ledger.query(&select, &[])?;
    let mut accounts = Vec::new();
    for row in &rows {
        if let Some(location) = row.get(7)? {
            return Err(BatchError::Moved { location }.into());
        }
        let Some(id) = row.get(0)? else {
            continue;
        };
        accounts.push(Account {
            id: AccountId(id),
            service: row.get(1)?,
            key_fingerprint: row.get(2)?,
            holder: row.get(3)?,
            is_held: has_end.then(|| row.get(4)).transpose()?,
            has_work: row.get::<u64>(5)? > 0,
            lease_end: row.get::<Option<i64>>(6)?.map(from_ms),
        });
    }
    Ok(accounts)
}

/// Keeps other transactions from changing the state of a batch until the end of this one. What is locked is locked in the
/// order batch, item, account.
pub(super) fn lock_batch(ledger: &mut dyn SqlSession, batch: BatchId) -> Result<(), SqlFailure> {
    ledger.lock_row("batch where id = $1", batch.0)
}

/// Locks the batch of an item.
pub(super) fn lock_batch_of(ledger: &mut dyn SqlSession, item: ItemId) -> Result<(), SqlFailure> {
    let batch = "batch where id = (select batch_id from item where id = $1)";
    ledger.lock_row(batch, item.0)
}

pub(super) fn set_batch_state(
    ledger: &mut dyn SqlSession,
    batch: BatchId,
    state: BatchState,
    reason: Option<&String>,
) -> Result<bool, SqlFailure> {
    lock_batch(ledger, batch)?;
    mark::check(ledger)?;
    let counts = items::counts(ledger, batch)?;
    if state == BatchState::Done && counts.keys().any(|state| !state.is_final()) {
        return Ok(false);
    }
    let set = "update batch set state = $1, reason = $2 where id = $3";
    Ok(ledger.execute(set, values![state.as_str(), reason, batch.0])? > 0)
}

/// The statement that lets runs continue a batch that was done and has an item to process again.
pub(super) fn continue_batch_of(item: ItemId) -> SqlStatement {
    let set = "update batch set state = 'running'
        where id = (select batch_id from item where id = $1) and state = 'done'";
    SqlStatement::new(set, values![item.0])
}

pub(super) fn insert_batch(ledger: &mut dyn SqlSession, name: &str) -> Result<BatchId, SqlFailure> {
    let insert = format!(
        "insert into batch (name, state, created_at) values ($1, 'running', {}) on conflict do nothing",
        ledger.dialect().now
    );
    ledger.execute(&insert, values![name])?;
    Ok(batch(ledger, name)?.id)
}

pub(super) fn assign(
    ledger: &mut dyn SqlSession,
    batch: BatchId,
    service: &str,
    key: &str,
) -> Result<AccountId, SqlFailure> {
    let insert =
        "insert into account (service, key_fingerprint) values ($1, $2) on conflict do nothing";
    ledger.execute(insert, values![service, key])?;
    mark::check(ledger)?;
    let find = "select id from account where service = $1 and key_fingerprint = $2";
    let account: i64 = ledger.row(find, values![service, key])?.get(0)?;
    let assign = "update batch set account_id = $1 where id = $2 and coalesce(account_id, $1) = $1";
    if ledger.execute(assign, values![account, batch.0])? == 0 {
        let name = "select name from batch where id = $1";
        let batch = ledger.row(name, values![batch.0])?.get(0)?;
        return Err(BatchError::OtherAccount { batch }.into());
    }
    Ok(AccountId(account))
}

pub(super) fn begin_epoch(
    ledger: &mut dyn SqlSession,
    account: AccountId,
    holder: &str,
) -> Result<u64, SqlFailure> {
    let dialect = ledger.dialect();
    let begin = format!(
        "update account set epoch = epoch + 1, holder = $1, lease_until = {}
         where id = $2 and coalesce(lease_until, 0) <= {} returning epoch",
        dialect.lease_end, dialect.now
    );
    let begun = ledger.find_row(&begin, values![holder, account.0])?;
    mark::check(ledger)?;
    match begun {
        Some(row) => row.get(0),
        None => {
            let holder = "select coalesce(holder, '') from account where id = $1";
            let holder = ledger.row(holder, values![account.0])?.get(0)?;
            Err(BatchError::InUse { holder }.into())
        }
    }
}

/// Fails if another run has acquired the account since. No other can until the end of the transaction.
pub(super) fn check_lease(ledger: &mut dyn SqlSession, lease: &Lease) -> Result<(), SqlFailure> {
    let find = format!(
        "select id from {}",
        leased(ledger.dialect(), 1, LeaseEnd::Any)
    );
    match ledger.find_row(&find, values![lease.account.0, lease.epoch])? {
        Some(_) => Ok(()),
        None => Err(BatchError::LeaseLost.into()),
    }
}

/// When a lease that permits a write ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeaseEnd {
    /// It may have ended, if no other run has acquired the account.
    Any,
    /// Later than now: what announces a payment has to be written before.
    Later,
}

/// Follows `select … from`: the account of a lease, which no other run can acquire until the end of the transaction, or no row if
/// another one has acquired it. The account and the epoch of the lease are the parameter `first` and the next one.
pub(super) fn leased(dialect: &Dialect, first: usize, end: LeaseEnd) -> String {
    let condition = match end {
        LeaseEnd::Any => "true",
        LeaseEnd::Later => dialect.lease_is_current,
    };
    format!(
        "account where id = ${first} and epoch = ${} and {condition}{}",
        first + 1,
        dialect.lock_row
    )
}

/// Lets a lease last as long from now as a new one. One that has ended continues, if no other run has acquired the account.
pub(super) fn extend_lease(ledger: &mut dyn SqlSession, lease: &Lease) -> Result<(), SqlFailure> {
    let end = ledger.dialect().lease_end;
    let extend = format!("update account set lease_until = {end} where id = $1 and epoch = $2");
    match ledger.execute(&extend, values![lease.account.0, lease.epoch])? {
        0 => Err(BatchError::LeaseLost.into()),
        _ => Ok(()),
    }
}

/// Ends a lease. The next run may acquire the account at once.
pub(super) fn end_lease(ledger: &mut dyn SqlSession, lease: &Lease) -> Result<(), SqlFailure> {
    let end = "update account set lease_until = null where id = $1 and epoch = $2";
    ledger.execute(end, values![lease.account.0, lease.epoch])?;
    Ok(())
}

pub(super) fn known_tasks(
    ledger: &mut dyn SqlSession,
    account: AccountId,
) -> Result<KnownUpdate, SqlFailure> {
    let facts = "select known_facts from account where id = $1";
    let facts = ledger.row(facts, values![account.0])?.get(0)?;
    let entries = "select entry from known_task where account_id = $1 order by position";
    let entries = ledger.query(entries, values![account.0])?;
    Ok(KnownUpdate {
        from: 0,
        entries: entries
            .iter()
            .map(|row| row.get(0))
            .collect::<Result<_, _>>()?,
        facts,
    })
}

/// The statements that add known tasks.
pub(super) fn add_known_tasks(account: AccountId, update: &KnownUpdate) -> Vec<SqlStatement> {
    let entries: Vec<_> = (update.from..).zip(&update.entries).collect();
    let entries = entries.chunks(MAX_ENTRIES).map(|entries| {
        let values = entries.iter();
        let values = values
            .flat_map(|(position, entry)| [account.0.into(), (*position).into(), (*entry).into()]);
        let into = "known_task (account_id, position, entry)";
        SqlStatement::insert_rows(into, 3, values.collect())
    });
    let facts = update.facts.as_ref().map(|facts| {
        let set = "update account set known_facts = $1 where id = $2";
        SqlStatement::new(set, values![facts, account.0])
    });
    entries.chain(facts).collect()
}
