//! The rows of a manifest that the ledger does not have yet.

use std::collections::HashSet;
use std::path::PathBuf;

use futures_util::TryStreamExt as _;
use kling_omni_batch::Batches;
use kling_omni_batch::manifest::{Manifest, ManifestTotals};

use super::explain::{explain, explain_manifest, not_charged};
use crate::failure::Failure;

/// The rows of a checked manifest.
pub(super) struct NewRows {
    pub(super) manifest: Manifest,
    /// Only so many of them.
    pub(super) sample: Option<usize>,
    /// The folder of the videos.
    pub(super) out: PathBuf,
}

impl NewRows {
    /// Adds what the rows pay for that a batch does not have, and returns their number. Without a name, all are new.
    pub(super) async fn add_to(
        &self,
        planned: &mut ManifestTotals,
        batches: &Batches,
        name: Option<&str>,
    ) -> Result<u64, Failure> {
        let known = match name {
            Some(name) => keys(batches, name).await?,
            None => HashSet::new(),
        };
        let rows = self.manifest.rows().map_err(explain_manifest)?;
        let mut new = 0;
        // A row with errors was refused before, or is refused by the import.
        for row in rows.take(self.sample.unwrap_or(usize::MAX)).flatten() {
            if !known.contains(&row.id) {
                planned.add(row.request.mode(), row.request.tier(), row.cost);
                new += 1;
            }
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

/// Returns the keys of all items of a batch.
async fn keys(batches: &Batches, name: &str) -> Result<HashSet<String>, Failure> {
    let keys = batches.report_rows(name).map_ok(|row| row.key);
    keys.try_collect().await.map_err(explain)
}
