//! Conducts the batches of an account, while no other worker does.

use std::time::Duration;

use kling_omni::Client;
use tokio::sync::watch;

use crate::error::{BatchError, BatchResult};
use crate::ledger::{AccountId, Batch};
use crate::policy::Policy;
use crate::start::Dispatch;
use crate::state::BatchState;
use crate::worker::{Worker, WorkerEvent, WorkerShared, is_stopped, stopped};

/// How often a worker looks for an account that no other one conducts.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// Conducts until the worker is stopped. A batch that fails is tried again.
///
/// # Errors
///
/// [`BatchError::Moved`].
pub(super) async fn conduct(
    worker: Worker,
    account: AccountId,
    stop: watch::Receiver<bool>,
) -> BatchResult<()> {
    loop {
        if is_stopped(&stop) {
            return Ok(());
        }
        match conduct_next(&worker, account, &stop).await {
            Ok(()) => {}
            Err(error @ BatchError::Moved { .. }) => return Err(error),
            Err(error) => tracing::warn!(%error, "batches not conducted"),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_INTERVAL) => {}
            () = stopped(stop.clone()) => return Ok(()),
        }
    }
}

/// Conducts each batch of an account that can make progress, unless another worker conducts.
async fn conduct_next(
    worker: &Worker,
    account: AccountId,
    stop: &watch::Receiver<bool>,
) -> BatchResult<()> {
    let ledger = worker.shared.batches.ledger();
    let accounts = ledger.accounts().await?;
    let own = accounts.iter().find(|other| other.id == account);
    if !own.is_some_and(|own| own.has_work && own.is_held != Some(true)) {
        return Ok(());
    }
    for batch in ledger.batches().await? {
        if batch.account != Some(account) || batch.policy.is_none() || is_stopped(stop) {
            continue;
        }
        if !can_progress(worker, &batch).await? {
            continue;
        }
        match run(worker, batch, account, stop.clone()).await {
            // Another worker was faster.
            Err(BatchError::InUse { .. }) => return Ok(()),
            ended => ended?,
        }
    }
    Ok(())
}

/// Whether a run of the batch has something to do.
async fn can_progress(worker: &Worker, batch: &Batch) -> BatchResult<bool> {
    Ok(match batch.state {
        BatchState::Running => true,
        BatchState::Done => false,
        // What is paid for is still saved.
        BatchState::Paused | BatchState::Stopped => {
            let counts = worker.shared.batches.ledger().counts(batch.id).await?;
            counts
                .iter()
                .any(|(state, count)| state.is_in_flight() && *count > 0)
        }
    })
}

async fn run(
    worker: &Worker,
    batch: Batch,
    account: AccountId,
    stop: watch::Receiver<bool>,
) -> BatchResult<()> {
    let WorkerShared {
        batches,
        client,
        options,
        ..
    } = &*worker.shared;
    let Some(policy) = Policy::read(&batch)? else {
        return Ok(());
    };
    let run_options = policy.to_options(&options.run);
    let client = match &run_options.spend_guard {
        Some(guard) => client.with_spend_guard(guard.clone()),
        None => Client::clone(client),
    };
    let dispatch = Dispatch::Workers(options.sender.clone());
    let name = batch.name.clone();
    let start = batches.start(batch, account, &client, run_options, dispatch);
    let mut run = start.await?;
    worker.emit(WorkerEvent::Conducting {
        batch: name.clone(),
    });
    let mut is_stopping = false;
    loop {
        tokio::select! {
            event = run.next_event() => match event {
                Some(event) => worker.emit_run(&name, event),
                None => break,
            },
            () = stopped(stop.clone()), if !is_stopping => {
                is_stopping = true;
                run.stop();
            }
        }
    }
    let ended = run.await;
    let error = ended.as_ref().err().map(ToString::to_string);
    worker.emit(WorkerEvent::Released { batch: name, error });
    ended.map(drop)
}
