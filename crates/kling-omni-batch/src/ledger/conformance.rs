//! The tests that an implementation of [`Ledger`] has to pass.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use kling_omni::TextToVideo;
use kling_omni::request::Request;

use crate::error::{BatchError, BatchResult};
use crate::ledger::{
    AccountId, Attempt, Batch, ItemChange, ItemError, ItemQuery, KnownUpdate, Lease, Ledger,
    NewItem, NewRecord, Reopening,
};
use crate::state::{AttemptState, BatchState, ItemState};

/// A case that an implementation did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Nonconformance {
    /// The name of the case.
    pub case: &'static str,
    /// What was wrong.
    pub problem: String,
}

impl fmt::Display for Nonconformance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.case, self.problem)
    }
}

/// Runs all cases. `open` opens the ledger of this name, and creates it if it does not exist: called again with the same
/// name, it returns another handle to the same ledger.
///
/// # Errors
///
/// Every case that failed.
pub async fn check<F>(open: impl Fn(&'static str) -> F) -> Result<(), Vec<Nonconformance>>
where
    F: Future<Output = BatchResult<Arc<dyn Ledger>>>,
{
    let mut failed = Vec::new();
    macro_rules! cases {
        ($($case:ident,)+) => {$(
            let case = stringify!($case);
            let result = match (open(case).await, open(case).await) {
                (Ok(first), Ok(second)) => $case(first, second).await,
                (Err(error), _) | (_, Err(error)) => Err(error.into()),
            };
            if let Err(problem) = result {
                failed.push(Nonconformance { case, problem: problem.0 });
            }
        )+};
    }
    cases! {
        import_is_idempotent,
        changed_items_are_refused,
        items_are_paged_in_order,
        changes_compare_the_state,
        paid_once_holds,
        turnstile_holds,
        records_are_compared_and_appended,
        lost_lease_writes_nothing,
        second_run_is_refused,
        undecided_attempt_frees_the_turnstile,
        failed_task_is_reopened,
        known_tasks_are_durable,
        batches_belong_to_one_account,
        events_are_in_order,
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(failed),
    }
}

/// Why a case failed.
struct Problem(String);

impl From<BatchError> for Problem {
    fn from(error: BatchError) -> Self {
        Self(format!("{error:?}"))
    }
}

type CaseResult = Result<(), Problem>;
type Handle = Arc<dyn Ledger>;

fn expect(holds: bool, what: &str) -> CaseResult {
    match holds {
        true => Ok(()),
        false => Err(Problem(format!("expected: {what}"))),
    }
}

fn new_item(number: usize) -> BatchResult<NewItem> {
    changed_item(number, "A cat by the window")
}

fn changed_item(number: usize, prompt: &str) -> BatchResult<NewItem> {
    let request = TextToVideo::builder().prompt(format!("{prompt}, take {number}"));
    let request = request.build().map_err(kling_omni::Error::from)?;
    NewItem::new(
        format!("item-{number}"),
        &Request::from(request),
        format!("/videos/{number}.mp4"),
    )
}

/// A ledger with items, an account and its lease.
struct Prepared {
    batch: Batch,
    account: AccountId,
    lease: Lease,
}

async fn prepared(ledger: &Handle, items: usize) -> BatchResult<Prepared> {
    ledger
        .import("batch", Box::new((0..items).map(new_item)))
        .await?;
    let batch = ledger.batch("batch").await?;
    let account = ledger
        .assign(batch.id, "https://service.example", "key")
        .await?;
    let lease = ledger.acquire(account, "test").await?;
    let all = all_items(&batch);
    for item in ledger.items(all).await? {
        let change = ItemChange::new(item.id, ItemState::Planned, ItemState::Prepared);
        ledger.change_item(change).await?;
    }
    Ok(Prepared {
        batch,
        account,
        lease,
    })
}

fn all_items(batch: &Batch) -> ItemQuery {
    ItemQuery {
        batch: batch.id,
        states: Vec::new(),
        from: 0,
        limit: u32::MAX,
        ready_at: None,
    }
}

async fn begin(ledger: &Handle, prepared: &Prepared, item: usize) -> BatchResult<Attempt> {
    let items = ledger.items(all_items(&prepared.batch)).await?;
    ledger.begin_attempt(&prepared.lease, items[item].id).await
}

fn record(attempt: &Attempt, number: u64, state: AttemptState, item: ItemState) -> NewRecord {
    NewRecord {
        attempt: attempt.id,
        number,
        json: format!("{{\"record\":\"{state}\",\"text\":\"naïve — 猫\"}}"),
        attempt_state: state,
        item_state: item,
        task_id: (state == AttemptState::Created).then(|| format!("task-{}", attempt.id.0)),
        file: None,
        error: None,
        is_failure: item == ItemState::Failed,
        known: KnownUpdate::default(),
    }
}

fn announced(attempt: &Attempt) -> NewRecord {
    record(attempt, 0, AttemptState::Announced, ItemState::Sending)
}

fn created(attempt: &Attempt) -> NewRecord {
    record(attempt, 1, AttemptState::Created, ItemState::Created)
}

async fn import_is_idempotent(first: Handle, second: Handle) -> CaseResult {
    let items = || Box::new((0..5).map(new_item));
    let imported = first.import("batch", items()).await?;
    expect((imported.added, imported.unchanged) == (5, 0), "5 added")?;
    let imported = second.import("batch", items()).await?;
    expect(
        (imported.added, imported.unchanged) == (0, 5),
        "5 unchanged",
    )?;
    let imported = first
        .import("batch", Box::new((0..7).map(new_item)))
        .await?;
    expect((imported.added, imported.unchanged) == (2, 5), "2 added")?;
    let counts = second.counts(first.batch("batch").await?.id).await?;
    expect(
        counts.into_iter().eq([(ItemState::Planned, 7)]),
        "7 planned items",
    )
}

async fn changed_items_are_refused(first: Handle, _: Handle) -> CaseResult {
    first
        .import("batch", Box::new((0..2).map(new_item)))
        .await?;
    let changed = (0..3).rev().map(|number| match number {
        0 => changed_item(0, "A dog"),
        _ => new_item(number),
    });
    let error = first.import("batch", Box::new(changed)).await;
    expect(
        matches!(error, Err(BatchError::Changed { key, .. }) if key == "item-0"),
        "Changed",
    )?;
    let same = [2, 1].map(|number| {
        new_item(number).map(|item| NewItem {
            key: format!("other-{number}"),
            ..item
        })
    });
    let error = first.import("batch", Box::new(same.into_iter())).await;
    expect(
        matches!(error, Err(BatchError::SamePath { other, .. }) if other == "item-1"),
        "SamePath",
    )?;
    let counts = first.counts(first.batch("batch").await?.id).await?;
    expect(
        counts.values().sum::<u64>() == 2,
        "nothing added by a refused import",
    )
}

async fn items_are_paged_in_order(first: Handle, _: Handle) -> CaseResult {
    let prepared = prepared(&first, 10).await?;
    let later = SystemTime::now() + Duration::from_secs(60);
    let all = first.items(all_items(&prepared.batch)).await?;
    for (item, to) in [
        (&all[2], ItemState::Rejected),
        (&all[4], ItemState::Planned),
    ] {
        let change = ItemChange {
            not_before: Some(later),
            ..ItemChange::new(item.id, ItemState::Prepared, to)
        };
        first.change_item(change).await?;
    }
    let query = ItemQuery {
        states: vec![ItemState::Prepared, ItemState::Planned],
        from: 1,
        limit: 4,
        ..all_items(&prepared.batch)
    };
    let positions = |items: Vec<crate::ledger::Item>| {
        items.iter().map(|item| item.position).collect::<Vec<_>>()
    };
    let found = positions(first.items(query.clone()).await?);
    expect(
        found == [1, 3, 4, 5],
        &format!("items 1, 3, 4, 5 instead of {found:?}"),
    )?;
    let ready = ItemQuery {
        ready_at: Some(SystemTime::now()),
        ..query
    };
    let found = positions(first.items(ready).await?);
    expect(
        found == [1, 3, 5, 6],
        &format!("items 1, 3, 5, 6 instead of {found:?}"),
    )?;
    let next = first
        .next_ready(
            prepared.batch.id,
            vec![ItemState::Planned],
            SystemTime::now(),
        )
        .await?;
    expect(
        next.is_some_and(|next| next > SystemTime::now()),
        "a time in the future",
    )
}

async fn changes_compare_the_state(first: Handle, second: Handle) -> CaseResult {
    let prepared = prepared(&first, 1).await?;
    let item = first.items(all_items(&prepared.batch)).await?.remove(0);
    let change =
        ItemChange::new(item.id, ItemState::Prepared, ItemState::Rejected).because(ItemError {
            kind: "validation".to_owned(),
            text: "too long".to_owned(),
        });
    let (one, two) = (
        first.change_item(change.clone()).await?,
        second.change_item(change).await?,
    );
    expect((one, two) == (true, false), "the second change is refused")?;
    let item = second.item(prepared.batch.id, "item-0").await?;
    let error = item.and_then(|item| item.error);
    expect(
        error.is_some_and(|error| error.text == "too long"),
        "the error is kept",
    )
}

async fn paid_once_holds(first: Handle, _: Handle) -> CaseResult {
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

async fn turnstile_holds(first: Handle, second: Handle) -> CaseResult {
    let prepared = prepared(&first, 2).await?;
    let lease = Some(&prepared.lease);
    let (one, two) = (
        begin(&first, &prepared, 0).await?,
        begin(&first, &prepared, 1).await?,
    );
    first.append(lease, announced(&one)).await?;
    let error = second.append(lease, announced(&two)).await;
    expect(
        matches!(error, Err(BatchError::Forbidden { rule: "turnstile" })),
        "turnstile",
    )?;
    first.append(lease, created(&one)).await?;
    second.append(lease, announced(&two)).await?;
    let open = first.open_attempts(prepared.account).await?;
    expect(
        open.len() == 1 && open[0].0.id == two.id,
        "one attempt is in the air",
    )
}

async fn records_are_compared_and_appended(first: Handle, second: Handle) -> CaseResult {
    let prepared = prepared(&first, 1).await?;
    let attempt = begin(&first, &prepared, 0).await?;
    let lease = Some(&prepared.lease);
    let (one, two) = futures_util::future::join(
        first.append(lease, announced(&attempt)),
        second.append(lease, announced(&attempt)),
    ).await;
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

async fn lost_lease_writes_nothing(first: Handle, second: Handle) -> CaseResult {
    let prepared = prepared(&first, 1).await?;
    let attempt = begin(&first, &prepared, 0).await?;
    let Prepared { account, lease, .. } = prepared;
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

async fn second_run_is_refused(first: Handle, second: Handle) -> CaseResult {
    let prepared = prepared(&first, 1).await?;
    let error = second.acquire(prepared.account, "other").await;
    expect(matches!(error, Err(BatchError::InUse { .. })), "InUse")?;
    first.release(prepared.lease).await?;
    let lease = second.acquire(prepared.account, "other").await?;
    second.renew(&lease).await?;
    Ok(())
}

async fn undecided_attempt_frees_the_turnstile(first: Handle, _: Handle) -> CaseResult {
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
    // Another search does not close the turnstile again.
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

async fn failed_task_is_reopened(first: Handle, _: Handle) -> CaseResult {
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
    expect(second.number == 2, "the second attempt")?;
    first.append(lease, announced(&second)).await?;
    let tasks: u64 = first
        .spent(prepared.batch.id)
        .await?
        .iter()
        .map(|group| group.tasks)
        .sum();
    expect(tasks == 2, "two tasks are paid for, or may be")?;
    let late = record(&attempt, 3, AttemptState::Created, ItemState::Created);
    expect(
        first.append(lease, late).await.is_err(),
        "a closed attempt has no more records",
    )
}

async fn known_tasks_are_durable(first: Handle, second: Handle) -> CaseResult {
    let prepared = prepared(&first, 1).await?;
    let update = |from, entries: &[&str], facts: Option<&str>| KnownUpdate {
        from,
        entries: entries.iter().map(|entry| (*entry).to_owned()).collect(),
        facts: facts.map(str::to_owned),
    };
    let (one, two) = (update(0, &["a", "b"], Some("{}")), update(2, &["c"], None));
    first.add_known_tasks(&prepared.lease, one).await?;
    let attempt = begin(&first, &prepared, 0).await?;
    let sending = NewRecord {
        known: two,
        ..announced(&attempt)
    };
    first.append(Some(&prepared.lease), sending).await?;
    let known = second.known_tasks(prepared.account).await?;
    expect(
        known == update(0, &["a", "b", "c"], Some("{}")),
        "all entries and the facts",
    )?;
    let again = first
        .add_known_tasks(&prepared.lease, update(1, &["x"], None))
        .await;
    expect(again.is_err(), "an entry is never replaced")
}

async fn batches_belong_to_one_account(first: Handle, second: Handle) -> CaseResult {
    let prepared = prepared(&first, 1).await?;
    let assign = |service, key| second.assign(prepared.batch.id, service, key);
    let same = assign("https://service.example", "key").await?;
    expect(same == prepared.account, "the same account")?;
    for (service, key) in [
        ("https://service.example", "other"),
        ("https://other.example", "key"),
    ] {
        let error = assign(service, key).await;
        expect(
            matches!(error, Err(BatchError::OtherAccount { .. })),
            "OtherAccount",
        )?;
    }
    expect(first.salt().await? == second.salt().await?, "one salt")?;
    let reason = Some("no credit".to_owned());
    first
        .set_batch_state(prepared.batch.id, BatchState::Paused, reason.clone())
        .await?;
    let batch = second.batch("batch").await?;
    expect(
        (batch.state, batch.reason) == (BatchState::Paused, reason),
        "paused",
    )?;
    let missing = second.batch("nowhere").await;
    expect(
        matches!(missing, Err(BatchError::NoSuchBatch { .. })),
        "NoSuchBatch",
    )
}

async fn events_are_in_order(first: Handle, second: Handle) -> CaseResult {
    let prepared = prepared(&first, 2).await?;
    let attempt = begin(&first, &prepared, 1).await?;
    first
        .append(Some(&prepared.lease), announced(&attempt))
        .await?;
    first
        .append(Some(&prepared.lease), created(&attempt))
        .await?;
    let events = second
        .events(prepared.batch.id, Some(attempt.item), 0, 100)
        .await?;
    let states: Vec<_> = events.iter().map(|event| event.state).collect();
    let expected = [ItemState::Prepared, ItemState::Sending, ItemState::Created];
    expect(
        states == expected,
        &format!("the history of the item, not {states:?}"),
    )?;
    expect(events[2].detail.task_id.is_some(), "the task")?;
    let all = second.events(prepared.batch.id, None, 0, 100).await?;
    expect(
        all.len() == 4 && all.is_sorted_by_key(|event| event.number),
        "all events in order",
    )?;
    let rest = second
        .events(prepared.batch.id, None, all[1].number, 1)
        .await?;
    expect(rest == all[2..3], "the event after another one")
}
