//! Polls one task for a wait: on its schedule, with webhook deliveries in between, until the task is completed or failed, or
//! the deadline passes.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tracing::Span;

use crate::engine::error::{Error, ErrorKind, Result};
use crate::engine::http::backoff::Backoff;
use crate::engine::http::call::{Options, RateLimitWait};
use crate::engine::operations::ListOperation;
use crate::engine::polling::queue::{PendingPoll, PollRequest, PollResponse, Pollable};
use crate::engine::polling::schedule::{PollSchedule, ScheduleState};
use crate::engine::polling::{WebhookUpdate, WebhookUpdates};
use crate::engine::state::{TaskProgress, TaskState, TaskStatus};
use crate::engine::task::updates::Update;
use crate::engine::task::{StateSource, Task};
use crate::engine::task_id::TaskId;
use crate::redact::printable;

/// How many inconsistent reads in a row are tolerated: a 404 for a task that exists, because a new task may not be readable
/// everywhere yet, or a response that cannot be read.
const MAX_INCONSISTENT_READS: u32 = 3;

/// The delay before a completed task without a result is read again.
const EMPTY_RESULT_DELAY: Duration = Duration::from_secs(2);

/// The minimum time for the poll at the deadline.
const MIN_LAST_POLL: Duration = Duration::from_secs(5);

/// A task as polled for one wait.
struct PolledTask {
    task: Task,
    schedule: ScheduleState,
}

impl Pollable for PolledTask {
    fn id(&self) -> Option<&TaskId> {
        self.task.0.id.as_ref().ok()
    }

    fn list(&self) -> Option<&'static ListOperation> {
        let known = self.task.known_state();
        let operation = known.read_by.or(self.task.0.reads.first().copied())?;
        let is_listed = !known.is_unlisted && self.id().is_some();
        operation.list.filter(|_| is_listed)
    }

    fn read(
        self: Arc<Self>,
        time_left: Option<Duration>,
    ) -> Pin<Box<dyn Future<Output = Result<TaskState>> + Send>> {
        let attempt_timeout = self.task.client().http.settings.attempt_timeout;
        let options = Options {
            // After a failed poll comes the next poll, not a retry.
            retries: Some(0),
            attempt_timeout: time_left.map(|left| left.max(MIN_LAST_POLL).min(attempt_timeout)),
            // The poll at the deadline bypasses the rate limiter.
            rate_limit_wait: time_left.map_or(RateLimitWait::Unbounded, RateLimitWait::AtMost),
            ..Options::default()
        };
        Box::pin(async move { self.task.read(options).await })
    }

    fn observe_in_list(&self, status: &TaskStatus) -> TaskState {
        let id = self.task.id().to_owned();
        let state = TaskState::new(id, status.clone(), Vec::new(), None);
        self.task.record_state(&state, StateSource::Polled);
        self.task.known_state().is_unlisted = false;
        // Lists may lag behind the known state.
        self.task.state().unwrap_or(state)
    }

    fn missing_in_list(&self) {
        self.task.known_state().is_unlisted = true;
    }

    fn next_due(&self) -> Instant {
        let due = self.task.next_poll(&self.schedule);
        self.schedule.count_listed();
        due
    }
}

/// A wait for one task, as a source of updates. Kept small, because there is one for each task in flight.
pub(crate) struct Polling {
    /// Shared with the poll in flight.
    polled: Arc<PolledTask>,
    webhook: Option<Box<dyn WebhookUpdates>>,
    pending: Option<PendingPoll>,
    timeout: Option<Duration>,
    deadline: Option<Instant>,
    stage: PollingStage,
    /// Boxed, because few waits have one.
    backoff: Option<Box<Backoff>>,
    /// The service requested not to be polled before.
    not_before: Option<Instant>,
    inconsistent_reads: u32,
    empty_result_retried: bool,
    /// Whether it ends without the result of a completed task.
    skips_result: bool,
    reported: Option<TaskStatus>,
    /// The failure of the last poll. Cleared by a successful one.
    failure: Option<Error>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PollingStage {
    /// The state known from the creation has not been reported.
    NotStarted,
    /// The next poll is due at this time.
    Polling(Instant),
    /// The deadline has passed. Only the error has not been reported.
    Expired,
    Done,
}

impl Polling {
    /// Polls nothing before it is polled itself.
    pub(crate) fn new(
        task: Task,
        webhook: Option<Box<dyn WebhookUpdates>>,
        schedule: PollSchedule,
        timeout: Option<Duration>,
    ) -> Self {
        let schedule = ScheduleState::new(schedule, task.now());
        schedule.set_webhook_mode(webhook.as_ref().is_some_and(|webhook| webhook.is_trusted()));
        Self {
            polled: Arc::new(PolledTask { task, schedule }),
            webhook,
            pending: None,
            timeout,
            deadline: None,
            stage: PollingStage::NotStarted,
            backoff: None,
            not_before: None,
            inconsistent_reads: 0,
            empty_result_retried: false,
            skips_result: false,
            reported: None,
            failure: None,
        }
    }

    /// Ends as soon as the task is known to be completed, without its result.
    pub(crate) fn skip_result(&mut self) {
        self.skips_result = true;
    }

    fn begin(&mut self) {
        let now = self.now();
        if let Some(polled) = Arc::get_mut(&mut self.polled) {
            polled.schedule.start(now);
        }
        // A deadline beyond the range of the clock means none.
        self.deadline = self.timeout.and_then(|timeout| now.checked_add(timeout));
        self.stage = PollingStage::Polling(now);
    }

    pub(crate) fn task(&self) -> &Task {
        &self.polled.task
    }

    /// Returns the next update; `None` once the task is completed or failed, or an error has ended the wait.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Update>>> {
        loop {
            match self.stage {
                PollingStage::NotStarted => {
                    self.begin();
                    if let Some(state) = self.task().state()
                        && let Some(update) = self.plan_next(state)
                    {
                        return Poll::Ready(Some(Ok(update)));
                    }
                }
                PollingStage::Polling(due) => {
                    let (update, was_last) = match self.poll_webhook(context) {
                        Poll::Ready(update) => {
                            self.pending = None;
                            let now = self.now();
                            let is_overdue = self.deadline.is_some_and(|deadline| deadline <= now);
                            (self.on_webhook(update), is_overdue)
                        }
                        Poll::Pending => {
                            let response = ready!(self.poll_task(due, context));
                            let was_last = response.was_last;
                            (self.on_response(response), was_last)
                        }
                    };
                    if was_last {
                        self.expire();
                    }
                    if update.is_some() {
                        return Poll::Ready(update);
                    }
                }
                PollingStage::Expired => {
                    self.stage = PollingStage::Done;
                    return Poll::Ready(Some(Err(self.timed_out())));
                }
                PollingStage::Done => return Poll::Ready(None),
            }
        }
    }

    fn poll_webhook(&mut self, context: &mut Context<'_>) -> Poll<WebhookUpdate> {
        match &mut self.webhook {
            Some(webhook) => webhook.poll_next(context),
            None => Poll::Pending,
        }
    }

    /// Polls the task when it is due, or at the deadline if that is sooner.
    fn poll_task(&mut self, due: Instant, context: &mut Context<'_>) -> Poll<PollResponse> {
        let pending = self.pending.take();
        let mut pending = pending.unwrap_or_else(|| self.request(due));
        let response = Pin::new(&mut pending).poll(context);
        if response.is_pending() {
            self.pending = Some(pending);
        }
        response
    }

    fn request(&self, due: Instant) -> PendingPoll {
        let due = self.deadline.map_or(due, |deadline| deadline.min(due));
        let span = Span::current();
        self.task().client().poller.poll(|response| PollRequest {
            task: Arc::clone(&self.polled) as Arc<dyn Pollable>,
            due,
            deadline: self.deadline,
            needs_direct_read: self.empty_result_retried || self.deadline == Some(due),
            reported: self.reported.clone(),
            response,
            not_before: self.not_before.max(self.task().known_state().not_before),
            listed_since: None,
            observation: None,
            skips_result: self.skips_result,
            span: (!span.is_none()).then(|| Box::new(span)),
        })
    }

    /// Handles a delivery like the response to a poll.
    fn on_webhook(&mut self, (state, at): WebhookUpdate) -> Option<Result<Update>> {
        self.schedule().set_webhook_mode(true);
        // Only a second poll proves that a completed task has no result, and deliveries may be repeated.
        let is_repeated =
            self.empty_result_retried && state.progress() == TaskProgress::EmptyResult;
        let source = at.map_or(StateSource::Polled, StateSource::Pushed);
        if is_repeated || !self.task().record_state(&state, source) {
            return None;
        }
        self.plan_next(state).map(Ok)
    }

    /// Ends the polling after the poll at the deadline.
    fn expire(&mut self) {
        if matches!(self.stage, PollingStage::Polling(_)) {
            self.stage = if self.is_terminal() {
                PollingStage::Done
            } else {
                PollingStage::Expired
            };
        }
    }

    fn now(&self) -> Instant {
        self.task().now()
    }

    fn schedule(&self) -> &ScheduleState {
        &self.polled.schedule
    }

    fn is_terminal(&self) -> bool {
        self.task()
            .status()
            .is_some_and(|status| status.is_terminal())
    }

    fn on_response(&mut self, response: PollResponse) -> Option<Result<Update>> {
        match response.state {
            Ok(state) => {
                self.backoff = None;
                self.inconsistent_reads = 0;
                self.failure = None;
                let is_new = |reported| reported != state.status();
                if self.reported.as_ref().is_some_and(is_new)
                    && let Some(webhook) = &self.webhook
                {
                    webhook.distrust();
                    self.schedule().set_webhook_mode(false);
                }
                self.plan_next(state).map(Ok)
            }
            Err(error) if self.is_transient(&error) => {
                let pause = self.backoff.get_or_insert_default().next_delay();
                // A requested pause of hours is shortened, because results expire.
                let requested = error.retry_after().unwrap_or_default();
                let requested = requested.min(self.task().client().http.settings.max_retry_delay);
                let now = self.now();
                self.not_before = Some(now + requested);
                let pause = pause.max(self.schedule().min_interval());
                self.stage = PollingStage::Polling(self.next_due().max(now + pause));
                tracing::debug!(task_id = %printable(self.task().id()), %error, "poll failed");
                let update = Update::PollFailed {
                    kind: error.kind(),
                    reason: error.summary().to_owned(),
                };
                self.failure = Some(error);
                Some(Ok(update))
            }
            Err(error) => {
                self.stage = PollingStage::Done;
                Some(Err(error))
            }
        }
    }

    /// Plans the next step after a state. Returns an update if the status has changed.
    fn plan_next(&mut self, state: TaskState) -> Option<Update> {
        let status = state.status().clone();
        let lacks_result = state.progress() == TaskProgress::EmptyResult && !self.skips_result;
        self.stage = if lacks_result && !self.empty_result_retried {
            self.empty_result_retried = true;
            PollingStage::Polling(self.not_before(self.now() + EMPTY_RESULT_DELAY))
        } else if status.is_terminal() {
            PollingStage::Done
        } else {
            PollingStage::Polling(self.next_due())
        };
        if self.reported.as_ref() == Some(&status) {
            return None;
        }
        if let TaskStatus::Unknown(_) = status {
            tracing::warn!(task_id = %printable(self.task().id()), %status, "unknown task status");
        }
        self.reported = Some(status);
        Some(Update::Status(state))
    }

    fn next_due(&self) -> Instant {
        let due = self.task().next_poll(self.schedule());
        self.schedule().count_read();
        self.not_before(due)
    }

    /// Postpones `due` to the time before which the service requested not to be polled.
    fn not_before(&self, due: Instant) -> Instant {
        self.not_before.map_or(due, |time| time.max(due))
    }

    /// Whether polling continues after this failure.
    fn is_transient(&mut self, error: &Error) -> bool {
        let is_inconsistent = match error.kind() {
            ErrorKind::NotFound => self.task().is_known_to_exist(),
            ErrorKind::UnexpectedResponse => !error.is_retryable(),
            _ => false,
        };
        if is_inconsistent {
            self.inconsistent_reads += 1;
            return self.inconsistent_reads <= MAX_INCONSISTENT_READS;
        }
        error.is_retryable()
    }

    fn timed_out(&mut self) -> Error {
        let task = self.task();
        let id = printable(task.id());
        let started = self.schedule().started();
        let waited = self.deadline.unwrap_or(started).duration_since(started);
        let waited = waited.as_secs_f64();
        let status = task.status();
        let mut summary = match &status {
            Some(status) => {
                format!("timed out after {waited} s waiting for task {id}: its status is {status}")
            }
            None => format!("timed out after {waited} s waiting for task {id}: no status received"),
        };
        if let Some(TaskStatus::Unknown(_)) = status {
            summary.push_str(" (unknown to this version)");
        }
        if let Some(failure) = &self.failure {
            summary.push_str(&format!(", the last poll failed: {}", failure.summary()));
        }
        let error = task
            .with_task_context(Error::uncharged(ErrorKind::Timeout, summary))
            .with_retryable(true)
            .with_help(format!(
                "wait again with `client.task(\"{id}\").wait()` instead of creating it again"
            ));
        match self.failure.take() {
            Some(failure) => error.with_source(failure),
            None => error,
        }
    }
}
