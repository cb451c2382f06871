//! Creates the task of an item: the one step that costs money.

use std::sync::Arc;
use std::time::Duration;

use kling_omni::journal::{Journal, State};
use kling_omni::recovery::{Reconciled, UnconfirmedCreate};
use kling_omni::{CreateOutcome, ErrorKind, Task};

use crate::attempt_store::{Announced, JournalAttempt, NextAttempt, Reason, check_written};
use crate::conductor::context::{Backoff, RunContext};
use crate::error::{BatchError, BatchResult};
use crate::ledger::{Attempt, BatchItem, ItemChange, ItemError};
use crate::run::RunEvent;
use crate::state::{AttemptState, ItemState};
use crate::step::fetch::InFlight;
use crate::step::prepare::{is_transient, item_error, uploads_are_current};

/// No request is sent later than this after the create was begun. It bounds how long a create of a process that was stopped
/// can still make a task.
const SEND_LIMIT: Duration = Duration::from_secs(30);

/// No request is sent in the last moments of a lease that ends.
const LEASE_MARGIN: Duration = Duration::from_secs(1);

/// The result of trying to create a task.
pub(super) enum CreateResult {
    /// A task exists, and waits to be fetched.
    Created(Box<InFlight>),
    /// The item needs no create now.
    Done,
    /// Nothing was sent or made. The reason concerns all creates of the account, and may pass by itself.
    Later(ItemError),
    /// Nothing was sent or made. The reason concerns all creates of the account, and a person has to act.
    Pause(ItemError),
}

/// Creates the task of an item. The attempt begins with the announcement of the create.
pub(super) async fn create(shared: &RunContext, item: BatchItem) -> BatchResult<CreateResult> {
    let failed = shared
        .step
        .ledger
        .failed_tasks(shared.lease.account, &item.request_sha256);
    let failed = failed.await?;
    if failed >= shared.step.options.max_failures_of_request.max(1) {
        let error = ItemError {
            kind: "repeated_failure".to_owned(),
            text: format!(
                "tasks of this request failed {failed} times, and it is not sent again; add a changed request with another id"
            ),
        };
        end(shared, &item, ItemState::Skipped, error).await?;
        return Ok(CreateResult::Done);
    }
    if !uploads_are_current(&shared.step, &item) {
        let change = ItemChange::new(item.id, ItemState::Prepared, ItemState::Planned);
        shared.step.ledger.change_item(change).await?;
        return Ok(CreateResult::Done);
    }
    let stored = match &shared.step.options.webhook {
        Some(webhook) => webhook.add_to(&item.request)?,
        None => item.request.clone(),
    };
    let request = match stored.to_request(&item.uploads.urls) {
        Ok(request) => request,
        Err(problem) => {
            let error = ItemError {
                kind: "validation".to_owned(),
                text: problem.to_string(),
            };
            end(shared, &item, ItemState::Rejected, error).await?;
            return Ok(CreateResult::Done);
        }
    };
    if let Err(error) = shared.read_lists(item.request.mode()).await? {
        return Ok(later_or_pause(&error));
    }
    let announced = Announced::default();
    let next = JournalAttempt::Next(NextAttempt {
        item: item.id,
        lease: shared.lease.clone(),
        announced: announced.clone(),
        records: Vec::new(),
    });
    let mut journal = journal(shared, next).await?;
    let now = shared.step.client.clock().boot_time();
    let lease = shared.lease_left().await?.saturating_sub(LEASE_MARGIN);
    let limit = now.saturating_add(lease.min(SEND_LIMIT));
    let create = shared
        .step
        .client
        .create(request)
        .with_known_tasks(&shared.known.known)
        .not_after(limit);
    let outcome = journal.create(create).await?;
    let attempt = match announced.take().transpose() {
        Err(BatchError::LeaseLost) => {
            // It may only have ended while the database was not available.
            shared.renew().await?;
            return Ok(CreateResult::Later(ItemError {
                kind: "lease".to_owned(),
                text: "the lease ended before the create was announced".to_owned(),
            }));
        }
        attempt => attempt?,
    };
    check_written(&journal)?;
    match (outcome, attempt) {
        (CreateOutcome::Created(task), Some(attempt)) => {
            shared
                .step
                .report_task(&item, ItemState::Created, task.id(), None);
            Ok(created(item, attempt, task, journal))
        }
        (CreateOutcome::Rejected(error), _) => {
            let reason = item_error(&error);
            tracing::warn!(error.type = ?error.kind(), %error, "create rejected");
            match error.kind() {
                ErrorKind::Validation | ErrorKind::InvalidRequest => {
                    end(shared, &item, ItemState::Rejected, reason).await?;
                    Ok(CreateResult::Done)
                }
                _ => Ok(later_or_pause(&error)),
            }
        }
        (CreateOutcome::Unknown { error, .. }, Some(attempt)) => {
            tracing::warn!(error.type = ?error.kind(), %error, "create has an unknown outcome");
            reconcile(shared, item, attempt, journal).await
        }
        (_, None) => Err(BatchError::Ledger(
            "a create was sent without an announcement".into(),
        )),
    }
}

fn created(item: BatchItem, attempt: Attempt, task: Task, journal: Journal) -> CreateResult {
    CreateResult::Created(Box::new(InFlight {
        item,
        attempt,
        task: Some(task),
        journal: Some(journal),
    }))
}

/// What to do after an error that concerns all creates of the account.
fn later_or_pause(error: &kling_omni::Error) -> CreateResult {
    match is_transient(error.kind()) {
        true => CreateResult::Later(item_error(error)),
        false => CreateResult::Pause(item_error(error)),
    }
}

/// Opens the journal of an attempt whose records concern a create.
async fn journal(shared: &RunContext, attempt: impl Into<JournalAttempt>) -> BatchResult<Journal> {
    let known = Some(Arc::clone(&shared.known));
    shared.step.journal(attempt, known, Reason::default()).await
}

/// Settles an attempt of an earlier run.
pub(super) async fn settle(
    shared: &RunContext,
    item: BatchItem,
    attempt: Attempt,
) -> BatchResult<CreateResult> {
    let journal = journal(shared, &attempt).await?;
    reconcile(shared, item, attempt, journal).await
}

/// Finds out whether an announced create made a task. Until then, the account creates nothing else.
async fn reconcile(
    shared: &RunContext,
    item: BatchItem,
    attempt: Attempt,
    mut journal: Journal,
) -> BatchResult<CreateResult> {
    let others = other_creates(shared, &attempt).await?;
    let mut backoff = Backoff::new();
    loop {
        if !matches!(journal.state(), State::Unconfirmed(_)) {
            return Ok(CreateResult::Done);
        }
        let settle_time = shared.step.options.settle_time;
        shared.step.emit(RunEvent::Settling {
            key: item.key.clone(),
            at_most: settle_time,
        });
        let reconciled = journal.reconcile(&shared.step.client, |search| {
            let known = &shared.known.known;
            let search = search.known_tasks(known).settle_time(settle_time);
            let mut search = search.other_creates(others.clone());
            if let Some(webhook) = &shared.step.options.webhook {
                search = search.webhook(&webhook.receiver);
            }
            // An undecided attempt had its time, and does not keep the others waiting.
            match attempt.state {
                AttemptState::Undecided => search,
                _ => search.until_settled(),
            }
        });
        let reconciled = tokio::select! {
            biased;
            reconciled = reconciled => reconciled,
            () = shared.stopped() => return Ok(CreateResult::Done),
        };
        check_written(&journal)?;
        match reconciled {
            Ok(Reconciled::Found { task, .. }) => {
                shared
                    .step
                    .report_task(&item, ItemState::Created, task.id(), None);
                return Ok(created(item, attempt, task, journal));
            }
            Ok(Reconciled::NotCreated) => {
                give_back(shared, &item);
                shared.step.report(&item, ItemState::Prepared, None);
                return Ok(CreateResult::Done);
            }
            Ok(Reconciled::Ambiguous {
                candidates, reason, ..
            }) => {
                let error = ItemError {
                    kind: "ambiguous".to_owned(),
                    text: reason.to_string(),
                };
                set_undecided(shared, &item, &attempt, candidates, error).await?;
                return Ok(CreateResult::Done);
            }
            Ok(other) => {
                let error = ItemError {
                    kind: "ambiguous".to_owned(),
                    text: format!("{other:?}"),
                };
                set_undecided(shared, &item, &attempt, Vec::new(), error).await?;
                return Ok(CreateResult::Done);
            }
            Err(error) if is_transient(error.kind()) => {
                let pause = backoff.next();
                shared.step.emit(RunEvent::Waiting {
                    reason: item_error(&error),
                    delay: pause,
                });
                tokio::select! {
                    () = shared.step.client.clock().sleep(pause) => {}
                    () = shared.stopped() => return Ok(CreateResult::Done),
                }
            }
            Err(error) => return Ok(CreateResult::Pause(item_error(&error))),
        }
    }
}

/// The other creates of the account whose outcome is unknown: each may have made a task that the list did not show in time.
async fn other_creates(
    shared: &RunContext,
    attempt: &Attempt,
) -> BatchResult<Vec<UnconfirmedCreate>> {
    let open = shared
        .step
        .ledger
        .open_attempts(shared.lease.account)
        .await?;
    let mut creates = Vec::new();
    for (other, _) in open {
        if other.id != attempt.id
            && let State::Unconfirmed(create) = journal(shared, &other).await?.state()
        {
            creates.push(create);
        }
    }
    Ok(creates)
}

/// Subtracts a create that made no task from what the spend guard has counted.
fn give_back(shared: &RunContext, item: &BatchItem) {
    if let Some(guard) = &shared.step.options.spend_guard
        && let Ok(request) = item.request.to_request(&item.uploads.urls)
        && let Ok(cost) = guard.cost(&request)
    {
        guard.give_back(cost);
    }
}

async fn set_undecided(
    shared: &RunContext,
    item: &BatchItem,
    attempt: &Attempt,
    candidates: Vec<String>,
    error: ItemError,
) -> BatchResult<()> {
    shared.step.failpoints().before("undecided").await;
    let set =
        shared
            .step
            .ledger
            .set_undecided(&shared.lease, attempt.id, candidates, error.clone());
    set.await?;
    shared.step.failpoints().after("undecided").await;
    shared.step.report(item, ItemState::Unknown, Some(error));
    Ok(())
}

/// Ends a prepared item without a create.
async fn end(
    shared: &RunContext,
    item: &BatchItem,
    to: ItemState,
    error: ItemError,
) -> BatchResult<()> {
    let change = ItemChange::new(item.id, ItemState::Prepared, to).because(error.clone());
    if shared.step.ledger.change_item(change).await? {
        shared.step.report(item, to, Some(error));
    }
    Ok(())
}
