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

/// A task as the poller sees it, on behalf of one wait.
pub(crate) trait Pollable: Send + Sync {
    /// `None` if the task has no valid id, and so is on no list.
    fn id(&self) -> Option<&TaskId>;

    /// The list that the task should be on.
    fn list(&self) -> Option<&'static ListOperation>;

    /// Reads the task. With `time_left`, neither the rate limit nor the response may take longer.
    fn read(
        self: Arc<Self>,
        time_left: Option<Duration>,
    ) -> Pin<Box<dyn Future<Output = Result<TaskState>> + Send>>;

    /// A list shows the task, and not as ended.
    fn observe_in_list(&self, status: &TaskStatus) -> TaskState;

    /// A list that was read to its end does not have the task.
    fn missing_in_list(&self);

    /// When to poll the task next, now that it is known to be in progress.
    fn next_due(&self) -> Instant;
}

/// One poll that a wait has requested.
pub(crate) struct PollRequest {
    pub(crate) task: Arc<dyn Pollable>,
    pub(crate) due: Instant,
    pub(crate) deadline: Option<Instant>,
    /// Whether a list is not enough.
    pub(crate) needs_direct_read: bool,
    /// The status that the wait has reported last.
    pub(crate) known: Option<TaskStatus>,
    /// Boxed, since there is one for each wait, and few have a response to take at any time.
    pub(crate) response: oneshot::Sender<Box<PollResponse>>,
    /// The service asked not to be polled before.
    pub(crate) not_before: Option<Instant>,
    /// Since when only lists have shown the task.
    pub(crate) listed_since: Option<Instant>,
    /// What a list has just shown, which a direct read has to confirm.
    pub(crate) observation: Option<ListObservation>,
    /// The span of the wait, for the direct read; `None` if there is none. Boxed, since most programs have no spans.
    pub(crate) span: Option<Box<Span>>,
}

/// The result of a poll.
pub(crate) struct PollResponse {
    pub(crate) state: Result<TaskState>,
    /// Whether it was the poll at the deadline.
    pub(crate) was_last: bool,
}

/// What a list shows of a task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListObservation {
    pub(crate) list: &'static ListOperation,
    pub(crate) ended: bool,
}

impl PollRequest {
    /// Whether the wait has gone.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.response.is_closed()
    }

    /// Whether its deadline has come.
    pub(crate) fn is_overdue(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// Whether the service asked not to be polled now.
    pub(crate) fn is_paused(&self, now: Instant) -> bool {
        self.not_before.is_some_and(|time| time > now)
    }

    /// Makes it due then, or at its deadline if that is sooner.
    pub(crate) fn reschedule(&mut self, due: Instant) {
        self.due = self.deadline.map_or(due, |deadline| deadline.min(due));
        self.needs_direct_read |= self.deadline == Some(self.due);
    }

    pub(crate) fn respond(self, state: Result<TaskState>) {
        let was_last = self.is_overdue(self.due);
        // The wait may have gone.
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

/// A poll that is queued or under way. Dropping it cancels the poll, and the request that was sent for it alone.
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
                state: Err(aborted()),
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

/// The wait goes on in another runtime than the one in which it began.
fn aborted() -> Error {
    Error::uncharged(
        ErrorKind::Transport,
        "poll aborted: the Tokio runtime that drove it was shut down",
    )
    .with_retryable(true)
}

/// All polls that the waits of a client have requested in one runtime.
#[derive(Default)]
pub(crate) struct PollQueue {
    entries: Mutex<Entries>,
    changed: Notify,
}

#[derive(Default)]
struct Entries {
    /// Boxed, since requests move about, and a table has room for more than it holds.
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

    /// Puts requests back that were rescheduled.
    pub(crate) fn put_back(&self, requests: impl IntoIterator<Item = (u64, Box<PollRequest>)>) {
        let mut entries = self.entries();
        for (number, request) in requests {
            if !request.is_cancelled() {
                entries.insert(number, request);
            }
        }
    }

    /// Removes a request whose wait has gone.
    fn cancel(&self, number: u64) {
        let mut entries = self.entries();
        entries.remove(number);
        let is_empty = entries.requests.is_empty();
        drop(entries);
        if is_empty {
            self.changed.notify_one();
        }
    }

    /// Takes the requests that are due.
    pub(crate) fn take_due(&self, now: Instant) -> Vec<(u64, Box<PollRequest>)> {
        let mut entries = self.entries();
        let mut due = Vec::new();
        while let Some((_, number)) = entries.by_due.first().filter(|(at, _)| *at <= now).copied() {
            due.extend(entries.remove(number).map(|request| (number, request)));
        }
        due
    }

    /// Takes all requests that a list can answer.
    pub(crate) fn take_listed(&self, list: &'static ListOperation) -> Vec<(u64, Box<PollRequest>)> {
        let mut entries = self.entries();
        let Entries {
            requests, by_due, ..
        } = &mut *entries;
        // Mostly all of them.
        let mut listed = Vec::with_capacity(requests.len());
        listed.extend(requests.extract_if(|_, request| request.list() == Some(list)));
        for (number, request) in &listed {
            by_due.remove(&(request.due, *number));
        }
        listed
    }

    /// How many requests that are due until then a list could answer, counted up to `enough`.
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

    /// When the first of the requests is due that this list has answered before.
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

    /// Completes when another request may have become the earliest.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Lets the worker end if the queue is empty. Returns whether it does.
    pub(crate) fn finish(&self) -> bool {
        let mut entries = self.entries();
        entries.has_worker = !entries.requests.is_empty();
        !entries.has_worker
    }

    /// Aborts all polls, since the worker was dropped before it was done. The next request starts another one.
    pub(crate) fn clear(&self) {
        let mut entries = self.entries();
        let next_number = entries.next_number;
        let aborted = std::mem::replace(
            &mut *entries,
            Entries {
                next_number,
                ..Entries::default()
            },
        );
        drop(entries);
        drop(aborted);
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    /// Returns whether the request is the earliest now.
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
