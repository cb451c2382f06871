//! What an operator watches: counts of a ledger.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::ledger::{AccountId, Step};
use crate::state::{BatchState, ItemState};

/// The counts of a ledger at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LedgerMetrics {
    /// The batches, in the order of their creation.
    pub batches: Vec<BatchMetrics>,
    /// The accounts, in the order in which they were first used.
    pub accounts: Vec<AccountMetrics>,
}

/// The counts of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BatchMetrics {
    /// The name.
    pub name: String,
    /// The account, once it has been run.
    pub account: Option<AccountId>,
    /// The state.
    pub state: BatchState,
    /// The number of items in each state; states without items are missing.
    pub items: BTreeMap<ItemState, u64>,
    /// The number of tasks that were paid for, or may have been.
    pub tasks: u64,
    /// The seconds of video of these tasks; a length that is not known in advance counts with its maximum.
    pub seconds: u64,
    /// The jobs that wait for workers or are being run; steps without jobs are missing.
    pub jobs: BTreeMap<Step, QueuedJobs>,
    /// The delays of the last saved videos, the latest first: those among the last 200 items that ended.
    pub recent: Vec<RecentVideo>,
}

/// The jobs of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct QueuedJobs {
    /// The number of jobs.
    pub jobs: u64,
    /// How long ago the oldest of them was queued.
    pub oldest: Duration,
}

/// The delays of a saved video, by the clock of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RecentVideo {
    /// From when its task was created until it had ended.
    pub created_to_ended: Duration,
    /// From then until the video was saved.
    pub ended_to_saved: Duration,
}

/// The lease of an account, and what waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AccountMetrics {
    /// The account.
    pub account: AccountId,
    /// The run that has or had its lease, as far as known.
    pub holder: Option<String>,
    /// Whether a run has its lease now. `None` if only acquiring it can tell, as in SQLite.
    pub is_held: Option<bool>,
    /// The number of items for which it is unknown whether a task exists, and a person has to decide.
    pub undecided: u64,
}
