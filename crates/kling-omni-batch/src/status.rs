//! What a ledger says about a batch and its items.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{BatchError, BatchResult};
use crate::ledger::{BatchItem, CostGroup, ItemError, ItemEvent, Ledger, Reopening};
use crate::state::{AttemptState, BatchState, ItemState};

/// The status of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BatchStatus {
    /// The name.
    pub name: String,
    /// The state.
    pub state: BatchState,
    /// Why a run paused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was first imported, in milliseconds since 1970, by the clock of the ledger.
    pub created_at_ms: u64,
    /// The number of items.
    pub items: u64,
    /// The number of items in each state; states without items are missing.
    pub counts: BTreeMap<ItemState, u64>,
    /// What was paid for, or may have been.
    pub spent: Vec<CostGroup>,
}

impl BatchStatus {
    /// Reads the status of a batch.
    pub(crate) async fn read(ledger: &dyn Ledger, name: &str) -> BatchResult<Self> {
        let batch = ledger.batch(name).await?;
        let counts = ledger.counts(batch.id).await?;
        let created_at = batch.created_at.duration_since(std::time::UNIX_EPOCH);
        let created_at = created_at.unwrap_or_default().as_millis();
        Ok(Self {
            name: batch.name,
            state: batch.state,
            reason: batch.reason,
            created_at_ms: u64::try_from(created_at).unwrap_or(u64::MAX),
            items: counts.values().sum(),
            spent: ledger
                .spent(batch.id)
                .await?
                .into_iter()
                .map(|(group, _)| group)
                .collect(),
            counts,
        })
    }

    /// The number of items in a state.
    pub fn count(&self, state: ItemState) -> u64 {
        self.counts.get(&state).copied().unwrap_or_default()
    }

    /// The number of tasks that were paid for, or may have been.
    pub fn tasks(&self) -> u64 {
        self.spent.iter().map(|group| group.tasks).sum()
    }
}

/// The history of an item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ItemHistory {
    /// The key.
    pub key: String,
    /// The position in the batch, from 0.
    pub position: u64,
    /// The state.
    pub state: ItemState,
    /// The file of the video.
    pub path: std::path::PathBuf,
    /// Why it is in its state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ItemError>,
    /// The state of its latest attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<AttemptState>,
    /// Its task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// The tasks that may be its own, if a person has to decide.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub candidates: Vec<String>,
    /// What happened, in order.
    pub events: Vec<ItemEvent>,
}

impl ItemHistory {
    /// Reads the history of an item.
    pub(crate) async fn read(ledger: &dyn Ledger, batch: &str, key: &str) -> BatchResult<Self> {
        let item = find_item(ledger, batch, key).await?;
        let attempt = ledger.latest_attempt(item.id).await?;
        Ok(Self {
            position: item.position,
            state: item.state,
            path: item.path,
            error: item.error,
            attempt: attempt.as_ref().map(|attempt| attempt.state),
            task_id: attempt.as_ref().and_then(|attempt| attempt.task_id.clone()),
            candidates: attempt
                .map(|attempt| attempt.candidates)
                .unwrap_or_default(),
            events: ledger.events(item.id).await?,
            key: item.key,
        })
    }
}

pub(crate) async fn find_item(
    ledger: &dyn Ledger,
    batch: &str,
    key: &str,
) -> BatchResult<BatchItem> {
    let id = ledger.batch(batch).await?.id;
    let item = ledger.item(id, key).await?;
    item.ok_or_else(|| BatchError::NoSuchItem {
        batch: batch.to_owned(),
        key: key.to_owned(),
    })
}

/// How an ended item can be put back; `None` if it is saved, needs a decision, or has not ended.
pub(crate) fn reopening(item: &BatchItem) -> Option<Reopening> {
    let kind = item.error.as_ref().map(|error| error.kind.as_str());
    match item.state {
        ItemState::Rejected | ItemState::Skipped | ItemState::Expired => Some(Reopening::Create),
        ItemState::Failed => Some(match kind {
            Some("task_failed" | "empty_result" | "corrupt_result") | None => Reopening::Create,
            // The task may be completed, and its video may still be there.
            Some(_) => Reopening::Fetch,
        }),
        _ => None,
    }
}
