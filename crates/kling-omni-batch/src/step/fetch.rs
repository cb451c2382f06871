//! Waits for the task of an item, and saves its video. Costs nothing and may run twice.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use futures_util::StreamExt as _;
use kling_omni::journal::{Journal, State};
use kling_omni::polling::{TaskStatus, Wait};
use kling_omni::{Error, ErrorKind, Task, Video};
use tokio::io::AsyncReadExt as _;

use crate::attempt_store::{Reason, check_written};
use crate::error::BatchResult;
use crate::ledger::{
    Attempt, BatchId, BatchItem, ItemChange, ItemError, ItemId, ItemQuery, PAGE, Reopening,
    SavedFile,
};
use crate::object_url::is_url;
use crate::state::ItemState;
use crate::step::StepContext;
use crate::step::prepare::item_error;

/// How often a step of an item fails in a row before the item counts as failed. With the delays between, it takes about six
/// minutes.
const MAX_FAILURES: u32 = 10;

/// An item whose task exists.
pub(crate) struct InFlight {
    pub(crate) item: BatchItem,
    pub(crate) attempt: Attempt,
    /// The task, if this run created it.
    pub(crate) task: Option<Task>,
    /// The journal of the attempt, if this run created the task.
    pub(crate) journal: Option<Journal>,
}

/// A video to save. The greatest one expires first.
pub(crate) struct ReadyVideo {
    pub(crate) item: BatchItem,
    attempt: Attempt,
    journal: Journal,
    video: Video,
}

impl ReadyVideo {
    fn expires_at(&self) -> Option<SystemTime> {
        self.video.expires_at()
    }
}

impl Ord for ReadyVideo {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |ready: &Self| {
            let expires = ready.expires_at();
            (expires.is_none(), expires, ready.item.position)
        };
        key(other).cmp(&key(self))
    }
}

impl PartialOrd for ReadyVideo {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ReadyVideo {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for ReadyVideo {}

/// What became of an item in flight.
pub(crate) enum FetchResult {
    /// Its task is completed.
    Completed(ItemId),
    /// Its video can be saved.
    Ready(Box<ReadyVideo>),
    /// It is saved, failed, or will be tried again.
    Done(ItemId),
    /// Its task failed, and is created again.
    Reopened(ItemId),
    /// It will be tried again, after a person acted.
    Pause(ItemId, ItemError),
}

/// What a wait is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitFor {
    /// The video, to save it.
    Video,
    /// The completion of the task: a worker reads its result. A task that a list shows completed is not read.
    Completion,
}

/// Waits until the task of an item is completed or failed.
pub(crate) async fn wait(
    context: &StepContext,
    in_flight: InFlight,
    wait_for: WaitFor,
) -> BatchResult<FetchResult> {
    let (mut waiting, wait) = match begin_wait(context, in_flight).await? {
        Ok(begun) => begun,
        Err(ended) => return Ok(ended),
    };
    let waited = match wait_for {
        WaitFor::Video => wait.await.map(Some),
        WaitFor::Completion => wait.until_completed().await.map(|()| None),
    };
    let journal = waiting.record_end(context, waited.as_ref().err()).await?;
    match waited {
        Ok(Some(video)) => Ok(FetchResult::Ready(Box::new(ReadyVideo {
            item: waiting.item,
            attempt: waiting.attempt,
            journal,
            video,
        }))),
        Ok(None) => Ok(FetchResult::Completed(waiting.item.id)),
        Err(error) => failed(context, waiting.item, &error, has_failed(&journal)).await,
    }
}

/// Whether the journal has recorded that the task failed.
fn has_failed(journal: &Journal) -> bool {
    let State::Ended { status, .. } = journal.state() else {
        return false;
    };
    status == TaskStatus::Failed
}

/// An item whose task is waited for.
struct WaitingItem {
    item: BatchItem,
    attempt: Attempt,
    task: Task,
    journal: Option<Journal>,
}

impl WaitingItem {
    /// Records that the task has ended. Returns the journal.
    async fn record_end(
        &mut self,
        context: &StepContext,
        error: Option<&Error>,
    ) -> BatchResult<Journal> {
        let reason = Reason::default();
        if let Some(error) = error {
            reason.set(item_error(error));
        }
        let mut journal = match self.journal.take() {
            Some(journal) if error.is_none() => journal,
            _ => context.journal(&self.attempt, None, reason).await?,
        };
        if let Some(state) = self.task.state()
            && matches!(journal.state(), State::Created { .. })
        {
            journal.record_ended(&state).await;
            check_written(&journal)?;
        }
        Ok(journal)
    }
}

/// Prepares the wait for the task of an item, or returns what became of the item if there is nothing to wait for.
async fn begin_wait(
    context: &StepContext,
    in_flight: InFlight,
) -> BatchResult<Result<(WaitingItem, Wait), FetchResult>> {
    let InFlight {
        item,
        attempt,
        task,
        journal,
    } = in_flight;
    if item.state == ItemState::Publishing {
        let mut journal = context.journal(&attempt, None, Reason::default()).await?;
        if is_saved(context, &item, &mut journal).await {
            return saved(context, item, &journal).map(Err);
        }
    }
    let task = match (task, &attempt.task_id) {
        (Some(task), _) => task,
        (None, Some(id)) => context.client.task_of_mode(id, item.request.mode()),
        (None, None) => {
            let error = ItemError {
                kind: "invalid_state".to_owned(),
                text: "the item has no task".to_owned(),
            };
            let failed = fail(context, &item, ItemState::Failed, &error);
            return failed.await.map(Err);
        }
    };
    let mut wait = task.wait().timeout(context.options.task_timeout);
    if let Some(schedule) = &context.options.poll_schedule {
        wait = wait.schedule(schedule.clone());
    }
    let webhook = context.options.webhook.as_ref();
    if let Some(receiver) = webhook.and_then(|webhook| webhook.receiver_for(&item.request)) {
        wait = wait.webhook(receiver);
    }
    let waiting = WaitingItem {
        item,
        attempt,
        task,
        journal,
    };
    Ok(Ok((waiting, wait)))
}

/// Saves the video of an item.
pub(crate) async fn save(context: &StepContext, ready: ReadyVideo) -> BatchResult<FetchResult> {
    let ReadyVideo {
        item,
        attempt,
        mut journal,
        video,
    } = ready;
    if is_saved(context, &item, &mut journal).await {
        return saved(context, item, &journal);
    }
    let destination = match context.destination(&item.path) {
        Ok(destination) => destination,
        Err(reason) => return pause(context, item, reason).await,
    };
    let overwrite = !is_url(&item.path) && is_in_place(&video, &item.path).await;
    let expires_at = video.expires_at();
    let mut save = video.save(destination).overwrite(overwrite);
    // A request that this version cannot read any more is not compared with its video.
    if let Ok(request) = item.request.to_request(&BTreeMap::new()) {
        save = save.expected(request.expected_video());
    }
    match journal.save(save).await {
        Ok(_) => saved(context, item, &journal),
        Err(_) if is_saved_by_another(context, &item, &attempt).await? => {
            Ok(FetchResult::Done(item.id))
        }
        // A host that rejects a URL before it expires may accept it later, and the video is paid for.
        Err(error)
            if error.kind() == ErrorKind::Expired
                && expires_at > Some(context.client.clock().system_time()) =>
        {
            try_again(context, &item, &item_error(&error)).await?;
            Ok(FetchResult::Done(item.id))
        }
        Err(error) => failed(context, item, &error, false).await,
    }
}

/// Whether another worker, with the same job, saved the video meanwhile.
async fn is_saved_by_another(
    context: &StepContext,
    item: &BatchItem,
    attempt: &Attempt,
) -> BatchResult<bool> {
    let mut journal = context.journal(attempt, None, Reason::default()).await?;
    Ok(is_saved(context, item, &mut journal).await)
}

/// Whether the journal has published the video of an item.
async fn is_saved(context: &StepContext, item: &BatchItem, journal: &mut Journal) -> bool {
    match context.destination(&item.path) {
        Ok(destination) => journal.verify_saved_at(&destination).await.is_some(),
        Err(_) => false,
    }
}

/// Whether the file has the content of the video: an earlier run saved it, and could not record that because the ledger was full.
/// An object says so itself, by its metadata.
async fn is_in_place(video: &Video, path: &Path) -> bool {
    let Ok(mut file) = tokio::fs::File::open(path).await else {
        return false;
    };
    let Ok(mut download) = video.download().await else {
        return false;
    };
    let mut found = Vec::new();
    while let Some(chunk) = download.next().await {
        let Ok(chunk) = chunk else { return false };
        found.resize(chunk.len(), 0);
        if file.read_exact(&mut found).await.is_err() || found != chunk {
            return false;
        }
    }
    matches!(file.read(&mut [0]).await, Ok(0))
}

fn saved(context: &StepContext, item: BatchItem, journal: &Journal) -> BatchResult<FetchResult> {
    check_written(journal)?;
    let state = journal.state();
    let id = state.task_id().unwrap_or_default();
    context.report_task(&item, ItemState::Saved, id, SavedFile::of(&state));
    Ok(FetchResult::Done(item.id))
}

/// Records why an item has no video, unless its journal has recorded that its task failed, or when to try again.
async fn failed(
    context: &StepContext,
    item: BatchItem,
    error: &Error,
    is_recorded: bool,
) -> BatchResult<FetchResult> {
    let reason = item_error(error);
    tracing::warn!(error.type = ?error.kind(), %error, "video not saved");
    match error.kind() {
        ErrorKind::TaskFailed | ErrorKind::EmptyResult => {
            if is_recorded {
                context.report(&item, ItemState::Failed, Some(reason));
            } else {
                end_item(context, &item, ItemState::Failed, &reason, true).await?;
            }
            Ok(match retry(context, &item).await? {
                true => FetchResult::Reopened(item.id),
                false => FetchResult::Done(item.id),
            })
        }
        ErrorKind::Expired => fail(context, &item, ItemState::Expired, &reason).await,
        ErrorKind::Timeout if error.task_status().is_some() => {
            fail(context, &item, ItemState::Failed, &reason).await
        }
        // Neither a disk that is full nor a key that is rejected is a reason to pay for more videos.
        ErrorKind::File
        | ErrorKind::Authentication
        | ErrorKind::Permission
        | ErrorKind::Configuration => pause(context, item, reason).await,
        _ => try_again_or_fail(context, item, reason).await,
    }
}

/// Delays the next try until a person has acted.
async fn pause(
    context: &StepContext,
    item: BatchItem,
    reason: ItemError,
) -> BatchResult<FetchResult> {
    let id = item.id;
    try_again_or_fail(context, item, reason.clone()).await?;
    Ok(FetchResult::Pause(id, reason))
}

async fn try_again_or_fail(
    context: &StepContext,
    item: BatchItem,
    reason: ItemError,
) -> BatchResult<FetchResult> {
    if item.failures + 1 < MAX_FAILURES {
        try_again(context, &item, &reason).await?;
        return Ok(FetchResult::Done(item.id));
    }
    fail(context, &item, ItemState::Failed, &reason).await
}

/// Puts an item whose task failed back, if its task may be created again. Returns whether it did.
async fn retry(context: &StepContext, item: &BatchItem) -> BatchResult<bool> {
    let latest = context.ledger.latest_attempt(item.id).await?;
    let failed = latest.map_or(0, |latest| latest.failed_tasks);
    if failed > context.options.retry_failed {
        return Ok(false);
    }
    let reopened = context
        .ledger
        .reopen(item.id, ItemState::Failed, Reopening::Create);
    let is_reopened = reopened.await?;
    if is_reopened {
        context.report(item, ItemState::Planned, None);
    }
    Ok(is_reopened)
}

/// Puts the items back whose tasks failed in an earlier run, which may have ended before it did that.
pub(crate) async fn retry_earlier(context: &StepContext, batch: BatchId) -> BatchResult<()> {
    if context.options.retry_failed == 0 {
        return Ok(());
    }
    let mut from = 0;
    loop {
        let query = ItemQuery {
            states: vec![ItemState::Failed],
            from,
            limit: PAGE as u32,
            ..ItemQuery::new(batch)
        };
        let items = context.ledger.items(query).await?;
        let Some(last) = items.last() else {
            return Ok(());
        };
        from = last.position + 1;
        for item in &items {
            let kind = item.error.as_ref().map(|error| error.kind.as_str());
            if let Some("task_failed" | "empty_result") = kind {
                retry(context, item).await?;
            }
        }
    }
}

/// Delays the next try of an item in flight.
async fn try_again(context: &StepContext, item: &BatchItem, reason: &ItemError) -> BatchResult<()> {
    let failures = item.failures + 1;
    for state in [ItemState::Created, ItemState::Ended, ItemState::Publishing] {
        let change = ItemChange {
            not_before: Some(context.retry_at(failures)),
            failures,
            ..ItemChange::new(item.id, state, state).because(reason.clone())
        };
        if context.ledger.change_item(change).await? {
            context.report(item, state, Some(reason.clone()));
            break;
        }
    }
    Ok(())
}

/// Ends an item in flight without a video.
async fn fail(
    context: &StepContext,
    item: &BatchItem,
    to: ItemState,
    error: &ItemError,
) -> BatchResult<FetchResult> {
    end_item(context, item, to, error, false).await?;
    Ok(FetchResult::Done(item.id))
}

/// Ends an item in flight without a video, and reports that.
async fn end_item(
    context: &StepContext,
    item: &BatchItem,
    to: ItemState,
    error: &ItemError,
    is_failure: bool,
) -> BatchResult<()> {
    context.failpoints().before("fail").await;
    for state in [ItemState::Created, ItemState::Ended, ItemState::Publishing] {
        let change = ItemChange {
            is_failure,
            ..ItemChange::new(item.id, state, to).because(error.clone())
        };
        if context.ledger.change_item(change).await? {
            context.report(item, to, Some(error.clone()));
            break;
        }
    }
    context.failpoints().after("fail").await;
    Ok(())
}
