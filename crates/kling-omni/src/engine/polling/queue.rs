//! The polls that waits have requested, in the order in which they are due.

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};
use tracing::Span;

use crate::engine::error::{Error, ErrorKind, Result};
use crate::engine::operations::ListOperation;
use crate::engine::state::{TaskState, TaskStatus};
use crate::engine::task_id::TaskId;

/// A task that can be polled, on behalf of one wait.
pub(crate) trait Pollable: Send + Sync {
    /// `None` if the task has no valid id, and so is not on any list.
    fn id(&self) -> Option<&TaskId>;

    /// The list that the task should be on.
    fn list(&self) -> Option<&'static ListOperation>;

    /// Reads the task. `time_left` limits both the wait for the rate limit and the wait for the response.
    fn read(
        self: Arc<Self>,
        time_left: Option<Duration>,
    ) -> Pin<Box<dyn Future<Output = Result<TaskState>> + Send>>;

    /// Records that a list shows the task in progress.
    fn observe_in_list(&self, status: &TaskStatus) -> TaskState;

    /// Records that a complete list does not have the task.
    fn missing_in_list(&self);

    /// When to poll the task next, given that it is in progress.
    fn next_due(&self) -> Instant;
}

/// A poll that a wait has requested.
pub(crate) struct PollRequest {
    pub(crate) task: Arc<dyn Pollable>,
    pub(crate) due: Instant,
    pub(crate) deadline: Option<Instant>,
    /// Whether only a direct read can answer it.
    pub(crate) needs_direct_read: bool,
    /// The status that the wait has reported last.
    pub(crate) reported: Option<TaskStatus>,
    /// Boxed, because there is one for each wait, and few responses exist at a time.
    pub(crate) response: oneshot::Sender<Box<PollResponse>>,
    /// The service requested not to be polled before.
    pub(crate) not_before: Option<Instant>,
    /// When a list first showed the task since its last direct read.
    pub(crate) listed_since: Option<Instant>,
    /// The entry of a list that a direct read has to confirm.
    pub(crate) observation: Option<ListObservation>,
    /// Whether the wait needs no result, so a list that shows the task completed answers it.
    pub(crate) skips_result: bool,
    /// The span of the wait, for the direct read. Boxed, because most programs have no spans.
    pub(crate) span: Option<Box<Span>>,
}

/// The result of a poll.
pub(crate) struct PollResponse {
    pub(crate) state: Result<TaskState>,
    /// Whether this was the poll at the deadline.
    pub(crate) was_last: bool,
}

/// What a list shows of a task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListObservation {
    pub(crate) list: &'static ListOperation,
    pub(crate) ended: bool,
}

impl PollRequest {
    /// Whether the wait was dropped.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.response.is_closed()
    }

    /// Whether the deadline has passed.
    pub(crate) fn is_overdue(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// Whether the service requested not to be polled now.
    pub(crate) fn is_paused(&self, now: Instant) -> bool {
        self.not_before.is_some_and(|time| time > now)
    }

    /// Sets when it is due, or its deadline if that is earlier.
    pub(crate) fn reschedule(&mut self, due: Instant) {
        self.due = self.deadline.map_or(due, |deadline| deadline.min(due));
        self.needs_direct_read |= self.deadline == Some(self.due);
    }

    pub(crate) fn respond(self, state: Result<TaskState>) {
        let was_last = self.is_overdue(self.due);
        // The wait may have been dropped.
        let _ = self
            .response
            .send(Box::new(PollResponse { state, was_last }));
    }

    /// The list that can answer it.
    pub(crate) fn list(&self) -> Option<&'static ListOperation> {
        match self.needs_direct_read || self.observation.is_some() {
            true => None,
            false => self.task.list(),
        }
    }
}

/// A poll that is queued or in flight. Dropping it cancels the poll, and the request that was sent for it alone.
pub(crate) struct PendingPoll {
    queue: Arc<PollQueue>,
    number: u64,
    response: oneshot::Receiver<Box<PollResponse>>,
}

impl PendingPoll {
    pub(crate) fn new(
        queue: Arc<PollQueue>,
        number: u64,
        response: oneshot::Receiver<Box<PollResponse>>,
    ) -> Self {
        Self {
            queue,
            number,
            response,
        }
    }
}

impl Future for PendingPoll {
    type Output = PollResponse;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<PollResponse> {
        let response = Pin::new(&mut self.response).poll(context);
        response.map(|response| match response {
            Ok(response) => *response,
            Err(_) => PollResponse {
                state: Err(poll_aborted()),
                was_last: false,
            },
        })
    }
}

impl Drop for PendingPoll {
    fn drop(&mut self) {
        if !self.response.is_terminated() {
            self.queue.cancel(self.number);
        }
    }
}

/// The error of a poll whose runtime was shut down. The wait continues in another runtime.
fn poll_aborted() -> Error {
    Error::uncharged(
        ErrorKind::Transport,
        "poll aborted: the Tokio runtime that drove it was shut down",
    )
    .with_retryable(true)
}

/// All polls that the waits of a client have requested in one runtime.
#[derive(Default)]
pub(crate) struct PollQueue {
    entries: Mutex<QueueEntries>,
    changed: Notify,
}

#[derive(Default)]
struct QueueEntries {
    /// Boxed, because requests are moved often, and the table has spare capacity.
    requests: HashMap<u64, Box<PollRequest>>,
    by_due: BTreeSet<(Instant, u64)>,
    next_number: u64,
    has_worker: bool,
}

impl PollQueue {
    /// Adds a request. Returns its number, and whether a worker has to be started.
    pub(crate) fn push(&self, request: Box<PollRequest>) -> (u64, bool) {
        let mut entries = self.entries();
        let number = entries.next_number;
        entries.next_number += 1;
        let is_first = entries.insert(number, request);
        let needs_worker = !std::mem::replace(&mut entries.has_worker, true);
        drop(entries);
        if is_first && !needs_worker {
            self.changed.notify_one();
        }
        (number, needs_worker)
    }

    /// Puts rescheduled requests back.
    pub(crate) fn put_back(&self, requests: impl IntoIterator<Item = (u64, Box<PollRequest>)>) {
        let mut entries = self.entries();
        for (number, request) in requests {
            if !request.is_cancelled() {
                entries.insert(number, request);
            }
        }
    }

    /// Removes a request whose wait was dropped.
    fn cancel(&self, number: u64) {
        let mut entries = self.entries();
        entries.remove(number);
        let is_empty = entries.requests.is_empty();
        drop(entries);
        if is_empty {
            self.changed.notify_one();
        }
    }

    /// Removes and returns the requests that are due.
    pub(crate) fn take_due(&self, now: Instant) -> Vec<(u64, Box<PollRequest>)> {
        let mut entries = self.entries();
        let mut due = Vec::new();
        while let Some((_, number)) = entries.by_due.first().filter(|(at, _)| *at <= now).copied() {
            due.extend(entries.remove(number).map(|request| (number, request)));
        }
        due
    }

    /// Removes and returns the requests that a list can answer.
    pub(crate) fn take_listed(&self, list: &'static ListOperation) -> Vec<(u64, Box<PollRequest>)> {
        let mut entries = self.entries();
        let QueueEntries {
            requests, by_due, ..
        } = &mut *entries;
        // Usually all of them.
        let mut listed = Vec::with_capacity(requests.len());
        listed.extend(requests.extract_if(|_, request| request.list() == Some(list)));
        for (number, request) in &listed {
            by_due.remove(&(request.due, *number));
        }
        listed
    }

    /// The number of requests due until a time that a list could answer, counted up to `enough`.
    pub(crate) fn listed_until(
        &self,
        until: Instant,
        list: &'static ListOperation,
        enough: usize,
    ) -> usize {
        let entries = self.entries();
        let soon = entries.by_due.range(..=(until, u64::MAX));
        soon.filter(|(_, number)| entries.requests[number].list() == Some(list))
            .take(enough)
            .count()
    }

    /// When the first request is due that this list has answered before.
    pub(crate) fn earliest_listed(&self, list: &'static ListOperation) -> Option<Instant> {
        let entries = self.entries();
        let mut in_order = entries.by_due.iter();
        let is_listed = |number| {
            let request = &entries.requests[number];
            request.listed_since.is_some() && request.list() == Some(list)
        };
        in_order
            .find(|(_, number)| is_listed(number))
            .map(|(at, _)| *at)
    }

    /// When the next request is due.
    pub(crate) fn earliest(&self) -> Option<Instant> {
        self.entries().by_due.first().map(|(at, _)| *at)
    }

    /// Completes when another request may be the earliest.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Stops the worker if the queue is empty. Returns whether it does.
    pub(crate) fn finish(&self) -> bool {
        let mut entries = self.entries();
        entries.has_worker = !entries.requests.is_empty();
        !entries.has_worker
    }

    /// Aborts all polls, because the worker was dropped. The next request starts a new worker.
    pub(crate) fn clear(&self) {
        let mut entries = self.entries();
        let next_number = entries.next_number;
        let aborted = std::mem::replace(
            &mut *entries,
            QueueEntries {
                next_number,
                ..QueueEntries::default()
            },
        );
        drop(entries);
        drop(aborted);
    }

    fn entries(&self) -> MutexGuard<'_, QueueEntries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl QueueEntries {
    /// Adds a request. Returns whether it is the earliest.
    fn insert(&mut self, number: u64, request: Box<PollRequest>) -> bool {
        let key = (request.due, number);
        self.by_due.insert(key);
        self.requests.insert(number, request);
        self.by_due.first() == Some(&key)
    }

    fn remove(&mut self, number: u64) -> Option<Box<PollRequest>> {
        let request = self.requests.remove(&number)?;
        self.by_due.remove(&(request.due, number));
        Some(request)
    }
}
