//! Jobs: steps that cost nothing, and that a queue delivers to workers.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::error::BatchResult;
use crate::ledger::{AccountId, BatchId, ItemId};
use crate::state::{ItemState, states};

states! {
    /// A step of an item that costs nothing, and may run several times.
    #[non_exhaustive]
    Step {
        /// Inspects the files of an item and uploads them.
        Prepare = "prepare",
        /// Downloads the video of a completed task.
        Fetch = "fetch",
    }
}

impl Step {
    /// The states of the items that need it.
    pub(crate) fn states(self) -> &'static [ItemState] {
        match self {
            Self::Prepare => &[ItemState::Planned],
            Self::Fetch => &[ItemState::Ended, ItemState::Publishing],
        }
    }
}

/// A step of an item, to be run by a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Job {
    /// The item.
    pub item: ItemId,
    /// The step.
    pub step: Step,
}

/// Selects items that need a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobQuery {
    /// The batch.
    pub batch: BatchId,
    /// The step.
    pub step: Step,
    /// How many jobs of this batch and step may be queued or running at once.
    pub max_jobs: u32,
    /// Items that may not begin yet at this time have no job.
    pub ready_at: SystemTime,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// The base URL of the service.
    pub service: String,
    /// The [fingerprint](kling_omni::Client::key_fingerprint) of its key, with the salt of the ledger.
    pub key_fingerprint: String,
    /// The run that has or had its lease, as far as known.
    pub holder: Option<String>,
    /// Whether a run has its lease now. `None` if only acquiring it can tell.
    pub is_held: Option<bool>,
    /// Whether it has a batch that was left to workers and is not done.
    pub has_work: bool,
    /// When its lease ends unless it is extended, by the clock of the ledger. `None` if it was given back, or has no end.
    pub lease_end: Option<SystemTime>,
}

/// Runs a job.
pub type RunJob = Arc<dyn Fn(Job) -> BoxFuture<'static, BatchResult<()>> + Send + Sync>;

/// Runs the jobs of a queue.
#[derive(Clone)]
pub struct JobConsumer {
    /// The account whose jobs it runs.
    pub account: AccountId,
    /// The step that it runs.
    pub step: Step,
    /// How many jobs it runs at once.
    pub concurrency: usize,
    /// Runs a job. After an error the job is delivered again.
    pub run: RunJob,
    /// Becomes true to stop it.
    pub stop: watch::Receiver<bool>,
}

impl fmt::Debug for JobConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobConsumer")
            .field("account", &self.account)
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}
