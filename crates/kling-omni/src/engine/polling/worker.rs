//! The worker of one queue: starts direct reads and list polls, and reschedules requests that lists have answered.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tracing::{Instrument as _, Span};

use crate::engine::operations::ListOperation;
use crate::engine::polling::Poller;
use crate::engine::polling::backlog::{Backlog, earlier};
use crate::engine::polling::list_poll::{ListPoll, PageOutcome, PageResult};
use crate::engine::polling::queue::{ListObservation, PollQueue, PollRequest};
use crate::engine::state::TaskStatus;

/// The limit on concurrent direct reads.
const MAX_CONCURRENT_READS: usize = 32;

/// A list is polled if it answers at least this many requests,
const MIN_REQUESTS: usize = 4;
/// and this many for each page that it takes,
const MIN_REQUESTS_PER_PAGE: usize = 2;
/// among those that are due within this time. Requests are deferred to the next list poll for at most as long.
const SOON: Duration = Duration::from_secs(5);

/// A list is polled again when the first of its tasks is due, plus this part of the interval. For all tasks together, that
/// is soon enough.
const SLACK_PART: u32 = 3;

/// A task that only lists have shown is read directly after this time, or up to twice as long: a list may lag behind for
/// some tasks.
const MAX_LISTED: Duration = Duration::from_secs(180);
/// Tasks that were listed together are spread over this many parts of that time.
const SPREAD: u32 = 64;

type Read = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Processes a queue until it is empty.
pub(crate) struct PollWorker {
    poller: Arc<Poller>,
    queue: Arc<PollQueue>,
    reads: FuturesUnordered<Read>,
    backlog: Backlog,
    /// At most one for each list.
    list_polls: Vec<ListPoll>,
    has_finished: bool,
}

impl PollWorker {
    pub(crate) fn new(poller: Arc<Poller>, queue: Arc<PollQueue>) -> Self {
        Self {
            poller,
            queue,
            reads: FuturesUnordered::new(),
            backlog: Backlog::default(),
            list_polls: Vec::new(),
            has_finished: false,
        }
    }

    pub(crate) async fn run(mut self) {
        let queue = Arc::clone(&self.queue);
        let poller = Arc::clone(&self.poller);
        loop {
            let now = poller.http.clock.now();
            self.start_due(now);
            let is_idle = self.reads.is_empty() && self.list_polls.is_empty();
            if is_idle && self.backlog.is_empty() && queue.finish() {
                self.has_finished = true;
                return;
            }
            let wake = self.wake(now);
            tokio::select! {
                biased;
                () = queue.changed() => {}
                Some(()) = self.reads.next() => {}
                (index, page) = next_page(&mut self.list_polls) => {
                    let outcome = self.list_polls[index].apply(page);
                    self.apply_list_page(index, outcome);
                }
                () = sleep_until(&poller, wake) => {}
            }
        }
    }

    /// When to wake up at the latest.
    fn wake(&self, now: Instant) -> Option<Instant> {
        let mut wake = earlier(self.queue.earliest(), self.backlog.first_deadline());
        for list_poll in &self.list_polls {
            wake = earlier(wake, Some(list_poll.ends()));
            wake = earlier(wake, list_poll.first_deadline());
        }
        match self.backlog.is_empty() {
            true => wake,
            false => earlier(wake, self.next_slot(now)),
        }
    }

    /// When the next request may be sent, if that is in the future.
    fn next_slot(&self, now: Instant) -> Option<Instant> {
        self.poller.http.rate_limiter.next_slot(now)
    }

    /// Starts the requests that are due.
    fn start_due(&mut self, now: Instant) {
        self.end_list_polls(now);
        let mut overdue = self.backlog.take_overdue(now);
        overdue.extend(
            self.list_polls
                .iter_mut()
                .flat_map(|list_poll| list_poll.take_overdue(now)),
        );
        let (last, due): (Vec<_>, Vec<_>) = self
            .queue
            .take_due(now)
            .into_iter()
            .partition(|(_, request)| request.is_overdue(now));
        overdue.extend(last);
        for (_, mut request) in overdue {
            // The poll at the deadline waits neither for a list nor for the concurrency limit.
            request.reschedule(now);
            self.reads.push(read(&self.poller, request, now));
        }

        let due = self.defer(due, now);
        for list in self.poller.service.lists() {
            let listed = due
                .iter()
                .filter(|(_, request)| request.list() == Some(*list));
            let listed = listed.count() + self.backlog.listed(list);
            let is_polled = self
                .list_polls
                .iter()
                .any(|list_poll| list_poll.list() == *list);
            if listed > 0 && !is_polled && self.is_profitable(list, listed, now) {
                let mut requests = self.queue.take_listed(list);
                requests.extend(self.backlog.take_listed(list));
                let list_poll = ListPoll::new(&self.poller, list, requests, now);
                self.list_polls.push(list_poll);
            }
        }
        for (number, request) in due {
            let list = request.list();
            let mut list_polls = self.list_polls.iter_mut();
            match list_polls.find(|list_poll| list == Some(list_poll.list())) {
                Some(list_poll) => list_poll.join(number, request),
                None => self.backlog.add(number, request),
            }
        }
        self.start_reads(now);
    }

    /// Ends list polls whose waits were dropped, and those that take too long.
    fn end_list_polls(&mut self, now: Instant) {
        self.list_polls
            .retain(|list_poll| !list_poll.is_cancelled());
        let is_late = |list_poll: &ListPoll| list_poll.ends() <= now;
        while let Some(index) = self.list_polls.iter().position(is_late) {
            let list_poll = self.list_polls.swap_remove(index);
            // A list poll that the rate limiter delayed says nothing about the list.
            let counts = self.next_slot(now).is_none();
            self.end_list_poll(list_poll, counts, now);
        }
    }

    /// Defers requests to the next list poll if that comes soon, and to the next slot of the rate limiter.
    fn defer(
        &self,
        due: Vec<(u64, Box<PollRequest>)>,
        now: Instant,
    ) -> Vec<(u64, Box<PollRequest>)> {
        let slot = self.next_slot(now);
        let mut deferred = Vec::new();
        let mut rest = Vec::new();
        for (number, mut request) in due {
            let list = request.list().filter(|_| request.reported.is_some());
            let list = list.and_then(|list| self.poller.list_stats.next_at(list, now));
            match list.max(slot) {
                Some(until) => {
                    request.reschedule(until);
                    deferred.push((number, request));
                }
                None => rest.push((number, request)),
            }
        }
        self.queue.put_back(deferred);
        rest
    }

    /// Whether a list poll is expected to answer enough requests.
    fn is_profitable(&self, list: &'static ListOperation, due: usize, now: Instant) -> bool {
        let Some(pages) = self.poller.list_stats.pages(list, now) else {
            return false;
        };
        let enough = MIN_REQUESTS.max(MIN_REQUESTS_PER_PAGE * pages);
        let soon = self.queue.listed_until(now + SOON, list, enough);
        due + soon >= enough
    }

    /// Answers, confirms or reschedules the requests whose tasks are on a page.
    fn apply_list_page(&mut self, index: usize, outcome: PageOutcome) {
        let now = self.poller.http.clock.now();
        let list = self.list_polls[index].list();
        let mut back = Vec::new();
        for (number, mut request, status) in outcome.found {
            let since = *request.listed_since.get_or_insert(now);
            let max_listed = MAX_LISTED + MAX_LISTED * (number % u64::from(SPREAD)) as u32 / SPREAD;
            if request.is_cancelled() {
                continue;
            }
            let ended = status.is_terminal();
            let is_enough = request.skips_result && status == TaskStatus::Completed;
            let needs_read = now.duration_since(since) > max_listed
                || ended && (!is_enough || self.poller.list_stats.needs_confirmation(list, now));
            if needs_read && !request.is_paused(now) {
                request.observation = Some(ListObservation { list, ended });
                self.backlog.add(number, request);
            } else if needs_read && ended {
                // A list has neither a result nor the reason of a failure. The task is read when the service permits it.
                request.needs_direct_read = true;
                request.reschedule(request.not_before.unwrap_or(now));
                back.push((number, request));
            } else if let Some(request) = apply_list_entry(request, &status, now) {
                back.push((number, request));
            }
        }
        // The last one is the oldest, and the most likely to be completed if the list lags behind.
        if let Some(oldest) = back
            .iter()
            .rposition(|(_, request)| !request.is_paused(now))
            && self.poller.list_stats.is_check_due(list, false, now)
        {
            let (number, mut request) = back.remove(oldest);
            request.observation = Some(ListObservation { list, ended: false });
            self.backlog.add_first(number, request);
        }
        self.queue.put_back(back);
        if outcome.is_over {
            let list_poll = self.list_polls.swap_remove(index);
            self.end_list_poll(list_poll, true, now);
        }
    }

    fn end_list_poll(&mut self, list_poll: ListPoll, counts: bool, now: Instant) {
        let list = list_poll.list();
        let mut summary = list_poll.end(now);
        let next = self.queue.earliest_listed(list);
        summary.result.next_at = next.map(|next| {
            let interval = next.saturating_duration_since(now);
            now + (interval + interval / SLACK_PART).min(SOON)
        });
        if counts {
            self.poller.list_stats.record(summary.result);
        }
        let mut back = Vec::new();
        for (number, mut request) in summary.unanswered {
            if request.due <= now {
                // Another list poll would start at once, and not find it either.
                request.needs_direct_read = true;
                self.backlog.add(number, request);
            } else {
                back.push((number, request));
            }
        }
        self.queue.put_back(back);
    }

    fn start_reads(&mut self, now: Instant) {
        while self.reads.len() < MAX_CONCURRENT_READS
            && self.next_slot(now).is_none()
            && let Some(request) = self.backlog.next()
        {
            self.reads.push(read(&self.poller, request, now));
        }
    }
}

impl Drop for PollWorker {
    fn drop(&mut self) {
        if !self.has_finished {
            self.queue.clear();
        }
    }
}

/// Records that a list shows a task in progress. Answers the request if the status is new, and otherwise returns it
/// rescheduled.
fn apply_list_entry(
    mut request: Box<PollRequest>,
    status: &TaskStatus,
    now: Instant,
) -> Option<Box<PollRequest>> {
    let state = request.task.observe_in_list(status);
    if request.reported.as_ref() != Some(state.status()) {
        request.respond(Ok(state));
        return None;
    }
    // A schedule may be a closure of the caller. If it panics, it panics again in that wait, and not in the worker.
    match catch_unwind(AssertUnwindSafe(|| request.task.next_due())) {
        Ok(due) => {
            request.reschedule(due.max(request.not_before.unwrap_or(now)));
            Some(request)
        }
        Err(_) => {
            request.respond(Ok(state));
            None
        }
    }
}

/// Reads a task directly, unless the wait is dropped before.
fn read(poller: &Arc<Poller>, mut request: Box<PollRequest>, now: Instant) -> Read {
    let poller = Arc::clone(poller);
    let time_left = request
        .deadline
        .map(|deadline| deadline.saturating_duration_since(now));
    Box::pin(async move {
        let span = request.span.take().map_or_else(Span::none, |span| *span);
        let read = Arc::clone(&request.task).read(time_left).instrument(span);
        let state = tokio::select! {
            biased;
            () = request.response.closed() => return,
            state = read => state,
        };
        if let (Some(observation), Ok(state)) = (request.observation, &state) {
            let agrees = observation.ended == state.status().is_terminal();
            let now = poller.http.clock.now();
            poller
                .list_stats
                .record_check(observation.list, observation.ended, agrees, now);
        }
        request.respond(state);
    })
}

/// Returns the next page of any list poll, with the index of that. Never completes without list polls.
async fn next_page(list_polls: &mut [ListPoll]) -> (usize, PageResult) {
    poll_fn(|context| {
        for (index, list_poll) in list_polls.iter_mut().enumerate() {
            if let Poll::Ready(page) = list_poll.poll_page(context) {
                return Poll::Ready((index, page));
            }
        }
        Poll::Pending
    })
    .await
}

async fn sleep_until(poller: &Poller, wake: Option<Instant>) {
    let Some(wake) = wake else {
        return std::future::pending().await;
    };
    let duration = wake.saturating_duration_since(poller.http.clock.now());
    if !duration.is_zero() {
        poller.http.clock.sleep(duration).await;
    }
}
