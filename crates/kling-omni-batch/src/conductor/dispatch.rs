//! Leaves steps to workers.

use crate::conductor::Conductor;
use crate::error::BatchResult;
use crate::ledger::{JobQuery, Step};
use crate::start::Dispatch;
use crate::state::ItemState;

/// After how many ticks the jobs are looked for that the queue has lost.
const LOST_TICKS: u32 = 10;
/// After how many ticks unfinished jobs are sent again by a queue that may have lost them.
const SEND_TICKS: u32 = 60;

impl Conductor<'_> {
    /// Queues the steps that items need, and counts the videos that wait to be fetched.
    pub(super) async fn queue_steps(&mut self) -> BatchResult<()> {
        if self.may_have.in_flight {
            self.queue_fetches().await?;
        }
        if self.may_have.planned && self.may_create() {
            let free = self.max_ahead().saturating_sub(self.prepared.len());
            self.queue_jobs(Step::Prepare, free).await?;
            self.may_have.planned = false;
        }
        Ok(())
    }

    pub(super) async fn queue_fetches(&mut self) -> BatchResult<()> {
        // Each is paid for, and its result expires.
        self.queue_jobs(Step::Fetch, usize::MAX).await
    }

    async fn queue_jobs(&mut self, step: Step, max_jobs: usize) -> BatchResult<()> {
        let context = &self.shared.step;
        let query = JobQuery {
            batch: self.batch.id,
            step,
            max_jobs: u32::try_from(max_jobs).unwrap_or(u32::MAX),
            ready_at: context.client.clock().system_time(),
        };
        let jobs = context.ledger.queue_jobs(&self.shared.lease, query).await?;
        if let Dispatch::Workers(Some(sender)) = &self.shared.dispatch
            && !jobs.is_empty()
        {
            sender.send(jobs).await;
        }
        Ok(())
    }

    /// Queues again what was lost, and notes how many videos wait to be fetched. Called at each tick.
    pub(super) async fn check_jobs(&mut self) -> BatchResult<()> {
        let ledger = &self.shared.step.ledger;
        let counts = ledger.counts(self.batch.id).await?;
        let waiting = [ItemState::Ended, ItemState::Publishing];
        let waiting = waiting.iter().filter_map(|state| counts.get(state));
        self.unfetched = usize::try_from(waiting.sum::<u64>()).unwrap_or(usize::MAX);
        self.ticks += 1;
        if self.ticks.is_multiple_of(LOST_TICKS) {
            let lost = ledger.remove_lost_jobs(&self.shared.lease).await?;
            if lost > 0 {
                tracing::warn!(jobs = lost, "lost jobs queued again");
            }
        }
        if let Dispatch::Workers(Some(sender)) = &self.shared.dispatch
            && self.ticks.is_multiple_of(SEND_TICKS)
        {
            let jobs = ledger.unfinished_jobs(self.shared.lease.account).await?;
            if !jobs.is_empty() {
                sender.send(jobs).await;
            }
        }
        Ok(())
    }
}
