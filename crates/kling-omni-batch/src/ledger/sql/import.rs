//! Imports items.

use crate::error::{BatchError, BatchResult};
use crate::ledger::sql::accounts;
use crate::ledger::sql::session::{SqlFailure, SqlSession, values};
use crate::ledger::{BatchId, Imported, NewItem, NewItems};

pub(super) fn import(
    ledger: &mut dyn SqlSession,
    batch: &str,
    items: NewItems,
) -> Result<Imported, SqlFailure> {
    let batch = accounts::insert_batch(ledger, batch)?;
    accounts::lock_batch(ledger, batch)?;
    let count = "select count(*) from item where batch_id = $1";
    let mut position = ledger.row(count, values![batch.0])?.get(0)?;
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
        let set = "update batch set state = 'running' where id = $1 and state = 'done'";
        ledger.execute(set, values![batch.0])?;
    }
    Ok(imported)
}

/// Inserts an item. Returns `false` if it exists already.
fn insert(
    ledger: &mut dyn SqlSession,
    batch: BatchId,
    position: i64,
    item: &NewItem,
) -> Result<bool, SqlFailure> {
    let request = serde_json::to_string(&item.request)
        .map_err(|error| unstorable(item, &error.to_string()))?;
    let sha256 = item.request.sha256();
    let path = text(item)?;
    let insert = "insert into item (batch_id, position, key, path, request, request_sha256, mode, tier, seconds, reference_video, state)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'planned') on conflict do nothing";
    let values = values![
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
    ];
    if ledger.execute(insert, values)? == 1 {
        return Ok(true);
    }
    let find = "select request_sha256, path from item where batch_id = $1 and key = $2";
    let existing: Option<(String, String)> =
        match ledger.find_row(find, values![batch.0, &item.key])? {
            Some(row) => Some((row.get(0)?, row.get(1)?)),
            None => None,
        };
    let key = item.key.clone();
    match existing {
        None => {
            let other = "select key from item where batch_id = $1 and path = $2";
            let other = ledger.row(other, values![batch.0, path])?.get(0)?;
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
