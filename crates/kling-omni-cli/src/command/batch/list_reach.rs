//! How many of the tasks of a ledger the service still lists.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;

use futures_util::TryStreamExt as _;
use kling_omni::{Client, Error, Mode};
use kling_omni_batch::Batches;
use serde::Serialize;

use super::explain::explain;
use crate::failure::Failure;

/// The list of one mode, compared with the tasks of a ledger.
#[derive(Debug, Serialize)]
pub(super) struct ListReach {
    pub(super) mode: Mode,
    /// How many tasks the service lists.
    pub(super) listed: usize,
    /// How many tasks of the mode the ledger has.
    pub(super) known: usize,
    /// How many of those are listed.
    pub(super) known_listed: usize,
}

/// Returns the tasks of a ledger, by the name of their mode.
pub(super) async fn known_tasks(
    batches: &Batches,
) -> Result<BTreeMap<&'static str, (Mode, BTreeSet<String>)>, Failure> {
    let mut known: BTreeMap<&'static str, (Mode, BTreeSet<String>)> = BTreeMap::new();
    for batch in batches.ledger().batches().await.map_err(explain)? {
        let mut rows = pin!(batches.report_rows(&batch.name));
        while let Some(row) = rows.try_next().await.map_err(explain)? {
            let (_, ids) = known
                .entry(row.mode.as_str())
                .or_insert_with(|| (row.mode, BTreeSet::new()));
            ids.extend(row.task_id);
        }
    }
    Ok(known)
}

/// Reads the list of a mode to its end.
pub(super) async fn read_list(
    client: &Client,
    mode: Mode,
    known: &BTreeSet<String>,
) -> Result<ListReach, Error> {
    let mut tasks = client.list().mode(mode).stream();
    let mut listed = BTreeSet::new();
    while let Some(task) = tasks.try_next().await? {
        listed.insert(task.id);
    }
    Ok(ListReach {
        mode,
        listed: listed.len(),
        known: known.len(),
        known_listed: known.intersection(&listed).count(),
    })
}
