//! Runs the steps of items, as plain functions of a job.

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::mpsc;

use crate::error::BatchResult;
use crate::ledger::{Batch, BatchItem, ItemError, Job, Step};
use crate::policy::Policy;
use crate::run::RunEvent;
use crate::state::BatchState;
use crate::step::StepContext;
use crate::step::fetch::{self, FetchResult, InFlight, WaitFor};
use crate::step::prepare::{self, PrepareResult};
use crate::worker::{Worker, WorkerEvent, WorkerShared};

/// What became of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepResult {
    /// The step was run. The ledger has its result, which may be a failure that is tried again later.
    Done,
    /// The item does not need the step: another delivery of the job ran it, or a person changed the item.
    NotNeeded,
    /// The item belongs to the account of another key. A worker with that key has to run the step.
    OtherAccount,
}

impl Worker {
    /// Runs a step of an item. It costs nothing, and may run several times, in any order, and at the same time on other
    /// machines: the item has one complete file in the end.
    ///
    /// # Errors
    ///
    /// Those of the ledger. The job has to be delivered again then.
    pub async fn run_step(&self, job: Job) -> BatchResult<StepResult> {
        let ledger = self.shared.batches.ledger();
        let Some(item) = ledger.item_by_id(job.item).await? else {
            return Ok(StepResult::NotNeeded);
        };
        let batch = ledger.batch_of(item.batch).await?;
        if batch.account.is_none() || batch.account != self.account().await? {
            return Ok(StepResult::OtherAccount);
        }
        let result = match job.step.states().contains(&item.state) {
            true => {
                self.run_needed(job.step, &batch, item).await?;
                StepResult::Done
            }
            false => StepResult::NotNeeded,
        };
        ledger.finish_job(job).await?;
        Ok(result)
    }

    async fn run_needed(&self, step: Step, batch: &Batch, item: BatchItem) -> BatchResult<()> {
        let (events, mut emitted) = mpsc::unbounded_channel();
        let context = self.step_context(batch, events)?;
        let pause = match step {
            Step::Prepare => match prepare::prepare(&context, item).await? {
                PrepareResult::Ready(_) | PrepareResult::Done => None,
                PrepareResult::Pause(reason) => Some(reason),
            },
            Step::Fetch => fetch_video(&context, item).await?,
        };
        while let Ok(event) = emitted.try_recv() {
            self.emit_run(&batch.name, event);
        }
        match pause {
            Some(reason) => self.pause(batch, reason).await,
            None => Ok(()),
        }
    }

    /// The context of a step that has no lease.
    fn step_context(
        &self,
        batch: &Batch,
        events: mpsc::UnboundedSender<RunEvent>,
    ) -> BatchResult<StepContext> {
        let WorkerShared {
            batches,
            client,
            options,
            ..
        } = &*self.shared;
        let options = match Policy::read(batch)? {
            Some(policy) => policy.to_options(&options.run),
            None => options.run.clone(),
        };
        Ok(StepContext {
            ledger: Arc::clone(&batches.ledger),
            client: client.clone(),
            options,
            events,
            lease: None,
            spool: None,
            writable: Arc::default(),
        })
    }

    pub(super) fn emit_run(&self, batch: &str, event: RunEvent) {
        self.emit(WorkerEvent::Run {
            batch: batch.to_owned(),
            event,
        });
    }

    /// Pauses a batch until a person acts.
    async fn pause(&self, batch: &Batch, reason: ItemError) -> BatchResult<()> {
        let ledger = self.shared.batches.ledger();
        if ledger.batch_of(batch.id).await?.state != BatchState::Running {
            return Ok(());
        }
        let text = Some(reason.text.clone());
        let set = ledger.set_batch_state(batch.id, BatchState::Paused, text);
        if set.await? {
            let reason = Some(reason);
            self.emit_run(&batch.name, RunEvent::Paused { reason });
        }
        Ok(())
    }
}

/// Reads the task of an item once, and saves its video. Returns why the batch has to pause, if it has to.
async fn fetch_video(context: &StepContext, item: BatchItem) -> BatchResult<Option<ItemError>> {
    let Some(attempt) = context.ledger.latest_attempt(item.id).await? else {
        return Ok(None);
    };
    let mode = item.request.mode();
    let task = attempt.task_id.clone();
    let task = task.map(|id| context.client.task_of_mode(id, mode));
    if let Some(task) = &task {
        // A wait would ask the list, which has no results. It polls again if this fails.
        let _ = task.refresh().await;
    }
    let in_flight = InFlight {
        item,
        attempt,
        task,
        journal: None,
    };
    let mut fetched = fetch::wait(context, in_flight, WaitFor::Video).await?;
    if let FetchResult::Ready(ready) = fetched {
        fetched = fetch::save(context, *ready).await?;
    }
    Ok(match fetched {
        FetchResult::Pause(_, reason) => Some(reason),
        _ => None,
    })
}
