//! Cases about attempts and leases: what may spend money.

use crate::error::BatchError;
use crate::ledger::conformance::fixture::*;
use crate::ledger::{Attempt, ItemChange, ItemError, ItemQuery, Lease, NewRecord, Reopening};
use crate::state::{AttemptState, ItemState};

pub(super) async fn paid_once_holds(first: Handle, _: Handle) -> CaseResult {
    let prepared = prepared(&first, 1).await?;
    let attempt = announce(&first, &prepared, 0).await?;
    let lease = Some(&prepared.lease);
    let error = announce(&first, &prepared, 0).await;
    expect(
        matches!(error, Err(BatchError::ItemIs { .. })),
        "no attempt for an item that is sending",
    )?;
    first.append(lease, created(&attempt)).await?;
    let error = announce(&first, &prepared, 0).await;
    expect(
        matches!(error, Err(BatchError::ItemIs { .. })),
        "no attempt for a created item",
    )?;
    // Whatever a caller does with the item, the attempt keeps the rule.
    let change = ItemChange::new(attempt.item, ItemState::Created, ItemState::Prepared);
    first.change_item(change).await?;
    let error = announce(&first, &prepared, 0).await;
    expect(
        matches!(error, Err(BatchError::Forbidden { rule: "paid_once" })),
        "paid_once",
    )?;
    let item = first.item_by_id(attempt.item).await?;
    expect(
        item.is_some_and(|item| (item.state, item.attempts) == (ItemState::Prepared, 1)),
        "nothing was written",
    )
}

pub(super) async fn one_unconfirmed_holds(first: Handle, second: Handle) -> CaseResult {
    let prepared = prepared(&first, 2).await?;
    let lease = Some(&prepared.lease);
    let one = announce(&first, &prepared, 0).await?;
    let error = announce(&second, &prepared, 1).await;
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
    let two = announce(&second, &prepared, 1).await?;
    expect(two.number == 1, "nothing was written")?;
    let open = first.open_attempts(prepared.account).await?;
    expect(
        open.len() == 1 && open[0].0 == two,
        "one attempt is unconfirmed",
    )
}

pub(super) async fn item_is_announced_once(first: Handle, second: Handle) -> CaseResult {
    let prepared = prepared(&first, 1).await?;
    let (one, two) = futures_util::future::join(
        announce(&first, &prepared, 0),
        announce(&second, &prepared, 0),
    )
    .await;
    let (attempt, error) = match (one, two) {
        (Ok(attempt), Err(error)) | (Err(error), Ok(attempt)) => (attempt, error),
        _ => return expect(false, "exactly one of two announcements succeeds"),
    };
    expect(matches!(error, BatchError::ItemIs { .. }), "ItemIs")?;
    let latest = second.latest_attempt(attempt.item).await?;
    expect(latest.as_ref() == Some(&attempt), "the attempt")?;
    expect(
        (attempt.number, attempt.state) == (1, AttemptState::Announced),
        "the first one, announced",
    )?;
    let records = second.records(attempt.id).await?;
    expect(
        records == announcement().records,
        "its records, unchanged and in order",
    )
}

pub(super) async fn attempt_without_a_task_is_closed(first: Handle, _: Handle) -> CaseResult {
    let prepared = prepared(&first, 1).await?;
    let lease = Some(&prepared.lease);
    let mut earlier: Option<Attempt> = None;
    for state in [
        Some(AttemptState::Rejected),
        Some(AttemptState::Prepared),
        None,
    ] {
        let attempt = announce(&first, &prepared, 0).await?;
        if let Some(earlier) = &earlier {
            let late = NewRecord {
                number: 3,
                ..created(earlier)
            };
            expect(
                first.append(lease, late).await.is_err(),
                "a closed attempt has no more records",
            )?;
            expect(
                attempt.number == earlier.number + 1,
                "the attempts are counted",
            )?;
        }
        if let Some(state) = state {
            let no_task = record(&attempt, 2, state, ItemState::Prepared);
            first.append(lease, no_task).await?;
        }
        earlier = Some(attempt);
    }
    Ok(())
}

pub(super) async fn records_are_compared_and_appended(first: Handle, second: Handle) -> CaseResult {
    let prepared = prepared(&first, 1).await?;
    let attempt = announce(&first, &prepared, 0).await?;
    let lease = Some(&prepared.lease);
    let gap = NewRecord {
        number: 3,
        ..created(&attempt)
    };
    expect(
        first.append(lease, gap).await.is_err(),
        "no gap between records",
    )?;
    let (one, two) = futures_util::future::join(
        first.append(lease, created(&attempt)),
        second.append(lease, created(&attempt)),
    )
    .await;
    expect(
        one.is_ok() != two.is_ok(),
        "exactly one of two appends succeeds",
    )?;
    let error = one.and(two);
    expect(
        matches!(error, Err(BatchError::RecordExists { number: 2 })),
        "RecordExists",
    )?;
    let records = first.records(attempt.id).await?;
    let mut expected = announcement().records;
    expected.push(created(&attempt).json);
    expect(
        records == expected,
        "all records, each once, unchanged and in order",
    )
}

pub(super) async fn lost_lease_writes_nothing(first: Handle, second: Handle) -> CaseResult {
    let mut prepared = prepared(&first, 2).await?;
    let attempt = announce(&first, &prepared, 0).await?;
    let account = prepared.account;
    // A holder that does not know that it lost the account.
    let lost = Lease::new(account, prepared.lease.epoch, None);
    first.release(prepared.lease).await?;
    prepared.lease = second.acquire(account, "other").await?;
    expect(prepared.lease.epoch > lost.epoch, "the epoch grows")?;
    let error = first.append(Some(&lost), created(&attempt)).await;
    expect(
        matches!(error, Err(BatchError::LeaseLost)),
        "LeaseLost by append",
    )?;
    let none = second.append(None, created(&attempt)).await;
    expect(none.is_err(), "no record without a lease")?;
    expect(
        first.records(attempt.id).await? == announcement().records,
        "nothing was written",
    )?;
    second
        .append(Some(&prepared.lease), created(&attempt))
        .await?;
    let items = first.items(ItemQuery::new(prepared.batch.id)).await?;
    for item in &items {
        let error = first.announce(&lost, item.id, announcement()).await;
        expect(
            matches!(error, Err(BatchError::LeaseLost)),
            &format!("LeaseLost by announce of an item that is {}", item.state),
        )?;
    }
    expect(
        first.latest_attempt(items[1].id).await?.is_none(),
        "nothing was announced",
    )?;
    expect(
        matches!(first.renew(&lost).await, Err(BatchError::LeaseLost)),
        "LeaseLost by renew",
    )?;
    let next = announce(&second, &prepared, 1).await?;
    expect(next.number == 1, "the first attempt of the item")
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
    let attempt = announce(&first, &prepared, 0).await?;
    let reason = ItemError {
        kind: "ambiguous".to_owned(),
        text: "two candidates".to_owned(),
    };
    let candidates = vec!["task-a".to_owned(), "task-b".to_owned()];
    first
        .set_undecided(&prepared.lease, attempt.id, candidates.clone(), reason)
        .await?;
    announce(&first, &prepared, 1).await?;
    let unknown = first.latest_attempt(attempt.item).await?;
    expect(
        unknown.is_some_and(|attempt| attempt.candidates == candidates),
        "the candidates are kept",
    )?;
    // Another search does not forbid creates again.
    let search = record(&attempt, 2, AttemptState::Unknown, ItemState::Sending);
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
                number: 3,
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
    let attempt = announce(&first, &prepared, 0).await?;
    first.append(lease, created(&attempt)).await?;
    let failed = record(&attempt, 3, AttemptState::Created, ItemState::Failed);
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
    let second = announce(&first, &prepared, 0).await?;
    let counts = (second.number, second.failed_tasks);
    expect(
        counts == (2, 1),
        "the second attempt, after one failed task",
    )?;
    let tasks: u64 = first
        .spent(prepared.batch.id)
        .await?
        .iter()
        .map(|(group, _)| group.tasks)
        .sum();
    expect(tasks == 2, "two tasks are paid for, or may be")?;
    let late = record(&attempt, 4, AttemptState::Created, ItemState::Created);
    expect(
        first.append(lease, late).await.is_err(),
        "a closed attempt has no more records",
    )
}
