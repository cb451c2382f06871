//! The options of a batch that is left to workers, as the ledger has them.

use std::time::Duration;

use kling_omni::preflight::MediaChecks;
use kling_omni::spend::SpendGuard;
use serde::{Deserialize, Serialize};

use crate::error::{BatchError, BatchResult};
use crate::ledger::Batch;
use crate::run_options::RunOptions;

/// The options of a batch that is left to workers. An option that this version does not know is an error: it may be a limit.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Policy {
    in_flight: usize,
    create_interval: Duration,
    retry_failed: u32,
    max_failures_of_request: u32,
    settle_time: Duration,
    task_timeout: Duration,
    media_checks: MediaChecks,
    allow_private_networks: bool,
    spend_guard: Option<SpendGuard>,
}

impl Policy {
    /// The part of the options that is the batch's.
    ///
    /// # Errors
    ///
    /// [`BatchError::NotForWorkers`] if one of the others is set that changes what the batch does.
    pub(crate) fn of(options: RunOptions) -> BatchResult<Self> {
        let refused = [
            (options.webhook.is_some(), "a webhook"),
            (options.results.is_some(), "a results file"),
            (options.poll_schedule.is_some(), "a poll schedule"),
        ];
        if let Some((_, option)) = refused.into_iter().find(|(is_set, _)| *is_set) {
            return Err(BatchError::NotForWorkers { option });
        }
        Ok(Self {
            in_flight: options.in_flight,
            create_interval: options.create_interval,
            retry_failed: options.retry_failed,
            max_failures_of_request: options.max_failures_of_request,
            settle_time: options.settle_time,
            task_timeout: options.task_timeout,
            media_checks: options.media_checks,
            allow_private_networks: options.allow_private_networks,
            spend_guard: options.spend_guard,
        })
    }

    pub(crate) fn to_json(&self) -> BatchResult<String> {
        serde_json::to_string(self).map_err(|error| BatchError::Ledger(error.into()))
    }

    /// Reads the policy of a batch, if workers run it.
    pub(crate) fn read(batch: &Batch) -> BatchResult<Option<Self>> {
        let policy = batch.policy.as_deref().map(serde_json::from_str);
        policy.transpose().map_err(|source| BatchError::Policy {
            batch: batch.name.clone(),
            source,
        })
    }

    /// The guard of its spend limit.
    pub(crate) fn into_guard(self) -> Option<SpendGuard> {
        self.spend_guard
    }

    /// The options of a run, of which the others are a worker's.
    pub(crate) fn to_options(&self, worker: &RunOptions) -> RunOptions {
        RunOptions {
            in_flight: self.in_flight,
            create_interval: self.create_interval,
            retry_failed: self.retry_failed,
            max_failures_of_request: self.max_failures_of_request,
            settle_time: self.settle_time,
            task_timeout: self.task_timeout,
            media_checks: self.media_checks,
            allow_private_networks: self.allow_private_networks,
            spend_guard: self.spend_guard.clone(),
            ..worker.clone()
        }
    }
}
