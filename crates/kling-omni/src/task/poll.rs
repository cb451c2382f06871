use std::time::{Duration, Instant};

use super::hearing::Hearing;
use super::{PollSchedule, Task, Update};
use crate::error::{Error, ErrorKind, Result};
use crate::state::{Progress, TaskState, TaskStatus};
use crate::transport::{Backoff, Hold, Options};

/// How often in a row the service may answer what cannot be right: that it does not know a task that is known to
/// exist, since fresh tasks can take a moment to become readable everywhere, or something that cannot be read.
const MISSES_ALLOWED: u32 = 3;

/// The least time for the look at the deadline, so that it has a chance.
const LAST_LOOK: Duration = Duration::from_secs(5);

/// The pause before a completed task without a result is read once more.
const GRACE: Duration = Duration::from_secs(2);

/// No wait lasts so long, and every clock can tell the time after it.
const LONGEST_PAUSE: Duration = Duration::from_secs(365 * 24 * 3600);

/// Follows one task: reads it when the schedule says so, and hears of it in between, until it ends or the deadline
/// passes.
pub(super) struct Polling {
    task: Task,
    hearing: Hearing,
    schedule: PollSchedule,
    timeout: Option<Duration>,
    started: Instant,
    stage: Stage,
    polls: u32,
    backoff: Option<Backoff>,
    /// The service asked not to be asked before.
    held_until: Option<Instant>,
    misses: u32,
    graced: bool,
    reported: Option<TaskStatus>,
    /// The last poll's failure, unless a later one succeeded.
    failure: Option<Error>,
}

/// How a pause ended.
enum Pause {
    Over,
    /// The time is up; one last look is left.
    Deadline,
    News(TaskState),
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
    pub(super) fn new(
        task: Task,
        hearing: Hearing,
        schedule: PollSchedule,
        timeout: Option<Duration>,
    ) -> Self {
        Self {
            started: task.session.clock.now(),
            task,
            hearing,
            schedule,
            timeout,
            stage: Stage::Opening,
            polls: 0,
            backoff: None,
            held_until: None,
            misses: 0,
            graced: false,
            reported: None,
            failure: None,
        }
    }

    pub(super) fn task(&self) -> &Task {
        &self.task
    }

    /// The next thing worth knowing; `None` once the task has ended or an error has ended the wait.
    pub(super) async fn next(&mut self) -> Option<Result<Update>> {
        loop {
            match self.stage {
                Stage::Opening => {
                    self.stage = Stage::Polling(self.now());
                    if let Some(state) = self.task.state()
                        && let Some(update) = self.learn(state)
                    {
                        return Some(Ok(update));
                    }
                }
                Stage::Polling(due) => {
                    let answer = match self.pause(due).await {
                        Pause::News(state) => self.hear(state),
                        Pause::Over => self.poll().await,
                        Pause::Deadline => {
                            let answer = self.poll().await;
                            self.expire();
                            answer
                        }
                    };
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

    /// Waits, but not beyond the deadline and not beyond news.
    async fn pause(&mut self, due: Instant) -> Pause {
        let left = self.left();
        let clock = &self.task.session.clock;
        let pause = due.saturating_duration_since(clock.now());
        let (pause, over) = match left {
            Some(left) if left <= pause => (left, Pause::Deadline),
            _ => (pause, Pause::Over),
        };
        let passed = async {
            if !pause.is_zero() {
                clock.sleep(pause).await;
            }
        };
        tokio::select! {
            biased;
            state = self.hearing.next() => Pause::News(state),
            () = passed => over,
        }
    }

    /// Takes in what was delivered, as if a poll had answered it.
    fn hear(&mut self, state: TaskState) -> Option<Result<Update>> {
        // That a completed task has no result is for a second look to say, and deliveries may repeat each other.
        let is_repeated = self.graced && state.progress() == Progress::Unproven;
        if is_repeated || !self.task.hear(&state) {
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
        self.task.session.clock.now()
    }

    /// The time until the deadline, if there is one.
    fn left(&self) -> Option<Duration> {
        let waited = self.now().duration_since(self.started);
        self.timeout.map(|timeout| timeout.saturating_sub(waited))
    }

    fn has_ended(&self) -> bool {
        self.task
            .status()
            .is_some_and(|status| status.is_terminal())
    }

    async fn poll(&mut self) -> Option<Result<Update>> {
        let session = &self.task.session;
        let options = Options {
            // A failed poll is followed by the next poll, not by attempts of its own.
            retries: Some(0),
            attempt_timeout: self
                .left()
                .map(|left| left.max(LAST_LOOK).min(session.attempt_timeout)),
            // The look at the deadline is made then, whatever the rate.
            hold: self.left().map_or(Hold::AsLongAsItTakes, Hold::UpTo),
            ..Options::default()
        };
        let answer = tokio::select! {
            biased;
            () = self.hearing.ended() => {
                let state = self.hearing.next().await;
                return self.hear(state);
            }
            answer = self.task.read(options) => answer,
        };
        match answer {
            Ok(state) => {
                self.backoff = None;
                self.misses = 0;
                self.failure = None;
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
                let asked = asked.min(self.task.session.longest_retry_wait);
                self.held_until = Some(self.after(asked));
                let pause = pause.max(self.interval());
                self.stage = self.polling_after(pause);
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
        self.stage = if state.progress() == Progress::Unproven && !self.graced {
            self.graced = true;
            self.polling_after(GRACE)
        } else if status.is_terminal() {
            Stage::Ended
        } else {
            let interval = self.interval();
            self.polling_after(interval)
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

    fn interval(&mut self) -> Duration {
        let interval = self.schedule.interval(self.polls, fastrand::f64());
        self.polls = self.polls.saturating_add(1);
        self.hearing.stretch(interval)
    }

    fn polling_after(&self, pause: Duration) -> Stage {
        let due = self.after(pause);
        Stage::Polling(self.held_until.map_or(due, |held| held.max(due)))
    }

    fn after(&self, pause: Duration) -> Instant {
        self.now() + pause.min(LONGEST_PAUSE)
    }

    /// Whether a failed poll says nothing about the next one.
    fn is_passing(&mut self, error: &Error) -> bool {
        let odd = match error.kind() {
            ErrorKind::NotFound => self.task.state().is_some(),
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
        let id = self.task.id();
        let waited = self.timeout.unwrap_or_default().as_secs_f64();
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
            .with_advice(format!(
                "the task goes on: wait again with `client.task(\"{id}\").wait()`, do not create it again"
            ));
        match self.failure.take() {
            Some(failure) => error.with_source(failure),
            None => error,
        }
    }
}
