//! Imports items.

use rusqlite::{Connection, OptionalExtension as _};

use crate::error::{BatchError, BatchResult};
use crate::ledger::sqlite::{SqliteFailure, accounts};
use crate::ledger::{BatchId, Imported, NewItem, NewItems};

pub(super) fn import(
    ledger: &Connection,
    batch: &str,
    items: NewItems,
) -> Result<Imported, SqliteFailure> {
    let batch = accounts::insert_batch(ledger, batch)?;
    let count = "select count(*) from item where batch_id = ?";
    let mut position: i64 = ledger.query_row(count, [batch.0], |row| row.get(0))?;
    let mut imported = Imported::default();
    for item in items {
        let item = item?;
        match insert(ledger, batch, position, &item)? {
            true => {
                position += 1;
                imported.added += 1;
            }
            false => imported.unchanged += 1,
        }
    }
    if imported.added > 0 {
        let set = "update batch set state = 'running' where id = ? and state = 'done'";
        ledger.execute(set, [batch.0])?;
    }
    Ok(imported)
}

/// Inserts an item. Returns `false` if it exists already.
fn insert(
    ledger: &Connection,
    batch: BatchId,
    position: i64,
    item: &NewItem,
) -> Result<bool, SqliteFailure> {
    let request = serde_json::to_string(&item.request)
        .map_err(|error| unstorable(item, &error.to_string()))?;
    let sha256 = item.request.sha256();
    let path = text(item)?;
    let insert = "insert into item (batch_id, position, key, path, request, request_sha256, mode, tier, seconds, reference_video, state)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'planned') on conflict do nothing";
    let values = (
        batch.0,
        position,
        &item.key,
        path,
        request,
        &sha256,
        item.request.mode().as_str(),
        item.request.tier().as_str(),
        item.seconds,
        item.request.has_reference_video(),
    );
    if ledger.prepare_cached(insert)?.execute(values)? == 1 {
        return Ok(true);
    }
    let find = "select request_sha256, path from item where batch_id = ? and key = ?";
    let existing: Option<(String, String)> = ledger
        .prepare_cached(find)?
        .query_row((batch.0, &item.key), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let key = item.key.clone();
    match existing {
        None => {
            let other = "select key from item where batch_id = ? and path = ?";
            let other = ledger.query_row(other, (batch.0, path), |row| row.get(0))?;
            let path = item.path.clone();
            Err(BatchError::SamePath { key, other, path }.into())
        }
        Some((request, _)) if request != sha256 => {
            let what = "request";
            Err(BatchError::Changed { key, what }.into())
        }
        Some((_, file)) if file != path => {
            let what = "file";
            Err(BatchError::Changed { key, what }.into())
        }
        Some(_) => Ok(false),
    }
}

fn text(item: &NewItem) -> BatchResult<&str> {
    let text = item.path.to_str();
    text.ok_or_else(|| unstorable(item, "the path of its file is not valid Unicode"))
}

fn unstorable(item: &NewItem, problem: &str) -> BatchError {
    BatchError::Request {
        key: item.key.clone(),
        problem: problem.to_owned(),
    }
}
