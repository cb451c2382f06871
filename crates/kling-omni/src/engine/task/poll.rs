use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::error::{Error, ErrorKind, Result};
use crate::engine::http::backoff::Backoff;
use crate::engine::polling::queue::{PollRequest, PollResponse};
use crate::engine::polling::schedule::PollSchedule;
use crate::engine::polling::schedule::ScheduleState;
use crate::engine::state::{Progress, TaskState, TaskStatus};
use crate::engine::task::polled_task::PolledTask;
use crate::engine::task::updates::Update;
use crate::engine::task::webhook_updates::{WebhookUpdate, WebhookUpdates};
use crate::engine::task::{Source, Task};
use crate::redact::printable;

/// How often in a row the service may answer what cannot be right: that it does not know a task that is known to
/// exist, since fresh tasks can take a moment to become readable everywhere, or something that cannot be read.
const MISSES_ALLOWED: u32 = 3;

/// The pause before a completed task without a result is read once more.
const EMPTY_RESULT_DELAY: Duration = Duration::from_secs(2);

/// Follows one task: reads it when the schedule says so, and hears of it in between, until it ends or the deadline
/// passes.
pub(crate) struct Polling {
    task: Task,
    hearing: WebhookUpdates,
    /// Shared with the look that is under way.
    schedule: Arc<ScheduleState>,
    timeout: Option<Duration>,
    deadline: Option<Instant>,
    started: Instant,
    stage: Stage,
    /// Boxed, since few waits have one, and many waits are kept.
    backoff: Option<Box<Backoff>>,
    /// The service asked not to be asked before.
    held_until: Option<Instant>,
    misses: u32,
    empty_result_retried: bool,
    reported: Option<TaskStatus>,
    /// The last poll's failure, unless a later one succeeded.
    failure: Option<Error>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// What is known from the creation is still to be reported.
    Opening,
    /// To be read again at this time.
    Polling(Instant),
    /// The deadline has passed; only that is still to be reported.
    Expired,
    Ended,
}

impl Polling {
    /// Does not begin before it is asked for the [next](Self::next) thing.
    pub(crate) fn new(
        task: Task,
        hearing: WebhookUpdates,
        schedule: PollSchedule,
        timeout: Option<Duration>,
    ) -> Self {
        let started = task.now();
        Self {
            started,
            task,
            hearing,
            schedule: Arc::new(ScheduleState::new(schedule, started)),
            timeout,
            deadline: None,
            stage: Stage::Opening,
            backoff: None,
            held_until: None,
            misses: 0,
            empty_result_retried: false,
            reported: None,
            failure: None,
        }
    }

    fn begin(&mut self) {
        self.started = self.now();
        if let Some(schedule) = Arc::get_mut(&mut self.schedule) {
            schedule.start(self.started);
        }
        // A deadline beyond all time is none.
        let deadline = |timeout| self.started.checked_add(timeout);
        self.deadline = self.timeout.and_then(deadline);
        self.stage = Stage::Polling(self.started);
    }

    pub(crate) fn task(&self) -> &Task {
        &self.task
    }

    /// The next thing worth knowing; `None` once the task has ended or an error has ended the wait.
    pub(crate) async fn next(&mut self) -> Option<Result<Update>> {
        loop {
            match self.stage {
                Stage::Opening => {
                    self.begin();
                    if let Some(state) = self.task.state()
                        && let Some(update) = self.learn(state)
                    {
                        return Some(Ok(update));
                    }
                }
                Stage::Polling(due) => {
                    let (answer, is_over) = match self.look(due).await {
                        Ok(seen) => {
                            let was_last = seen.was_last;
                            (self.take(seen), was_last)
                        }
                        Err(delivered) => {
                            let now = self.now();
                            let is_overdue = self.deadline.is_some_and(|deadline| deadline <= now);
                            (self.hear(delivered), is_overdue)
                        }
                    };
                    if is_over {
                        self.expire();
                    }
                    if answer.is_some() {
                        return answer;
                    }
                }
                Stage::Expired => {
                    self.stage = Stage::Ended;
                    return Some(Err(self.timed_out()));
                }
                Stage::Ended => return None,
            }
        }
    }

    /// Looks at the task when it is due, or at the deadline if that is sooner, unless a delivery tells of it before.
    async fn look(&mut self, due: Instant) -> std::result::Result<PollResponse, WebhookUpdate> {
        let followed = PolledTask {
            task: self.task.clone(),
            schedule: Arc::clone(&self.schedule),
        };
        let due = self.deadline.map_or(due, |deadline| deadline.min(due));
        let looking = self.task.session().poller.poll(|answer| PollRequest {
            subject: Box::new(followed),
            due,
            deadline: self.deadline,
            needs_direct_read: self.empty_result_retried || self.deadline == Some(due),
            known: self.reported.clone(),
            answer,
            listed_since: None,
            not_before: self.held_until.max(self.task.poll_context().not_before()),
            shown: None,
            span: tracing::Span::current(),
        });
        tokio::select! {
            biased;
            told = self.hearing.next() => Err(told),
            seen = looking => Ok(seen),
        }
    }

    /// Takes in what was delivered, as if a poll had answered it.
    fn hear(&mut self, told: WebhookUpdate) -> Option<Result<Update>> {
        let WebhookUpdate { state, at } = told;
        // That a completed task has no result is for a second look to say, and deliveries may repeat each other.
        let is_repeated = self.empty_result_retried && state.progress() == Progress::Unproven;
        let source = at.map_or(Source::Polled, Source::Pushed);
        if is_repeated || !self.task.learn(&state, source) {
            return None;
        }
        self.learn(state).map(Ok)
    }

    /// After the last look, nothing more is asked.
    fn expire(&mut self) {
        if matches!(self.stage, Stage::Polling(_)) {
            self.stage = if self.has_ended() {
                Stage::Ended
            } else {
                Stage::Expired
            };
        }
    }

    fn now(&self) -> Instant {
        self.task.now()
    }

    fn has_ended(&self) -> bool {
        self.task
            .status()
            .is_some_and(|status| status.is_terminal())
    }

    /// Takes in what a look has come to.
    fn take(&mut self, seen: PollResponse) -> Option<Result<Update>> {
        match seen.state {
            Ok(state) => {
                self.put_failures_behind();
                let is_news = |reported| reported != state.status();
                if self.reported.as_ref().is_some_and(is_news) {
                    self.hearing.has_missed_news();
                }
                self.learn(state).map(Ok)
            }
            Err(error) if self.is_passing(&error) => {
                let pause = self.backoff.get_or_insert_default().next_pause();
                // Results do not wait: a service that asks for hours is asked again before they expire.
                let asked = error.retry_after().unwrap_or_default();
                let asked = asked.min(self.task.session().http.settings.max_retry_delay);
                let now = self.now();
                self.held_until = Some(now + asked);
                let pause = pause.max(self.schedule.shortest());
                self.stage = Stage::Polling(self.next_due().max(now + pause));
                tracing::debug!(task = self.task.id(), %error, "a poll failed");
                let update = Update::PollFailed {
                    kind: error.kind(),
                    why: error.summary().to_owned(),
                };
                self.failure = Some(error);
                Some(Ok(update))
            }
            Err(error) => {
                self.stage = Stage::Ended;
                Some(Err(error))
            }
        }
    }

    /// Takes in what the service said and plans the next step; answers an update if the status has changed.
    fn learn(&mut self, state: TaskState) -> Option<Update> {
        let status = state.status().clone();
        self.stage = if state.progress() == Progress::Unproven && !self.empty_result_retried {
            self.empty_result_retried = true;
            Stage::Polling(self.not_held(self.now() + EMPTY_RESULT_DELAY))
        } else if status.is_terminal() {
            Stage::Ended
        } else {
            Stage::Polling(self.next_due())
        };
        if self.reported.as_ref() == Some(&status) {
            return None;
        }
        if let TaskStatus::Unknown(_) = status {
            tracing::warn!(task = self.task.id(), %status, "a status that this version does not know; the wait goes on");
        }
        self.reported = Some(status);
        Some(Update::Status(state))
    }

    fn next_due(&mut self) -> Instant {
        self.schedule.set_webhook_mode(self.hearing.is_trusted());
        let due = self.task.next_poll(&self.schedule);
        self.schedule.count();
        self.not_held(due)
    }

    /// The moment, or the later one before which the service asked not to be asked.
    fn not_held(&self, due: Instant) -> Instant {
        self.held_until.map_or(due, |held| held.max(due))
    }

    fn put_failures_behind(&mut self) {
        self.backoff = None;
        self.misses = 0;
        self.failure = None;
    }

    /// Whether a failed poll says nothing about the next one.
    fn is_passing(&mut self, error: &Error) -> bool {
        let odd = match error.kind() {
            ErrorKind::NotFound => self.task.is_known(),
            ErrorKind::UnexpectedResponse => !error.is_retryable(),
            _ => false,
        };
        if odd {
            self.misses += 1;
            return self.misses <= MISSES_ALLOWED;
        }
        error.is_retryable()
    }

    fn timed_out(&mut self) -> Error {
        let id = printable(self.task.id());
        let waited = self
            .deadline
            .unwrap_or(self.started)
            .duration_since(self.started);
        let waited = waited.as_secs_f64();
        let standing = match self.task.status() {
            Some(status) => format!("is {status}"),
            None => "has not been heard of".to_owned(),
        };
        let mut summary = format!("task {id} {standing} after {waited} s of waiting");
        if let Some(TaskStatus::Unknown(_)) = self.task.status() {
            summary.push_str(", a status that this version does not know");
        }
        if let Some(failure) = &self.failure {
            summary.push_str(&format!(", the last poll failed: {}", failure.summary()));
        }
        let error = self
            .task
            .concerning(Error::new(ErrorKind::Timeout, summary))
            .with_retryable(true)
            .with_help(format!(
                "the task goes on: wait again with `client.task(\"{id}\").wait()`, do not create it again"
            ));
        match self.failure.take() {
            Some(failure) => error.with_source(failure),
            None => error,
        }
    }
}
