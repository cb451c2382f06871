//! Cases about attempts and leases: what may spend money.

use crate::error::BatchError;
use crate::ledger::conformance::fixture::*;
use crate::ledger::{ItemChange, ItemError, Lease, NewRecord, Reopening};
use crate::state::{AttemptState, ItemState};

pub(super) async fn paid_once_holds(first: Handle, _: Handle) -> CaseResult {
    let prepared = prepared(&first, 1).await?;
    let attempt = begin(&first, &prepared, 0).await?;
    let lease = Some(&prepared.lease);
    first.append(lease, announced(&attempt)).await?;
    let error = begin(&first, &prepared, 0).await;
    expect(
        matches!(error, Err(BatchError::ItemIs { .. })),
        "no attempt for an item that is sending",
    )?;
    first.append(lease, created(&attempt)).await?;
    let error = begin(&first, &prepared, 0).await;
    expect(
        matches!(error, Err(BatchError::ItemIs { .. })),
        "no attempt for a created item",
    )?;
    // Whatever a caller does with the item, the attempt keeps the rule.
    let change = ItemChange::new(attempt.item, ItemState::Created, ItemState::Prepared);
    first.change_item(change).await?;
    let again = begin(&first, &prepared, 0).await?;
    let error = first.append(lease, announced(&again)).await;
    expect(
        matches!(error, Err(BatchError::Forbidden { rule: "paid_once" })),
        "paid_once",
    )?;
    expect(
        first.records(again.id).await?.is_empty(),
        "nothing was written",
    )
}

pub(super) async fn one_unconfirmed_holds(first: Handle, second: Handle) -> CaseResult {
    let prepared = prepared(&first, 2).await?;
    let lease = Some(&prepared.lease);
    let (one, two) = (
        begin(&first, &prepared, 0).await?,
        begin(&first, &prepared, 1).await?,
    );
    first.append(lease, announced(&one)).await?;
    let error = second.append(lease, announced(&two)).await;
    expect(
        matches!(
            error,
            Err(BatchError::Forbidden {
                rule: "one_unconfirmed"
            })
        ),
        "one_unconfirmed",
    )?;
    first.append(lease, created(&one)).await?;
    second.append(lease, announced(&two)).await?;
    let open = first.open_attempts(prepared.account).await?;
    expect(
        open.len() == 1 && open[0].0.id == two.id,
        "one attempt is unconfirmed",
    )
}

pub(super) async fn records_are_compared_and_appended(first: Handle, second: Handle) -> CaseResult {
    let prepared = prepared(&first, 1).await?;
    let attempt = begin(&first, &prepared, 0).await?;
    let lease = Some(&prepared.lease);
    let (one, two) = futures_util::future::join(
        first.append(lease, announced(&attempt)),
        second.append(lease, announced(&attempt)),
    )
    .await;
    expect(
        one.is_ok() != two.is_ok(),
        "exactly one of two appends succeeds",
    )?;
    let error = one.and(two);
    expect(
        matches!(error, Err(BatchError::RecordExists { number: 0 })),
        "RecordExists",
    )?;
    let gap = NewRecord {
        number: 2,
        ..created(&attempt)
    };
    expect(
        first.append(lease, gap).await.is_err(),
        "no gap between records",
    )?;
    second.append(lease, created(&attempt)).await?;
    let records = first.records(attempt.id).await?;
    let expected = [announced(&attempt).json, created(&attempt).json];
    expect(records == expected, "both records, unchanged and in order")
}

pub(super) async fn lost_lease_writes_nothing(first: Handle, second: Handle) -> CaseResult {
    let prepared = prepared(&first, 1).await?;
    let attempt = begin(&first, &prepared, 0).await?;
    let PreparedLedger { account, lease, .. } = prepared;
    // A holder that does not know that it lost the account.
    let lost = Lease::new(account, lease.epoch, None);
    first.release(lease).await?;
    let lease = second.acquire(account, "other").await?;
    expect(lease.epoch > lost.epoch, "the epoch grows")?;
    let error = first.append(Some(&lost), announced(&attempt)).await;
    expect(
        matches!(error, Err(BatchError::LeaseLost)),
        "LeaseLost by append",
    )?;
    let error = first.begin_attempt(&lost, attempt.item).await;
    expect(
        matches!(error, Err(BatchError::LeaseLost)),
        "LeaseLost by begin_attempt",
    )?;
    expect(
        matches!(first.renew(&lost).await, Err(BatchError::LeaseLost)),
        "LeaseLost by renew",
    )?;
    expect(
        first.records(attempt.id).await?.is_empty(),
        "nothing was written",
    )?;
    let error = first.append(None, announced(&attempt)).await;
    expect(error.is_err(), "no record without a lease")?;
    second.append(Some(&lease), announced(&attempt)).await?;
    Ok(())
}

pub(super) async fn second_run_is_refused(first: Handle, second: Handle) -> CaseResult {
    let prepared = prepared(&first, 1).await?;
    let error = second.acquire(prepared.account, "other").await;
    expect(matches!(error, Err(BatchError::InUse { .. })), "InUse")?;
    first.release(prepared.lease).await?;
    let lease = second.acquire(prepared.account, "other").await?;
    second.renew(&lease).await?;
    Ok(())
}

pub(super) async fn undecided_attempt_permits_another_create(
    first: Handle,
    _: Handle,
) -> CaseResult {
    let prepared = prepared(&first, 2).await?;
    let lease = Some(&prepared.lease);
    let attempt = begin(&first, &prepared, 0).await?;
    first.append(lease, announced(&attempt)).await?;
    let reason = ItemError {
        kind: "ambiguous".to_owned(),
        text: "two candidates".to_owned(),
    };
    let candidates = vec!["task-a".to_owned(), "task-b".to_owned()];
    first
        .set_undecided(&prepared.lease, attempt.id, candidates.clone(), reason)
        .await?;
    let other = begin(&first, &prepared, 1).await?;
    first.append(lease, announced(&other)).await?;
    let unknown = first.latest_attempt(attempt.item).await?;
    expect(
        unknown.is_some_and(|attempt| attempt.candidates == candidates),
        "the candidates are kept",
    )?;
    // Another search does not forbid creates again.
    let search = record(&attempt, 1, AttemptState::Unknown, ItemState::Sending);
    first.append(lease, search).await?;
    let state = first
        .latest_attempt(attempt.item)
        .await?
        .map(|attempt| attempt.state);
    expect(state == Some(AttemptState::Undecided), "still undecided")?;
    let back = first
        .reopen(attempt.item, ItemState::Unknown, Reopening::Create)
        .await?;
    expect(!back, "an undecided item is not created again")?;
    // A person decides.
    first
        .append(
            None,
            NewRecord {
                number: 2,
                ..created(&attempt)
            },
        )
        .await?;
    let item = first.item(prepared.batch.id, "item-0").await?;
    expect(
        item.is_some_and(|item| item.state == ItemState::Created),
        "the item is created",
    )
}

pub(super) async fn failed_task_is_reopened(first: Handle, _: Handle) -> CaseResult {
    let prepared = prepared(&first, 1).await?;
    let lease = Some(&prepared.lease);
    let attempt = begin(&first, &prepared, 0).await?;
    first.append(lease, announced(&attempt)).await?;
    first.append(lease, created(&attempt)).await?;
    let failed = record(&attempt, 2, AttemptState::Created, ItemState::Failed);
    first.append(lease, failed).await?;
    let item = first.item(prepared.batch.id, "item-0").await?;
    let request = item.map(|item| item.request_sha256).unwrap_or_default();
    expect(
        first.failed_tasks(prepared.account, &request).await? == 1,
        "one failed task",
    )?;
    let back = first
        .reopen(attempt.item, ItemState::Saved, Reopening::Create)
        .await?;
    expect(!back, "the state is compared")?;
    expect(
        first
            .reopen(attempt.item, ItemState::Failed, Reopening::Create)
            .await?,
        "reopened",
    )?;
    let change = ItemChange::new(attempt.item, ItemState::Planned, ItemState::Prepared);
    first.change_item(change).await?;
    let second = begin(&first, &prepared, 0).await?;
    let counts = (second.number, second.failed_tasks);
    expect(
        counts == (2, 1),
        "the second attempt, after one failed task",
    )?;
    first.append(lease, announced(&second)).await?;
    let tasks: u64 = first
        .spent(prepared.batch.id)
        .await?
        .iter()
        .map(|(group, _)| group.tasks)
        .sum();
    expect(tasks == 2, "two tasks are paid for, or may be")?;
    let late = record(&attempt, 3, AttemptState::Created, ItemState::Created);
    expect(
        first.append(lease, late).await.is_err(),
        "a closed attempt has no more records",
    )
}
