//! Items and their events.

use std::collections::BTreeMap;
use std::time::SystemTime;

use rusqlite::{Connection, OptionalExtension as _, Row, params_from_iter};

use crate::ledger::sqlite::{NOW, SqliteFailure, from_ms, invalid, to_ms};
use crate::ledger::{
    BatchId, BatchItem, EventDetail, ItemChange, ItemError, ItemEvent, ItemId, ItemQuery,
    ItemUploads, ReportRow, SavedFile,
};
use crate::state::ItemState;

/// The columns of [`read`], in its order.
pub(super) const COLUMNS: &str = "item.id, item.batch_id, item.position, item.key, item.path, item.request, \
    item.request_sha256, item.state, item.uploads, item.not_before, item.failures, item.attempts, item.error_kind, item.error";

/// Reads an item from its columns, which begin at `at`.
pub(super) fn read(row: &Row<'_>, at: usize) -> rusqlite::Result<BatchItem> {
    let text = |column: usize| row.get::<_, String>(at + column);
    let json = |error| invalid(at, error);
    let uploads: Option<String> = row.get(at + 8)?;
    let kind: Option<String> = row.get(at + 12)?;
    let error: Option<String> = row.get(at + 13)?;
    Ok(BatchItem {
        id: ItemId(row.get(at)?),
        batch: BatchId(row.get(at + 1)?),
        position: row.get::<_, i64>(at + 2)?.unsigned_abs(),
        key: text(3)?,
        path: text(4)?.into(),
        request: serde_json::from_str(&text(5)?).map_err(json)?,
        request_sha256: text(6)?,
        state: text(7)?.parse().map_err(|error| invalid(at + 7, error))?,
        uploads: match uploads {
            Some(uploads) => serde_json::from_str(&uploads).map_err(json)?,
            None => ItemUploads::default(),
        },
        not_before: row.get::<_, Option<i64>>(at + 9)?.map(from_ms),
        failures: row.get(at + 10)?,
        attempts: row.get(at + 11)?,
        error: kind.zip(error).map(|(kind, text)| ItemError { kind, text }),
    })
}

pub(super) fn find(
    ledger: &Connection,
    query: &ItemQuery,
) -> Result<Vec<BatchItem>, SqliteFailure> {
    let states = match query.states.is_empty() {
        true => ItemState::ALL,
        false => &query.states,
    };
    let ready = query.ready_at.map_or(i64::MAX, to_ms);
    let mut found = Vec::new();
    for state in states {
        let select = format!(
            "select {COLUMNS} from item where batch_id = ? and state = ? and position >= ?
             and coalesce(not_before, 0) <= ? order by position"
        );
        let mut select = ledger.prepare_cached(&select)?;
        let from = query.from.cast_signed();
        let mut rows = select.query((query.batch.0, state.as_str(), from, ready))?;
        let end = found.len() + query.limit as usize;
        while found.len() < end
            && let Some(row) = rows.next()?
        {
            if !query.except.contains(&ItemId(row.get(0)?)) {
                found.push(read(row, 0)?);
            }
        }
    }
    // Each state has its own index range. The first of all of them are among the first of each.
    found.sort_by_key(|item| item.position);
    found.truncate(query.limit as usize);
    Ok(found)
}

pub(super) fn by_key(
    ledger: &Connection,
    batch: BatchId,
    key: &str,
) -> Result<Option<BatchItem>, SqliteFailure> {
    let select = format!("select {COLUMNS} from item where batch_id = ? and key = ?");
    let mut select = ledger.prepare_cached(&select)?;
    Ok(select
        .query_row((batch.0, key), |row| read(row, 0))
        .optional()?)
}

pub(super) fn counts(
    ledger: &Connection,
    batch: BatchId,
) -> Result<BTreeMap<ItemState, u64>, SqliteFailure> {
    let select = "select state, count(*) from item where batch_id = ? group by state";
    let mut select = ledger.prepare_cached(select)?;
    let rows = select.query_map([batch.0], |row| {
        let state: String = row.get(0)?;
        let state = state.parse().map_err(|error| invalid(0, error))?;
        Ok((state, row.get::<_, i64>(1)?.unsigned_abs()))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn next_ready(
    ledger: &Connection,
    batch: BatchId,
    states: &[ItemState],
    after: SystemTime,
) -> Result<Option<SystemTime>, SqliteFailure> {
    let marks = vec!["?"; states.len()].join(", ");
    let select = format!(
        "select min(not_before) from item indexed by item_by_time where batch_id = {} and not_before > {} and state in ({marks})",
        batch.0,
        to_ms(after)
    );
    let mut select = ledger.prepare_cached(&select)?;
    let states = params_from_iter(states.iter().map(|state| state.as_str()));
    let next: Option<i64> = select.query_row(states, |row| row.get(0))?;
    Ok(next.map(from_ms))
}

pub(super) fn change(ledger: &Connection, change: &ItemChange) -> Result<bool, SqliteFailure> {
    let uploads = change.uploads.as_ref().map(serde_json::to_string);
    let uploads = uploads.transpose().map_err(|error| invalid(0, error))?;
    let set = "update item set state = ?, uploads = coalesce(?, uploads), not_before = ?, failures = ?, error_kind = ?, error = ?
        where id = ? and state = ?";
    let values = (
        change.to.as_str(),
        uploads,
        change.not_before.map(to_ms),
        change.failures,
        change.error.as_ref().map(|error| &error.kind),
        change.error.as_ref().map(|error| &error.text),
        change.item.0,
        change.from.as_str(),
    );
    if ledger.prepare_cached(set)?.execute(values)? == 0 {
        return Ok(false);
    }
    if change.is_failure {
        let set = "update attempt set failed_request = (select request_sha256 from item where id = item_id)
            where item_id = ? and state = 'created'";
        ledger.execute(set, [change.item.0])?;
    }
    let detail = EventDetail {
        error: change.error.clone(),
        ..EventDetail::default()
    };
    record_event(ledger, change.item, change.to, &detail)?;
    Ok(true)
}

/// Appends an event to the history of an item.
pub(super) fn record_event(
    ledger: &Connection,
    item: ItemId,
    state: ItemState,
    detail: &EventDetail,
) -> Result<(), SqliteFailure> {
    let detail = serde_json::to_string(detail).map_err(|error| invalid(0, error))?;
    let insert = format!(
        "insert into event (batch_id, item_id, at, state, detail)
         select batch_id, id, {NOW}, ?, ? from item where id = ?"
    );
    let mut insert = ledger.prepare_cached(&insert)?;
    insert.execute((state.as_str(), detail, item.0))?;
    Ok(())
}

fn read_event(row: &Row<'_>) -> rusqlite::Result<ItemEvent> {
    let (state, detail): (String, String) = (row.get(3)?, row.get(4)?);
    Ok(ItemEvent {
        number: row.get::<_, i64>(0)?.unsigned_abs(),
        key: row.get(1)?,
        at_ms: row.get::<_, i64>(2)?.unsigned_abs(),
        state: state.parse().map_err(|error| invalid(3, error))?,
        detail: serde_json::from_str(&detail).map_err(|error| invalid(4, error))?,
    })
}

pub(super) fn events(ledger: &Connection, item: ItemId) -> Result<Vec<ItemEvent>, SqliteFailure> {
    let select = "select event.number, item.key, event.at, event.state, event.detail
         from event join item on item.id = event.item_id
         where event.item_id = ? order by event.number";
    let mut select = ledger.prepare_cached(select)?;
    let rows = select.query_map([item.0], read_event)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn end_events(
    ledger: &Connection,
    batch: BatchId,
    after: u64,
    limit: u32,
) -> Result<Vec<ItemEvent>, SqliteFailure> {
    // The condition is that of the index.
    let select = "select event.number, item.key, event.at, event.state, event.detail
         from event indexed by event_of_end join item on item.id = event.item_id
         where event.batch_id = ? and event.number > ?
            and event.state in ('saved', 'rejected', 'failed', 'expired', 'unknown', 'skipped')
         order by event.number limit ?";
    let mut select = ledger.prepare_cached(select)?;
    let rows = select.query_map((batch.0, after.cast_signed(), limit), read_event)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn report(
    ledger: &Connection,
    batch: BatchId,
    from: u64,
    limit: u32,
) -> Result<Vec<ReportRow>, SqliteFailure> {
    let select = "select item.position, item.key, item.state, item.mode, item.tier, item.seconds, item.attempts,
            (select task_id from attempt where item_id = item.id order by number desc limit 1),
            file.path, file.bytes, file.sha256, item.error_kind, item.error,
            (select max(at) from event where item_id = item.id and state = 'sending'),
            (select max(at) from event where item_id = item.id)
        from item left join file on file.item_id = item.id
        where item.batch_id = ? and item.position >= ? order by item.position limit ?";
    let mut select = ledger.prepare_cached(select)?;
    let time = |ms: Option<i64>| ms.map(i64::unsigned_abs);
    let rows = select.query_map((batch.0, from.cast_signed(), limit), |row| {
        let text = |column| row.get::<_, String>(column);
        let path: Option<String> = row.get(8)?;
        let kind: Option<String> = row.get(11)?;
        Ok(ReportRow {
            position: row.get::<_, i64>(0)?.unsigned_abs(),
            key: text(1)?,
            state: text(2)?.parse().map_err(|error| invalid(2, error))?,
            mode: text(3)?.parse().map_err(|error| invalid(3, error))?,
            tier: text(4)?.parse().map_err(|error| invalid(4, error))?,
            seconds: row.get(5)?,
            attempts: row.get(6)?,
            task_id: row.get(7)?,
            file: match path {
                Some(path) => Some(SavedFile {
                    path: path.into(),
                    bytes: row.get::<_, i64>(9)?.unsigned_abs(),
                    sha256: text(10)?,
                }),
                None => None,
            },
            error: match kind {
                Some(kind) => Some(ItemError {
                    kind,
                    text: text(12)?,
                }),
                None => None,
            },
            sent_at_ms: time(row.get(13)?),
            changed_at_ms: time(row.get(14)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
