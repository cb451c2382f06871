//! Attempts and their records: what may spend money.

use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::error::BatchError;
use crate::ledger::sqlite::{SqliteFailure, accounts, invalid, items};
use crate::ledger::{
    AccountId, Attempt, AttemptId, BatchId, BatchItem, CostGroup, EventDetail, ItemError, ItemId,
    Lease, NewRecord, Reopening,
};
use crate::request::StoredRequest;
use crate::state::{AttemptState, ItemState};

/// The columns of [`read`], in its order.
const COLUMNS: &str = "attempt.id, attempt.item_id, attempt.account_id, attempt.number, attempt.state, attempt.task_id, \
    attempt.candidates, \
    (select count(failed_request) from attempt as other where other.item_id = attempt.item_id)";
/// The number of [`COLUMNS`].
const WIDTH: usize = 8;

fn read(row: &Row<'_>) -> rusqlite::Result<Attempt> {
    let state: String = row.get(4)?;
    let candidates: Option<String> = row.get(6)?;
    Ok(Attempt {
        id: AttemptId(row.get(0)?),
        item: ItemId(row.get(1)?),
        account: AccountId(row.get(2)?),
        number: row.get(3)?,
        state: state.parse().map_err(|error| invalid(4, error))?,
        task_id: row.get(5)?,
        candidates: match candidates {
            Some(ids) => serde_json::from_str(&ids).map_err(|error| invalid(6, error))?,
            None => Vec::new(),
        },
        failed_tasks: row.get(7)?,
    })
}

/// The error for a violation of a unique index.
fn rule(error: rusqlite::Error) -> SqliteFailure {
    let text = error.to_string();
    let rules = [
        ("attempt.task_id", "task_once"),
        ("attempt.item_id", "paid_once"),
        ("attempt.account_id", "one_unconfirmed"),
    ];
    match rules.iter().find(|(columns, _)| text.contains(columns)) {
        Some((_, rule)) => BatchError::Forbidden { rule }.into(),
        None => error.into(),
    }
}

fn item_is(ledger: &Connection, item: ItemId) -> Result<SqliteFailure, SqliteFailure> {
    let select = "select key, state from item where id = ?";
    let (key, state): (String, String) =
        ledger.query_row(select, [item.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let state = state.parse().map_err(|error| invalid(1, error))?;
    Ok(BatchError::ItemIs { key, state }.into())
}

pub(super) fn begin(
    ledger: &Connection,
    lease: &Lease,
    item: ItemId,
) -> Result<Attempt, SqliteFailure> {
    accounts::check_lease(ledger, lease)?;
    // What certainly made no task is replaced by the next attempt.
    let close = "update attempt set state = 'closed' where item_id = ? and state in ('prepared', 'rejected')";
    ledger.prepare_cached(close)?.execute([item.0])?;
    let count = "update item set attempts = attempts + 1 where id = ? and state = 'prepared' returning attempts";
    let number: Option<u32> = ledger
        .prepare_cached(count)?
        .query_row([item.0], |row| row.get(0))
        .optional()?;
    let Some(number) = number else {
        return Err(item_is(ledger, item)?);
    };
    let insert = "insert into attempt (item_id, account_id, number, epoch, state) values (?, ?, ?, ?, 'prepared')";
    let epoch = lease.epoch.cast_signed();
    let mut insert = ledger.prepare_cached(insert)?;
    insert.execute((item.0, lease.account.0, number, epoch))?;
    by_id(ledger, AttemptId(ledger.last_insert_rowid()))
}

fn by_id(ledger: &Connection, attempt: AttemptId) -> Result<Attempt, SqliteFailure> {
    let select = format!("select {COLUMNS} from attempt where id = ?");
    Ok(ledger
        .prepare_cached(&select)?
        .query_row([attempt.0], read)?)
}

pub(super) fn latest(ledger: &Connection, item: ItemId) -> Result<Option<Attempt>, SqliteFailure> {
    let select =
        format!("select {COLUMNS} from attempt where item_id = ? order by number desc limit 1");
    let mut select = ledger.prepare_cached(&select)?;
    Ok(select.query_row([item.0], read).optional()?)
}

pub(super) fn open(
    ledger: &Connection,
    account: AccountId,
) -> Result<Vec<(Attempt, BatchItem)>, SqliteFailure> {
    let item = items::COLUMNS;
    let mut found = Vec::new();
    // Each condition has its own partial index.
    for states in ["in ('announced', 'unknown')", "= 'undecided'"] {
        let select = format!(
            "select {COLUMNS}, {item} from attempt join item on item.id = attempt.item_id
             where attempt.account_id = ? and attempt.state {states} order by attempt.id"
        );
        let mut select = ledger.prepare_cached(&select)?;
        let rows = select.query_map([account.0], |row| {
            Ok((read(row)?, items::read(row, WIDTH)?))
        })?;
        for row in rows {
            found.push(row?);
        }
    }
    Ok(found)
}

pub(super) fn records(
    ledger: &Connection,
    attempt: AttemptId,
) -> Result<Vec<String>, SqliteFailure> {
    let select = "select json from record where attempt_id = ? order by number";
    let mut select = ledger.prepare_cached(select)?;
    let records = select.query_map([attempt.0], |row| row.get(0))?;
    Ok(records.collect::<Result<_, _>>()?)
}

pub(super) fn append(
    ledger: &Connection,
    lease: Option<&Lease>,
    record: &NewRecord,
) -> Result<(), SqliteFailure> {
    let attempt = by_id(ledger, record.attempt)?;
    let may_write = match lease {
        Some(lease) => {
            accounts::check_lease(ledger, lease)?;
            lease.account == attempt.account && attempt.state != AttemptState::Closed
        }
        None => attempt.state == AttemptState::Undecided,
    };
    if !may_write {
        return Err(item_is(ledger, attempt.item)?);
    }
    let count = "select count(*) from record where attempt_id = ?";
    let count: i64 = ledger
        .prepare_cached(count)?
        .query_row([attempt.id.0], |row| row.get(0))?;
    let number = record.number;
    if count.unsigned_abs() != number {
        return Err(BatchError::RecordExists { number }.into());
    }
    accounts::add_known_tasks(ledger, attempt.account, &record.known)?;
    let insert = "insert into record (attempt_id, number, json) values (?, ?, ?)";
    let mut insert = ledger.prepare_cached(insert)?;
    insert.execute((attempt.id.0, number.cast_signed(), &record.json))?;
    let stays_undecided =
        attempt.state == AttemptState::Undecided && record.attempt_state.is_unconfirmed();
    if stays_undecided {
        return Ok(());
    }
    let set = "update attempt set state = ?1, task_id = coalesce(?2, task_id), candidates = null,
        failed_request = case when ?3 then (select request_sha256 from item where id = item_id) else failed_request end
        where id = ?4";
    let values = (
        record.attempt_state.as_str(),
        &record.task_id,
        record.item_state == ItemState::Failed,
        attempt.id.0,
    );
    ledger.prepare_cached(set)?.execute(values).map_err(rule)?;
    if let Some(file) = &record.file {
        let insert =
            "insert or replace into file (item_id, path, bytes, sha256) values (?, ?, ?, ?)";
        let path = file.path.to_string_lossy();
        let mut insert = ledger.prepare_cached(insert)?;
        insert.execute((attempt.item.0, path, file.bytes.cast_signed(), &file.sha256))?;
    }
    if record.attempt_state == AttemptState::Created {
        // The URLs of its files may carry tokens, and are not needed any more.
        let forget = "update item set uploads = null where id = ? and uploads is not null";
        ledger.prepare_cached(forget)?.execute([attempt.item.0])?;
    }
    let detail = EventDetail {
        attempt: Some(attempt.number),
        task_id: record.task_id.clone().or(attempt.task_id),
        file: record.file.clone(),
        error: record.error.clone(),
    };
    if lease.is_none() {
        accounts::continue_batch_of(ledger, attempt.item)?;
    }
    set_item(ledger, attempt.item, record.item_state, &detail)
}

/// Changes the state of an item, and records the event unless it has the state already.
fn set_item(
    ledger: &Connection,
    item: ItemId,
    state: ItemState,
    detail: &EventDetail,
) -> Result<(), SqliteFailure> {
    let set =
        "update item set state = ?1, not_before = null, failures = 0, error_kind = ?2, error = ?3
        where id = ?4 and state <> ?1";
    let values = (
        state.as_str(),
        detail.error.as_ref().map(|error| &error.kind),
        detail.error.as_ref().map(|error| &error.text),
        item.0,
    );
    match ledger.prepare_cached(set)?.execute(values)? {
        0 => Ok(()),
        _ => items::record_event(ledger, item, state, detail),
    }
}

pub(super) fn set_undecided(
    ledger: &Connection,
    lease: &Lease,
    attempt: AttemptId,
    candidates: &[String],
    reason: &ItemError,
) -> Result<(), SqliteFailure> {
    accounts::check_lease(ledger, lease)?;
    let candidates = serde_json::to_string(candidates).map_err(|error| invalid(0, error))?;
    let set = "update attempt set state = 'undecided', candidates = ?
        where id = ? and state in ('announced', 'unknown', 'undecided') returning item_id, number";
    let found: Option<(i64, u32)> = ledger
        .query_row(set, (candidates, attempt.0), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((item, number)) = found else {
        let item = by_id(ledger, attempt)?.item;
        return Err(item_is(ledger, item)?);
    };
    let detail = EventDetail {
        attempt: Some(number),
        error: Some(reason.clone()),
        ..EventDetail::default()
    };
    set_item(ledger, ItemId(item), ItemState::Unknown, &detail)
}

pub(super) fn reopen(
    ledger: &Connection,
    item: ItemId,
    from: ItemState,
    as_: Reopening,
) -> Result<bool, SqliteFailure> {
    let is_in_state = "select 1 from item where id = ? and state = ?";
    let found: Option<u32> = ledger
        .query_row(is_in_state, (item.0, from.as_str()), |row| row.get(0))
        .optional()?;
    let attempt = latest(ledger, item)?;
    let state = attempt.as_ref().map(|attempt| attempt.state);
    let may_reopen = match as_ {
        Reopening::Fetch => state == Some(AttemptState::Created),
        Reopening::Create => {
            !state.is_some_and(|state| state.is_unconfirmed() || state == AttemptState::Undecided)
        }
    };
    if found.is_none() || !may_reopen {
        return Ok(false);
    }
    let mut detail = EventDetail::default();
    let to = match (as_, attempt) {
        (Reopening::Fetch, Some(attempt)) => {
            detail.attempt = Some(attempt.number);
            detail.task_id = attempt.task_id;
            ItemState::Created
        }
        (_, attempt) => {
            if let Some(attempt) = attempt {
                let close = "update attempt set state = 'closed' where id = ?";
                ledger.execute(close, [attempt.id.0])?;
            }
            ItemState::Planned
        }
    };
    set_item(ledger, item, to, &detail)?;
    accounts::continue_batch_of(ledger, item)?;
    Ok(true)
}

pub(super) fn spent(
    ledger: &Connection,
    batch: BatchId,
) -> Result<Vec<(CostGroup, StoredRequest)>, SqliteFailure> {
    let tasks = "join attempt on attempt.item_id = item.id
        where item.batch_id = ? and (attempt.task_id is not null
            or attempt.state in ('announced', 'unknown', 'undecided', 'created'))";
    groups(ledger, batch, tasks)
}

pub(super) fn planned(
    ledger: &Connection,
    batch: BatchId,
) -> Result<Vec<(CostGroup, StoredRequest)>, SqliteFailure> {
    let items = "where item.batch_id = ? and item.state in ('planned', 'prepared')";
    groups(ledger, batch, items)
}

/// Counts rows that cost the same. `rows` selects them.
fn groups(
    ledger: &Connection,
    batch: BatchId,
    rows: &str,
) -> Result<Vec<(CostGroup, StoredRequest)>, SqliteFailure> {
    // SQLite takes the request from the row that has the minimum.
    let select = format!(
        "select item.mode, item.tier, item.seconds, item.reference_video, count(*), min(item.id), item.request
        from item {rows} group by item.mode, item.tier, item.seconds, item.reference_video"
    );
    let mut select = ledger.prepare_cached(&select)?;
    let rows = select.query_map([batch.0], |row| {
        let text = |column| row.get::<_, String>(column);
        let group = CostGroup {
            mode: text(0)?.parse().map_err(|error| invalid(0, error))?,
            tier: text(1)?.parse().map_err(|error| invalid(1, error))?,
            seconds: row.get(2)?,
            reference_video: row.get(3)?,
            tasks: row.get::<_, i64>(4)?.unsigned_abs(),
        };
        let request = serde_json::from_str(&text(6)?).map_err(|error| invalid(6, error))?;
        Ok((group, request))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
