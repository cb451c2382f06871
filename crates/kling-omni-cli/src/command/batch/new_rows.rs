//! The rows of a manifest that the ledger does not have yet.

use std::collections::HashMap;
use std::path::PathBuf;

use futures_util::TryStreamExt as _;
use kling_omni_batch::Batches;
use kling_omni_batch::manifest::{Manifest, ManifestTotals};

use super::explain::{explain, explain_manifest, not_charged};
use super::spend_args::count;
use crate::failure::Failure;
use crate::report;

/// The rows of a checked manifest.
pub(super) struct NewRows {
    pub(super) manifest: Manifest,
    /// Only so many of them.
    pub(super) sample: Option<usize>,
    /// The folder of the videos.
    pub(super) out: PathBuf,
}

impl NewRows {
    /// Adds what the rows pay for that a batch does not have, and returns their number. Without a name, all are new. Warns about
    /// items that are still to be made and have no row.
    pub(super) async fn add_to(
        &self,
        planned: &mut ManifestTotals,
        batches: &Batches,
        name: Option<&str>,
    ) -> Result<u64, Failure> {
        let mut known = match name {
            Some(name) => unfinished_by_key(batches, name).await?,
            None => HashMap::new(),
        };
        let rows = self.manifest.rows().map_err(explain_manifest)?;
        let sample = self.sample.unwrap_or(usize::MAX);
        let mut new = 0;
        // A row with errors was refused before, or is refused by the import.
        for (index, row) in rows.flatten().enumerate() {
            if known.remove(&row.id).is_none() && index < sample {
                planned.add(row.request.mode(), row.request.tier(), row.cost);
                new += 1;
            }
        }
        let left = known.values().filter(|is_unfinished| **is_unfinished);
        match left.count() as u64 {
            0 => {}
            left => report::warn(format_args!(
                "the batch has {} without a row in the manifest, and makes them, too",
                count(left, "item")
            )),
        }
        Ok(new)
    }

    /// Adds the rows to a batch, which is created if it does not exist.
    pub(super) async fn import(self, batches: &Batches, name: &str) -> Result<(), Failure> {
        // All rows were valid when they were checked.
        let items = self.manifest.items(self.out).map_err(explain_manifest)?;
        let items = items.take(self.sample.unwrap_or(usize::MAX));
        let imported = batches.import(name, items).await;
        imported.map_err(|error| not_charged(explain(error)))?;
        Ok(())
    }
}

/// Returns the keys of all items of a batch, and whether they are still to be made.
async fn unfinished_by_key(
    batches: &Batches,
    name: &str,
) -> Result<HashMap<String, bool>, Failure> {
    let rows = batches.report_rows(name);
    let rows = rows.map_ok(|row| (row.key, !row.state.is_final()));
    rows.try_collect().await.map_err(explain)
}
