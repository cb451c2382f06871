//! Items and their events.

use std::collections::BTreeMap;
use std::time::SystemTime;

use kling_omni::download::VideoFinding;

use crate::ledger::sql::session::{Dialect, SqlFailure, SqlRow, SqlSession, SqlStatement, values};
use crate::ledger::sql::{from_ms, to_ms};
use crate::ledger::{
    BatchId, BatchItem, EventDetail, ItemChange, ItemError, ItemEvent, ItemId, ItemQuery,
    ItemUploads, ReportRow, SavedFile,
};
use crate::state::ItemState;

/// The columns of [`read`], in its order.
pub(super) const COLUMNS: &str = "item.id, item.batch_id, item.position, item.key, item.path, item.request, \
    item.request_sha256, item.state, item.uploads, item.not_before, item.failures, item.attempts, item.error_kind, item.error";

/// Reads an item from its columns, which begin at `at`.
pub(super) fn read(row: &SqlRow, at: usize) -> Result<BatchItem, SqlFailure> {
    let kind: Option<String> = row.get(at + 12)?;
    let error: Option<String> = row.get(at + 13)?;
    Ok(BatchItem {
        id: ItemId(row.get(at)?),
        batch: BatchId(row.get(at + 1)?),
        position: row.get(at + 2)?,
        key: row.get(at + 3)?,
        path: row.get::<String>(at + 4)?.into(),
        request: row.json(at + 5)?,
        request_sha256: row.get(at + 6)?,
        state: row.parse(at + 7)?,
        uploads: match row.get::<Option<String>>(at + 8)? {
            Some(_) => row.json(at + 8)?,
            None => ItemUploads::default(),
        },
        not_before: row.get::<Option<i64>>(at + 9)?.map(from_ms),
        failures: row.get(at + 10)?,
        attempts: row.get(at + 11)?,
        error: kind.zip(error).map(|(kind, text)| ItemError { kind, text }),
    })
}

/// Keeps other transactions from changing an item and its attempts until the end of this one.
pub(super) fn lock(ledger: &mut dyn SqlSession, item: ItemId) -> Result<(), SqlFailure> {
    ledger.lock_row("item where id = $1", item.0)
}

pub(super) fn find(
    ledger: &mut dyn SqlSession,
    query: &ItemQuery,
) -> Result<Vec<BatchItem>, SqlFailure> {
    let states = match query.states.is_empty() {
        true => ItemState::ALL,
        false => &query.states,
    };
    let ready = query.ready_at.map_or(i64::MAX, to_ms);
    let except: Vec<_> = query.except.iter().map(|item| item.0).collect();
    let except = serde_json::to_string(&except)?;
    let mut found = Vec::new();
    let select = format!(
        "select {COLUMNS} from item where batch_id = $1 and state = $2 and position >= $3
         and coalesce(not_before, 0) <= $4 and id not in ({}) order by position limit $6",
        ledger.dialect().json_numbers("$5")
    );
    for state in states {
        let values = values![
            query.batch.0,
            state.as_str(),
            query.from,
            ready,
            &except,
            query.limit
        ];
        let rows = ledger.query(&select, values)?;
        for row in rows {
            found.push(read(&row, 0)?);
        }
    }
    // Each state has its own index range. The first of all of them are among the first of each.
    found.sort_by_key(|item| item.position);
    found.truncate(query.limit as usize);
    Ok(found)
}

pub(super) fn by_key(
    ledger: &mut dyn SqlSession,
    batch: BatchId,
    key: &str,
) -> Result<Option<BatchItem>, SqlFailure> {
    let select = format!("select {COLUMNS} from item where batch_id = $1 and key = $2");
    let row = ledger.find_row(&select, values![batch.0, key])?;
    row.map(|row| read(&row, 0)).transpose()
}

pub(super) fn by_id(
    ledger: &mut dyn SqlSession,
    item: ItemId,
) -> Result<Option<BatchItem>, SqlFailure> {
    let select = format!("select {COLUMNS} from item where id = $1");
    let row = ledger.find_row(&select, values![item.0])?;
    row.map(|row| read(&row, 0)).transpose()
}

pub(super) fn counts(
    ledger: &mut dyn SqlSession,
    batch: BatchId,
) -> Result<BTreeMap<ItemState, u64>, SqlFailure> {
    let select = "select state, count(*) from item where batch_id = $1 group by state";
    let rows = ledger.query(select, values![batch.0])?;
    let counted = rows.iter().map(|row| Ok((row.parse(0)?, row.get(1)?)));
    counted.collect()
}

pub(super) fn next_ready(
    ledger: &mut dyn SqlSession,
    batch: BatchId,
    states: &[ItemState],
    after: SystemTime,
) -> Result<Option<SystemTime>, SqlFailure> {
    let states: Vec<_> = states.iter().map(|state| format!("'{state}'")).collect();
    let select = format!(
        "select min(not_before) from item {} where batch_id = $1 and not_before > $2 and state in ({})",
        ledger.dialect().indexed_by("item_by_time"),
        states.join(", ")
    );
    let next = ledger.row(&select, values![batch.0, to_ms(after)])?;
    Ok(next.get::<Option<i64>>(0)?.map(from_ms))
}

pub(super) fn change(ledger: &mut dyn SqlSession, change: &ItemChange) -> Result<bool, SqlFailure> {
    let uploads = change.uploads.as_ref().map(serde_json::to_string);
    let set = "update item set state = $1, uploads = coalesce($2, uploads), not_before = $3, failures = $4,
            error_kind = $5, error = $6
        where id = $7 and state = $8 and not exists (select 1 from meta where moved_to is not null)";
    let values = values![
        change.to.as_str(),
        uploads.transpose()?,
        change.not_before.map(to_ms),
        change.failures,
        change.error.as_ref().map(|error| &error.kind),
        change.error.as_ref().map(|error| &error.text),
        change.item.0,
        change.from.as_str(),
    ];
    if ledger.execute(set, values)? == 0 {
        return Ok(false);
    }
    if change.is_failure {
        let set = "update attempt set failed_request = (select request_sha256 from item where id = item_id)
            where item_id = $1 and state = 'created'";
        ledger.execute(set, values![change.item.0])?;
    }
    let detail = EventDetail {
        error: change.error.clone(),
        ..EventDetail::default()
    };
    let event = record_event(ledger.dialect(), change.item, change.to, &detail)?;
    ledger.execute_each(&[event])?;
    Ok(true)
}

/// The statement that appends an event to the history of an item.
pub(super) fn record_event(
    dialect: &Dialect,
    item: ItemId,
    state: ItemState,
    detail: &EventDetail,
) -> Result<SqlStatement, SqlFailure> {
    let detail = serde_json::to_string(detail)?;
    let insert = format!(
        "insert into event (batch_id, item_id, at, state, detail)
         select batch_id, id, {}, $1, $2 from item{} where id = $3",
        dialect.now, dialect.lock_events
    );
    let values = values![state.as_str(), detail, item.0];
    Ok(SqlStatement::new(insert, values))
}

fn read_event(row: &SqlRow) -> Result<ItemEvent, SqlFailure> {
    Ok(ItemEvent {
        number: row.get(0)?,
        key: row.get(1)?,
        at_ms: row.get(2)?,
        state: row.parse(3)?,
        detail: row.json(4)?,
    })
}

pub(super) fn events(
    ledger: &mut dyn SqlSession,
    item: ItemId,
) -> Result<Vec<ItemEvent>, SqlFailure> {
    let select = "select event.number, item.key, event.at, event.state, event.detail
         from event join item on item.id = event.item_id
         where event.item_id = $1 order by event.number";
    let rows = ledger.query(select, values![item.0])?;
    rows.iter().map(read_event).collect()
}

pub(super) fn batch_events(
    ledger: &mut dyn SqlSession,
    batch: BatchId,
    after: u64,
    limit: u32,
) -> Result<Vec<ItemEvent>, SqlFailure> {
    let select = "select event.number, item.key, event.at, event.state, event.detail
         from event join item on item.id = event.item_id
         where event.batch_id = $1 and event.number > $2 order by event.number limit $3";
    let rows = ledger.query(select, values![batch.0, after, limit])?;
    rows.iter().map(read_event).collect()
}

pub(super) fn end_events(
    ledger: &mut dyn SqlSession,
    batch: BatchId,
    after: u64,
    limit: u32,
) -> Result<Vec<ItemEvent>, SqlFailure> {
    // The condition is that of the index.
    let select = format!(
        "select event.number, item.key, event.at, event.state, event.detail
         from event {} join item on item.id = event.item_id
         where event.batch_id = $1 and event.number > $2
            and event.state in ('saved', 'rejected', 'failed', 'expired', 'unknown', 'skipped')
         order by event.number limit $3",
        ledger.dialect().indexed_by("event_of_end")
    );
    let rows = ledger.query(&select, values![batch.0, after, limit])?;
    rows.iter().map(read_event).collect()
}

pub(super) fn report(
    ledger: &mut dyn SqlSession,
    batch: BatchId,
    from: u64,
    limit: u32,
) -> Result<Vec<ReportRow>, SqlFailure> {
    let select = "select item.position, item.key, item.state, item.mode, item.tier, item.seconds, item.attempts,
            (select task_id from attempt where item_id = item.id order by number desc limit 1),
            file.path, file.bytes, file.sha256, item.error_kind, item.error,
            (select max(at) from event where item_id = item.id and state = 'sending'),
            (select max(at) from event where item_id = item.id),
            (select detail from event where item_id = item.id and state = 'saved' order by number desc limit 1)
        from item left join file on file.item_id = item.id
        where item.batch_id = $1 and item.position >= $2 order by item.position limit $3";
    let rows = ledger.query(select, values![batch.0, from, limit])?;
    rows.iter().map(read_report_row).collect()
}

/// What the event of a save says about its video. The table of files has no column for it.
fn findings(saved: EventDetail) -> Vec<VideoFinding> {
    saved.file.map(|file| file.findings).unwrap_or_default()
}

fn read_report_row(row: &SqlRow) -> Result<ReportRow, SqlFailure> {
    Ok(ReportRow {
        position: row.get(0)?,
        key: row.get(1)?,
        state: row.parse(2)?,
        mode: row.parse(3)?,
        tier: row.parse(4)?,
        seconds: row.get(5)?,
        attempts: row.get(6)?,
        task_id: row.get(7)?,
        file: match row.get::<Option<String>>(8)? {
            Some(path) => Some(SavedFile {
                path: path.into(),
                bytes: row.get(9)?,
                sha256: row.get(10)?,
                findings: match row.get::<Option<String>>(15)? {
                    Some(_) => findings(row.json(15)?),
                    None => Vec::new(),
                },
            }),
            None => None,
        },
        error: match row.get(11)? {
            Some(kind) => Some(ItemError {
                kind,
                text: row.get(12)?,
            }),
            None => None,
        },
        sent_at_ms: row.get(13)?,
        changed_at_ms: row.get(14)?,
    })
}
