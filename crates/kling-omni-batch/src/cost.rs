//! What a batch costs, and whose account pays for it.

use std::collections::BTreeMap;

use kling_omni::Client;
use kling_omni::spend::{SpendGuard, Spent};

use crate::batches::Batches;
use crate::error::{BatchError, BatchResult};
use crate::ledger::CostGroup;
use crate::manifest::ManifestTotals;
use crate::request::StoredRequest;

impl Batches {
    /// What the items of a batch that have no task yet would pay for, by the prices of a spend guard.
    ///
    /// # Errors
    ///
    /// [`BatchError::Client`] if the price table has no price for one of them.
    pub async fn plan(&self, batch: &str, guard: &SpendGuard) -> BatchResult<ManifestTotals> {
        let id = self.ledger().batch(batch).await?.id;
        totals(self.ledger().planned(id).await?, guard)
    }

    /// What a batch has paid for, or may have, by the prices of a spend guard. Does not change the guard.
    ///
    /// # Errors
    ///
    /// [`BatchError::Client`] if the price table has no price for a task.
    pub async fn spent(&self, batch: &str, guard: &SpendGuard) -> BatchResult<Spent> {
        let id = self.ledger().batch(batch).await?.id;
        Ok(totals(self.ledger().spent(id).await?, guard)?.all)
    }

    /// Checks that a client has the account of a batch. A batch that was not run yet has none, and any client may run it.
    ///
    /// # Errors
    ///
    /// [`BatchError::OtherAccount`] if the client has another key, or uses another service.
    pub async fn check_account(&self, batch: &str, client: &Client) -> BatchResult<()> {
        let batch = self.ledger().batch(batch).await?;
        if batch.account.is_none() {
            return Ok(());
        }
        let salt = self.ledger().salt().await?;
        let key = client.key_fingerprint(&salt);
        // Assigning it to its own account changes nothing.
        let assigned = self.ledger().assign(batch.id, client.base_url(), &key);
        assigned.await.map(drop)
    }
}

/// Adds up groups, each with one of its requests.
fn totals(
    groups: Vec<(CostGroup, StoredRequest)>,
    guard: &SpendGuard,
) -> BatchResult<ManifestTotals> {
    let mut totals = ManifestTotals::default();
    for (group, request) in groups {
        let request = request.to_request(&BTreeMap::new());
        let request = request.map_err(|problem| BatchError::Ledger(problem.into()))?;
        let one = guard.cost(&request)?;
        let all = (0..group.tasks).fold(Spent::default(), |all, _| all + one);
        totals.add(group.mode, group.tier, all);
    }
    Ok(totals)
}
