//! Imports items.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::error::{BatchError, BatchResult};
use crate::ledger::sql::session::{SqlFailure, SqlRow, SqlSession, SqlValue, values};
use crate::ledger::sql::{accounts, mark};
use crate::ledger::{BatchId, Imported, NewItem, NewItems};

/// How many items are inserted at once.
const CHUNK: usize = 100;

pub(super) fn import(
    ledger: &mut dyn SqlSession,
    batch: &str,
    items: &Mutex<Option<NewItems>>,
) -> Result<Imported, SqlFailure> {
    let batch = accounts::insert_batch(ledger, batch)?;
    accounts::lock_batch(ledger, batch)?;
    mark::check(ledger)?;
    let count = "select count(*) from item where batch_id = $1";
    let mut position: u64 = ledger.row(count, values![batch.0])?.get(0)?;
    // They can be read only once, so a transaction that fails later is not repeated.
    let items = items.lock().unwrap_or_else(PoisonError::into_inner).take();
    let mut items = items.ok_or(BatchError::Interrupted)?;
    let mut imported = Imported::default();
    loop {
        let chunk = items.by_ref().take(CHUNK);
        let chunk = chunk.collect::<BatchResult<Vec<_>>>()?;
        if chunk.is_empty() {
            break;
        }
        let new = find_new(ledger, batch, &chunk)?;
        insert(ledger, batch, position, &new)?;
        position += new.len() as u64;
        imported.added += new.len() as u64;
        imported.unchanged += (chunk.len() - new.len()) as u64;
    }
    if imported.added > 0 {
        let set = "update batch set state = 'running' where id = $1 and state = 'done'";
        ledger.execute(set, values![batch.0])?;
    }
    Ok(imported)
}

/// Returns the items that the batch does not have yet.
fn find_new<'a>(
    ledger: &mut dyn SqlSession,
    batch: BatchId,
    items: &'a [NewItem],
) -> Result<Vec<&'a NewItem>, SqlFailure> {
    let mut by_key = HashMap::new();
    let keys = items.iter().map(|item| SqlValue::from(&item.key));
    for row in rows_with(ledger, batch, "key", keys.collect())? {
        let existing: (String, String) = (row.get(1)?, row.get(2)?);
        by_key.insert(row.get::<String>(0)?, existing);
    }
    let mut by_path = HashMap::new();
    let paths = items.iter().map(|item| Ok(SqlValue::from(text(item)?)));
    for row in rows_with(ledger, batch, "path", paths.collect::<BatchResult<_>>()?)? {
        by_path.insert(row.get::<String>(2)?, row.get::<String>(0)?);
    }
    let mut new = Vec::new();
    for item in items {
        let (key, path) = (item.key.clone(), text(item)?);
        let sha256 = item.request.sha256();
        let what = match by_key.get(&key) {
            Some((request, _)) if *request != sha256 => "request",
            Some((_, file)) if file != path => "file",
            Some(_) => continue,
            None => {
                if let Some(other) = by_path.insert(path.to_owned(), key.clone()) {
                    let path = item.path.clone();
                    return Err(BatchError::SamePath { key, other, path }.into());
                }
                by_key.insert(key, (sha256, path.to_owned()));
                new.push(item);
                continue;
            }
        };
        return Err(BatchError::Changed { key, what }.into());
    }
    Ok(new)
}

/// Finds the items of a batch with one of these values: key, hash of the request, and path.
fn rows_with(
    ledger: &mut dyn SqlSession,
    batch: BatchId,
    column: &str,
    mut values: Vec<SqlValue>,
) -> Result<Vec<SqlRow>, SqlFailure> {
    let marks: Vec<_> = (2..).take(values.len()).map(|n| format!("${n}")).collect();
    let select = format!(
        "select key, request_sha256, path from item where batch_id = $1 and {column} in ({})",
        marks.join(", ")
    );
    values.insert(0, batch.0.into());
    ledger.query(&select, &values)
}

/// Inserts items, from a position on.
fn insert(
    ledger: &mut dyn SqlSession,
    batch: BatchId,
    position: u64,
    items: &[&NewItem],
) -> Result<(), SqlFailure> {
    if items.is_empty() {
        return Ok(());
    }
    let mut values = vec![SqlValue::from(batch.0)];
    let mut rows = Vec::new();
    for (position, item) in (position..).zip(items) {
        let first = values.len() + 1;
        let request = serde_json::to_string(&item.request)
            .map_err(|error| unstorable(item, &error.to_string()))?;
        values.extend_from_slice(values![
            position,
            &item.key,
            text(item)?,
            request,
            item.request.sha256(),
            item.request.mode().as_str(),
            item.request.tier().as_str(),
            item.seconds,
            item.request.has_reference_video(),
        ]);
        let marks: Vec<_> = (first..=values.len()).map(|n| format!("${n}")).collect();
        rows.push(format!("($1, {}, 'planned')", marks.join(", ")));
    }
    let insert = format!(
        "insert into item (batch_id, position, key, path, request, request_sha256, mode, tier, seconds, reference_video, state)
        values {}",
        rows.join(", ")
    );
    ledger.execute(&insert, &values)?;
    Ok(())
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
