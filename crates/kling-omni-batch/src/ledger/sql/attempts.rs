//! Attempts and their records: what may spend money.

use crate::error::BatchError;
use crate::ledger::sql::accounts::LeaseEnd;
use crate::ledger::sql::session::{Dialect, SqlFailure, SqlRow, SqlSession, SqlStatement, values};
use crate::ledger::sql::{accounts, items, mark};
use crate::ledger::{
    AccountId, Announcement, Attempt, AttemptId, BatchId, BatchItem, CostGroup, EventDetail,
    ItemError, ItemId, Lease, NewRecord, Reopening,
};
use crate::request::StoredRequest;
use crate::state::{AttemptState, ItemState};

/// The columns of [`read`], in its order.
const COLUMNS: &str = "attempt.id, attempt.item_id, attempt.account_id, attempt.number, attempt.state, attempt.task_id, \
    attempt.candidates, \
    (select count(failed_request) from attempt as other where other.item_id = attempt.item_id)";
/// The number of [`COLUMNS`].
const WIDTH: usize = 8;

/// Where records go, with their columns.
const RECORD: &str = "record (attempt_id, number, json)";

fn read(row: &SqlRow) -> Result<Attempt, SqlFailure> {
    Ok(Attempt {
        id: AttemptId(row.get(0)?),
        item: ItemId(row.get(1)?),
        account: AccountId(row.get(2)?),
        number: row.get(3)?,
        state: row.parse(4)?,
        task_id: row.get(5)?,
        candidates: match row.get::<Option<String>>(6)? {
            Some(_) => row.json(6)?,
            None => Vec::new(),
        },
        failed_tasks: row.get(7)?,
    })
}

/// The rules, each with the columns of its unique index.
const RULES: [(&str, &str); 3] = [
    ("task_once", "attempt.task_id"),
    ("paid_once", "attempt.item_id"),
    ("one_unconfirmed", "attempt.account_id"),
];

/// The error for a violation of a unique index.
fn rule(failure: SqlFailure) -> SqlFailure {
    let SqlFailure::Unique { index, error } = failure else {
        return failure;
    };
    let found = RULES
        .iter()
        .find(|(rule, columns)| index == *rule || index.contains(columns));
    match found {
        Some((rule, _)) => BatchError::Forbidden { rule }.into(),
        None => SqlFailure::Unique { index, error },
    }
}

fn item_is(ledger: &mut dyn SqlSession, item: ItemId) -> Result<SqlFailure, SqlFailure> {
    let select = "select key, state from item where id = $1";
    let row = ledger.row(select, values![item.0])?;
    let (key, state) = (row.get(0)?, row.parse(1)?);
    Ok(BatchError::ItemIs { key, state }.into())
}

pub(super) fn announce(
    ledger: &mut dyn SqlSession,
    lease: &Lease,
    item: ItemId,
    announcement: &Announcement,
) -> Result<Attempt, SqlFailure> {
    items::lock(ledger, item)?;
    let insert = format!(
        "insert into attempt (item_id, number, account_id, epoch, state)
         select item.id, item.attempts + 1, leased.id, leased.epoch, 'announced'
         from item, (select id, epoch from {}) as leased
         where item.id = $3 and item.state = 'prepared' returning {COLUMNS}",
        accounts::leased(ledger.dialect(), 1, LeaseEnd::Later)
    );
    let new = values![lease.account.0, lease.epoch, item.0];
    let Some(row) = ledger.find_row(&insert, new).map_err(rule)? else {
        accounts::check_lease(ledger, lease)?;
        let is_prepared = "select id from item where id = $1 and state = 'prepared'";
        return Err(match ledger.find_row(is_prepared, values![item.0])? {
            Some(_) => BatchError::LeaseLost.into(),
            None => item_is(ledger, item)?,
        });
    };
    let attempt = read(&row)?;
    let number = attempt.number;
    let set = "update item set state = 'sending', attempts = $1, not_before = null, failures = 0, error_kind = null, error = null
        where id = $2";
    let mut writes = vec![SqlStatement::new(set, values![number, item.0])];
    if number > 1 {
        // What certainly made no task is replaced by the next attempt.
        let close = "update attempt set state = 'closed' where item_id = $1 and state in ('prepared', 'rejected')";
        writes.push(SqlStatement::new(close, values![item.0]));
    }
    writes.extend(accounts::add_known_tasks(
        lease.account,
        &announcement.known,
    ));
    let records = (0_u64..).zip(&announcement.records);
    let records =
        records.flat_map(|(number, json)| [attempt.id.0.into(), number.into(), json.into()]);
    writes.push(SqlStatement::insert_rows(RECORD, 3, records.collect()));
    let detail = EventDetail {
        attempt: Some(number),
        ..EventDetail::default()
    };
    let event = items::record_event(ledger.dialect(), item, ItemState::Sending, &detail)?;
    writes.push(event);
    ledger.execute_each(&writes)?;
    Ok(attempt)
}

/// Reads an attempt and the number of its records, and keeps other transactions from changing it and its item until the end of
/// this one. Fails if the lease does not permit a write. Without a lease, it keeps them from changing the state of the batch, too.
fn lock(
    ledger: &mut dyn SqlSession,
    attempt: AttemptId,
    lease: Option<(&Lease, LeaseEnd)>,
) -> Result<(Attempt, u64), SqlFailure> {
    let item = "item where id = (select item_id from attempt where id = $1)";
    if lease.is_none() {
        let batch = format!("batch where id = (select batch_id from {item})");
        ledger.lock_row(&batch, attempt.0)?;
    }
    ledger.lock_row(item, attempt.0)?;
    let columns = format!("{COLUMNS}, (select count(*) from record where attempt_id = attempt.id)");
    let row = match lease {
        Some((lease, end)) => {
            let leased = accounts::leased(ledger.dialect(), 1, end);
            let select =
                format!("select {columns}, (select id from {leased}) from attempt where id = $3");
            let values = values![lease.account.0, lease.epoch, attempt.0];
            let row = ledger.row(&select, values)?;
            if row.get::<Option<i64>>(WIDTH + 1)?.is_none() {
                return Err(BatchError::LeaseLost.into());
            }
            row
        }
        None => {
            let select = format!("select {columns} from attempt where id = $1");
            ledger.row(&select, values![attempt.0])?
        }
    };
    Ok((read(&row)?, row.get(WIDTH)?))
}

pub(super) fn latest(
    ledger: &mut dyn SqlSession,
    item: ItemId,
) -> Result<Option<Attempt>, SqlFailure> {
    let select =
        format!("select {COLUMNS} from attempt where item_id = $1 order by number desc limit 1");
    let row = ledger.find_row(&select, values![item.0])?;
    row.as_ref().map(read).transpose()
}

pub(super) fn open(
    ledger: &mut dyn SqlSession,
    account: AccountId,
) -> Result<Vec<(Attempt, BatchItem)>, SqlFailure> {
    let item = items::COLUMNS;
    let mut found = Vec::new();
    // Each condition has its own partial index.
    for states in ["in ('announced', 'unknown')", "= 'undecided'"] {
        let select = format!(
            "select {COLUMNS}, {item} from attempt join item on item.id = attempt.item_id
             where attempt.account_id = $1 and attempt.state {states} order by attempt.id"
        );
        for row in ledger.query(&select, values![account.0])? {
            found.push((read(&row)?, items::read(&row, WIDTH)?));
        }
    }
    Ok(found)
}

pub(super) fn records(
    ledger: &mut dyn SqlSession,
    attempt: AttemptId,
) -> Result<Vec<String>, SqlFailure> {
    let select = "select json from record where attempt_id = $1 order by number";
    let records = ledger.query(select, values![attempt.0])?;
    records.iter().map(|row| row.get(0)).collect()
}

pub(super) fn append(
    ledger: &mut dyn SqlSession,
    lease: Option<&Lease>,
    record: &NewRecord,
) -> Result<(), SqlFailure> {
    let end = match record.attempt_state {
        AttemptState::Announced => LeaseEnd::Later,
        _ => LeaseEnd::Any,
    };
    let lease_end = lease.map(|lease| (lease, end));
    let (attempt, records) = lock(ledger, record.attempt, lease_end)?;
    let may_write = match lease {
        Some(lease) => lease.account == attempt.account && attempt.state != AttemptState::Closed,
        // A person decides, or a worker records what became of a task.
        None => {
            mark::check(ledger)?;
            match attempt.state {
                AttemptState::Undecided => true,
                state => {
                    let is_its_task = record.task_id.is_none() || record.task_id == attempt.task_id;
                    state == AttemptState::Created && record.attempt_state == state && is_its_task
                }
            }
        }
    };
    if !may_write {
        return Err(item_is(ledger, attempt.item)?);
    }
    let id = attempt.id.0;
    let number = record.number;
    if records != number {
        return Err(BatchError::RecordExists { number }.into());
    }
    let mut writes = accounts::add_known_tasks(attempt.account, &record.known);
    let new = values![id, number, &record.json];
    writes.push(SqlStatement::insert_rows(RECORD, 3, new.to_vec()));
    let stays_undecided =
        attempt.state == AttemptState::Undecided && record.attempt_state.is_unconfirmed();
    if stays_undecided {
        return ledger.execute_each(&writes);
    }
    writes.extend(set_attempt(&attempt, record));
    if let Some(file) = &record.file {
        let insert = "insert into file (item_id, path, bytes, sha256) values ($1, $2, $3, $4)
            on conflict (item_id) do update set path = excluded.path, bytes = excluded.bytes, sha256 = excluded.sha256";
        let path = file.path.to_string_lossy();
        let values = values![attempt.item.0, &*path, file.bytes, &file.sha256];
        writes.push(SqlStatement::new(insert, values));
    }
    let detail = EventDetail {
        attempt: Some(attempt.number),
        task_id: record.task_id.clone().or_else(|| attempt.task_id.clone()),
        file: record.file.clone(),
        error: record.error.clone(),
    };
    if lease.is_none() {
        writes.push(accounts::continue_batch_of(attempt.item));
    }
    let is_new_task =
        record.attempt_state == AttemptState::Created && attempt.state != AttemptState::Created;
    // The URLs of its files may carry tokens, and are not needed any more.
    let forget = if is_new_task { ", uploads = null" } else { "" };
    let set = set_item(
        ledger.dialect(),
        attempt.item,
        record.item_state,
        forget,
        &detail,
    )?;
    writes.extend(set);
    ledger.execute_each(&writes).map_err(rule)
}

/// The statement that changes what a record changes of its attempt.
fn set_attempt(attempt: &Attempt, record: &NewRecord) -> Option<SqlStatement> {
    // SQLite writes an index again for each column that is set, whether its value changes or not.
    let (mut columns, mut values) = (Vec::new(), Vec::new());
    let has_new_task = record.task_id.is_some() && attempt.task_id != record.task_id;
    if has_new_task || attempt.state != record.attempt_state {
        columns.push("candidates = null, state = $1".to_owned());
        values.push(record.attempt_state.as_str().into());
    }
    if has_new_task {
        columns.push("task_id = $2".to_owned());
        values.push(record.task_id.as_deref().into());
    }
    if record.item_state == ItemState::Failed {
        let request = "failed_request = (select request_sha256 from item where id = item_id)";
        columns.push(request.to_owned());
    }
    if columns.is_empty() {
        return None;
    }
    values.push(attempt.id.0.into());
    let (columns, id) = (columns.join(", "), values.len());
    let sql = format!("update attempt set {columns} where id = ${id}");
    Some(SqlStatement { sql, values })
}

/// The statements that change the state of an item, and what `more` sets, and record the event, unless it has the state already.
fn set_item(
    dialect: &Dialect,
    item: ItemId,
    state: ItemState,
    more: &str,
    detail: &EventDetail,
) -> Result<[SqlStatement; 2], SqlFailure> {
    let mut event = items::record_event(dialect, item, state, detail)?;
    event.sql.push_str(" and state <> $1");
    let set = format!(
        "update item set state = $1, not_before = null, failures = 0, error_kind = $2, error = $3{more}
        where id = $4 and state <> $1"
    );
    let values = values![
        state.as_str(),
        detail.error.as_ref().map(|error| &error.kind),
        detail.error.as_ref().map(|error| &error.text),
        item.0,
    ];
    Ok([event, SqlStatement::new(set, values)])
}

pub(super) fn set_undecided(
    ledger: &mut dyn SqlSession,
    lease: &Lease,
    attempt: AttemptId,
    candidates: &[String],
    reason: &ItemError,
) -> Result<(), SqlFailure> {
    let (found, _) = lock(ledger, attempt, Some((lease, LeaseEnd::Any)))?;
    let set = "update attempt set state = 'undecided', candidates = $1
        where id = $2 and state in ('announced', 'unknown', 'undecided')";
    let candidates = serde_json::to_string(candidates)?;
    if ledger.execute(set, values![candidates, attempt.0])? == 0 {
        return Err(item_is(ledger, found.item)?);
    }
    let detail = EventDetail {
        attempt: Some(found.number),
        error: Some(reason.clone()),
        ..EventDetail::default()
    };
    let set = set_item(
        ledger.dialect(),
        found.item,
        ItemState::Unknown,
        "",
        &detail,
    )?;
    ledger.execute_each(&set)
}

pub(super) fn reopen(
    ledger: &mut dyn SqlSession,
    item: ItemId,
    from: ItemState,
    as_: Reopening,
) -> Result<bool, SqlFailure> {
    accounts::lock_batch_of(ledger, item)?;
    items::lock(ledger, item)?;
    mark::check(ledger)?;
    let is_in_state = "select id from item where id = $1 and state = $2";
    let found = ledger.find_row(is_in_state, values![item.0, from.as_str()])?;
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
                let close = "update attempt set state = 'closed' where id = $1";
                ledger.execute(close, values![attempt.id.0])?;
            }
            ItemState::Planned
        }
    };
    let mut writes = Vec::from(set_item(ledger.dialect(), item, to, "", &detail)?);
    writes.push(accounts::continue_batch_of(item));
    ledger.execute_each(&writes)?;
    Ok(true)
}

pub(super) fn spent(
    ledger: &mut dyn SqlSession,
    batch: BatchId,
) -> Result<Vec<(CostGroup, StoredRequest)>, SqlFailure> {
    let tasks = "join attempt on attempt.item_id = item.id
        where item.batch_id = $1 and (attempt.task_id is not null
            or attempt.state in ('announced', 'unknown', 'undecided', 'created'))";
    groups(ledger, batch, tasks)
}

pub(super) fn planned(
    ledger: &mut dyn SqlSession,
    batch: BatchId,
) -> Result<Vec<(CostGroup, StoredRequest)>, SqlFailure> {
    let items = "where item.batch_id = $1 and item.state in ('planned', 'prepared')";
    groups(ledger, batch, items)
}

/// Counts rows that cost the same. `rows` selects them.
fn groups(
    ledger: &mut dyn SqlSession,
    batch: BatchId,
    rows: &str,
) -> Result<Vec<(CostGroup, StoredRequest)>, SqlFailure> {
    let select = format!(
        "select mode, tier, seconds, reference_video, tasks, (select request from item where id = first_item) from
            (select item.mode, item.tier, item.seconds, item.reference_video, count(*) as tasks, min(item.id) as first_item
             from item {rows} group by item.mode, item.tier, item.seconds, item.reference_video) as cost_group"
    );
    let mut groups = Vec::new();
    for row in ledger.query(&select, values![batch.0])? {
        let group = CostGroup {
            mode: row.parse(0)?,
            tier: row.parse(1)?,
            seconds: row.get(2)?,
            reference_video: row.get(3)?,
            tasks: row.get(4)?,
        };
        groups.push((group, row.json(5)?));
    }
    Ok(groups)
}

pub(super) fn failed_tasks(
    ledger: &mut dyn SqlSession,
    account: AccountId,
    request_sha256: &str,
) -> Result<u32, SqlFailure> {
    let count = "select count(*) from attempt where account_id = $1 and failed_request = $2";
    ledger
        .row(count, values![account.0, request_sha256])?
        .get(0)
}
