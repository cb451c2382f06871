//! A ledger with items, and records for its attempts.

use std::sync::Arc;

use kling_omni::TextToVideo;
use kling_omni::request::Request;

use crate::error::{BatchError, BatchResult};
use crate::ledger::{
    AccountId, Announcement, Attempt, Batch, ItemChange, ItemQuery, KnownUpdate, Lease, Ledger,
    NewItem, NewRecord,
};
use crate::state::{AttemptState, ItemState};

/// Why a case failed.
pub(super) struct CaseProblem(pub(super) String);

impl From<BatchError> for CaseProblem {
    fn from(error: BatchError) -> Self {
        Self(format!("{error:?}"))
    }
}

pub(super) type CaseResult = Result<(), CaseProblem>;
pub(super) type Handle = Arc<dyn Ledger>;

pub(super) fn expect(holds: bool, what: &str) -> CaseResult {
    match holds {
        true => Ok(()),
        false => Err(CaseProblem(format!("expected: {what}"))),
    }
}

pub(super) fn new_item(number: usize) -> BatchResult<NewItem> {
    changed_item(number, "A cat by the window")
}

pub(super) fn changed_item(number: usize, prompt: &str) -> BatchResult<NewItem> {
    let request = TextToVideo::builder().prompt(format!("{prompt}, take {number}"));
    let request = request.build().map_err(kling_omni::Error::from)?;
    NewItem::new(
        format!("item-{number}"),
        &Request::from(request),
        format!("/videos/{number}.mp4"),
    )
}

/// A ledger with items, an account and its lease.
pub(super) struct PreparedLedger {
    pub(super) batch: Batch,
    pub(super) account: AccountId,
    pub(super) lease: Lease,
}

pub(super) async fn prepared(ledger: &Handle, items: usize) -> BatchResult<PreparedLedger> {
    ledger
        .import("batch", Box::new((0..items).map(new_item)))
        .await?;
    let batch = ledger.batch("batch").await?;
    let account = ledger
        .assign(batch.id, "https://service.example", "key")
        .await?;
    let lease = ledger.acquire(account, "test").await?;
    for item in ledger.items(ItemQuery::new(batch.id)).await? {
        let change = ItemChange::new(item.id, ItemState::Planned, ItemState::Prepared);
        ledger.change_item(change).await?;
    }
    Ok(PreparedLedger {
        batch,
        account,
        lease,
    })
}

pub(super) async fn announce(
    ledger: &Handle,
    prepared: &PreparedLedger,
    item: usize,
) -> BatchResult<Attempt> {
    let items = ledger.items(ItemQuery::new(prepared.batch.id)).await?;
    ledger
        .announce(&prepared.lease, items[item].id, announcement())
        .await
}

fn json(name: &str) -> String {
    format!("{{\"record\":\"{name}\",\"text\":\"naïve — 猫\"}}")
}

/// Two records, as in a run.
pub(super) fn announcement() -> Announcement {
    Announcement {
        records: vec![json("prepared"), json("sending")],
        known: KnownUpdate::default(),
    }
}

pub(super) fn record(
    attempt: &Attempt,
    number: u64,
    state: AttemptState,
    item: ItemState,
) -> NewRecord {
    NewRecord {
        attempt: attempt.id,
        number,
        json: json(state.as_str()),
        attempt_state: state,
        item_state: item,
        task_id: (state == AttemptState::Created).then(|| format!("task-{}", attempt.id.0)),
        file: None,
        error: None,
        known: KnownUpdate::default(),
    }
}

/// The record after the announcement.
pub(super) fn created(attempt: &Attempt) -> NewRecord {
    record(attempt, 2, AttemptState::Created, ItemState::Created)
}
