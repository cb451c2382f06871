//! Cases about jobs and policies.

use std::time::{Duration, SystemTime};

use crate::error::BatchError;
use crate::ledger::conformance::fixture::{
    CaseResult, Handle, PreparedLedger, announce, created, expect, new_item, prepared, record,
};
use crate::ledger::{ItemChange, ItemError, ItemId, ItemQuery, Job, JobQuery, NewRecord, Step};
use crate::state::{AttemptState, ItemState};

fn query(ledger: &PreparedLedger, step: Step, max_jobs: u32) -> JobQuery {
    JobQuery {
        batch: ledger.batch.id,
        step,
        max_jobs,
        ready_at: SystemTime::now(),
    }
}

async fn plan(handle: &Handle, item: ItemId, not_before: Option<SystemTime>) -> CaseResult {
    let change = ItemChange {
        not_before,
        ..ItemChange::new(item, ItemState::Prepared, ItemState::Planned)
    };
    expect(handle.change_item(change).await?, "the item is planned")
}

pub(super) async fn items_have_one_job_of_a_step(first: Handle, second: Handle) -> CaseResult {
    let ledger = prepared(&first, 4).await?;
    let items = first.items(ItemQuery::new(ledger.batch.id)).await?;
    for item in &items[..3] {
        plan(&first, item.id, None).await?;
    }
    let step = Step::Prepare;
    let job = |number: usize| Job {
        item: items[number].id,
        step,
    };
    let queue = |max_jobs| first.queue_jobs(&ledger.lease, query(&ledger, step, max_jobs));
    expect(queue(2).await? == [job(0), job(1)], "the first two items")?;
    expect(queue(2).await?.is_empty(), "no more than two jobs")?;
    second.finish_job(job(0)).await?;
    let again = queue(3).await?;
    expect(again == [job(0), job(2)], "those without a job")?;
    let unfinished = second.unfinished_jobs(ledger.account).await?;
    expect(unfinished.len() == 3, "all jobs are unfinished")?;
    let fetches = query(&ledger, Step::Fetch, 10);
    let fetches = first.queue_jobs(&ledger.lease, fetches).await?;
    expect(fetches.is_empty(), "no item needs to be fetched")
}

pub(super) async fn delayed_items_have_no_job(first: Handle, _: Handle) -> CaseResult {
    let ledger = prepared(&first, 1).await?;
    let item = first.items(ItemQuery::new(ledger.batch.id)).await?[0].id;
    let later = SystemTime::now() + Duration::from_secs(3600);
    plan(&first, item, Some(later)).await?;
    let now = query(&ledger, Step::Prepare, 10);
    let queued = first.queue_jobs(&ledger.lease, now.clone()).await?;
    expect(queued.is_empty(), "it may not begin yet")?;
    let then = JobQuery {
        ready_at: later + Duration::from_secs(1),
        ..now
    };
    let queued = first.queue_jobs(&ledger.lease, then).await?;
    expect(queued.len() == 1, "it may begin")
}

pub(super) async fn lost_lease_queues_nothing(first: Handle, second: Handle) -> CaseResult {
    let ledger = prepared(&first, 1).await?;
    let item = first.items(ItemQuery::new(ledger.batch.id)).await?[0].id;
    plan(&first, item, None).await?;
    let lost = ledger.lease.clone();
    let lost = crate::ledger::Lease::new(lost.account, lost.epoch + 1, None);
    let queued = second.queue_jobs(&lost, query(&ledger, Step::Prepare, 10));
    let is_lost = matches!(queued.await, Err(BatchError::LeaseLost));
    expect(is_lost, "the lease is lost")?;
    let unfinished = first.unfinished_jobs(ledger.account).await?;
    expect(unfinished.is_empty(), "nothing is queued")
}

/// A worker records that a video is saved. It can neither create nor decide.
pub(super) async fn end_of_a_task_needs_no_lease(first: Handle, second: Handle) -> CaseResult {
    let ledger = prepared(&first, 1).await?;
    let attempt = announce(&first, &ledger, 0).await?;
    let again = record(&attempt, 2, AttemptState::Announced, ItemState::Sending);
    let refused = second.append(None, again).await;
    expect(refused.is_err(), "a worker announces nothing")?;
    let refused = second.append(None, created(&attempt)).await;
    expect(refused.is_err(), "a worker does not say that a task exists")?;
    first.append(Some(&ledger.lease), created(&attempt)).await?;
    let other = NewRecord {
        task_id: Some("another".to_owned()),
        ..record(&attempt, 3, AttemptState::Created, ItemState::Ended)
    };
    let refused = second.append(None, other).await;
    expect(refused.is_err(), "a worker does not change the task")?;
    for (number, state) in [
        (3, ItemState::Ended),
        (4, ItemState::Publishing),
        (5, ItemState::Saved),
    ] {
        let next = record(&attempt, number, AttemptState::Created, state);
        second.append(None, next.clone()).await?;
        let is_refused = matches!(
            second.append(None, next).await,
            Err(BatchError::RecordExists { .. })
        );
        expect(is_refused, "a record is appended once")?;
    }
    let item = first.item_by_id(attempt.item).await?;
    let is_saved = item.is_some_and(|item| item.state == ItemState::Saved);
    expect(is_saved, "the item is saved")
}

pub(super) async fn policy_is_durable(first: Handle, second: Handle) -> CaseResult {
    let batch = prepared(&first, 1).await?.batch;
    expect(batch.policy.is_none(), "a batch has no policy at first")?;
    for policy in [Some("{\"in_flight\":7}".to_owned()), None] {
        first.set_policy(batch.id, policy.clone()).await?;
        let found = second.batch_of(batch.id).await?;
        expect(found.policy == policy, "the policy that was set")?;
    }
    let accounts = second.accounts().await?;
    let names = accounts
        .iter()
        .map(|account| account.key_fingerprint.as_str());
    expect(names.eq(["key"]), "one account")
}

pub(super) async fn metrics_count_everything(first: Handle, second: Handle) -> CaseResult {
    let ledger = prepared(&first, 3).await?;
    let items = first.items(ItemQuery::new(ledger.batch.id)).await?;
    plan(&first, items[2].id, None).await?;
    first
        .queue_jobs(&ledger.lease, query(&ledger, Step::Prepare, 10))
        .await?;
    let attempt = announce(&first, &ledger, 0).await?;
    let undecided = ItemError {
        kind: "unknown".to_owned(),
        text: "no list".to_owned(),
    };
    first
        .set_undecided(&ledger.lease, attempt.id, Vec::new(), undecided)
        .await?;
    let metrics = second.metrics().await?;
    let [batch] = &metrics.batches[..] else {
        return expect(false, "one batch");
    };
    expect(
        (&batch.name, batch.account) == (&ledger.batch.name, Some(ledger.account)),
        "its name and account",
    )?;
    let counts = second.counts(ledger.batch.id).await?;
    expect(batch.items == counts && counts.len() == 3, "items by state")?;
    let seconds = u64::from(new_item(0)?.seconds);
    expect(
        (batch.tasks, batch.seconds) == (1, seconds),
        "one task that may be paid",
    )?;
    let jobs = batch.jobs.iter().map(|(step, queued)| (*step, queued.jobs));
    expect(jobs.collect::<Vec<_>>() == [(Step::Prepare, 1)], "one job")?;
    expect(batch.recent.is_empty(), "no video was saved")?;
    let [account] = &metrics.accounts[..] else {
        return expect(false, "one account");
    };
    expect(
        (account.account, account.undecided) == (ledger.account, 1),
        "one undecided attempt of the account",
    )?;
    expect(account.holder.as_deref() == Some("test"), "the holder")?;
    let is_held = account.is_held;
    first.release(ledger.lease).await?;
    let after = second.metrics().await?.accounts[0].is_held;
    expect(
        matches!((is_held, after), (None, None) | (Some(true), Some(false))),
        "the lease is held until it is released",
    )
}
