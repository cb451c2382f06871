//! When a wait polls its task.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::engine::polling::durations::{DurationModel, PollTarget, TaskOrigin, initial_phase};

/// The factor of the intervals between polls while webhook deliveries arrive.
const WEBHOOK_INTERVAL_FACTOR: u32 = 6;
/// The same factor for planned polls. A typical task is then polled less than once.
const WEBHOOK_PLAN_FACTOR: f64 = 12.0;

/// The minimum interval between polls after the request budget is used up.
const MIN_INTERVAL_BEYOND_BUDGET: Duration = Duration::from_secs(60);

/// The minimum of the pauses that the service requests.
const MIN_REQUESTED_PAUSE: Duration = Duration::from_secs(1);

/// The range of mean delays that a plan can reach, given the minimum and the maximum interval.
const MIN_MEAN_DELAY: Duration = Duration::from_millis(100);
const MAX_MEAN_DELAY: Duration = Duration::from_secs(120);

/// The maximum interval, so no time overflows.
const MAX_INTERVAL: Duration = Duration::from_secs(365 * 24 * 3600);

/// When a wait polls its task.
///
/// The default is [adaptive](Self::adaptive). Every schedule respects a pause that the service requests (`Retry-After`), and
/// an adaptive one polls at its end. If many tasks are waited for at once, the client polls the list of tasks instead of
/// each task. It then usually detects a completion earlier than the schedule would, and at most ten seconds later.
///
/// ```
/// use std::time::Duration;
/// use kling_omni::polling::PollSchedule;
///
/// let soon = PollSchedule::adaptive().mean_delay(Duration::from_millis(500));
/// let frugal = PollSchedule::adaptive().request_budget(6);
/// let every_ten_seconds = PollSchedule::fixed(Duration::from_secs(10));
/// let own = PollSchedule::custom(|polls, _waited| Duration::from_secs(if polls < 3 { 20 } else { 5 }));
/// ```
#[derive(Clone)]
pub struct PollSchedule {
    rule: ScheduleRule,
    min_interval: Duration,
    budget: Option<u32>,
}

#[derive(Clone)]
enum ScheduleRule {
    Adaptive {
        mean_delay: Duration,
    },
    /// Shared, because each wait has a schedule.
    Growing(Arc<Growing>),
    Custom(Arc<dyn Fn(u32, Duration) -> Duration + Send + Sync>),
}

struct Growing {
    first: Duration,
    growth: f64,
    longest: Duration,
}

impl PollSchedule {
    /// The minimum interval between polls. Shorter intervals are raised to it.
    pub const MIN_INTERVAL: Duration = Duration::from_millis(100);

    /// The default target of an adaptive schedule: the mean time from the completion of a task to the poll that detects it. See
    /// [`mean_delay`](Self::mean_delay).
    pub const MEAN_DELAY: Duration = Duration::from_secs(2);

    /// Polls when the task is likely to be completed: not before that is plausible, most often around the usual duration, and
    /// less and less often after it.
    ///
    /// The client learns the usual durations from the tasks that it has created and seen completed
    /// ([`TaskDurations`](crate::polling::TaskDurations)), by tier, length of the video, and whether it starts from an image. It begins
    /// with a built-in prior.
    pub fn adaptive() -> Self {
        Self::with_rule(ScheduleRule::Adaptive {
            mean_delay: Self::MEAN_DELAY,
        })
    }

    /// Polls at a fixed interval, with a jitter of 10 %.
    pub fn fixed(interval: Duration) -> Self {
        Self::growing(interval, 1.0, interval)
    }

    /// Polls at intervals that begin with `first` and grow by the factor `growth` after each poll, up to `longest`, each with a
    /// jitter of 10 %. A factor below 1 counts as 1.
    pub fn growing(first: Duration, growth: f64, longest: Duration) -> Self {
        let growth = match growth.is_finite() {
            true => growth.max(1.0),
            false => 1.0,
        };
        let longest = longest.max(first);
        Self::with_rule(ScheduleRule::Growing(Arc::new(Growing {
            first,
            growth,
            longest,
        })))
    }

    /// Polls at custom intervals: `interval` receives the number of polls that the wait has made and the time since it began,
    /// and returns the time until the next poll.
    pub fn custom(interval: impl Fn(u32, Duration) -> Duration + Send + Sync + 'static) -> Self {
        Self::with_rule(ScheduleRule::Custom(Arc::new(interval)))
    }

    fn with_rule(rule: ScheduleRule) -> Self {
        Self {
            rule,
            min_interval: Self::MIN_INTERVAL,
            budget: None,
        }
    }

    /// Sets the target of an adaptive schedule: the mean time from the completion of a task to the poll that detects it, from
    /// 0.1 s to 120 s. Half the delay takes twice the polls. Other schedules ignore it. Default:
    /// [`MEAN_DELAY`](Self::MEAN_DELAY).
    pub fn mean_delay(mut self, delay: Duration) -> Self {
        if let ScheduleRule::Adaptive { mean_delay } = &mut self.rule {
            *mean_delay = delay;
        }
        self
    }

    /// Sets the minimum interval. At least, and by default, [`MIN_INTERVAL`](Self::MIN_INTERVAL).
    pub fn min_interval(mut self, interval: Duration) -> Self {
        self.min_interval = interval.max(Self::MIN_INTERVAL);
        self
    }

    /// Sets how many polls a wait should need. At least one. Default: no limit.
    ///
    /// An adaptive schedule distributes them over the duration of a usual task, whatever [mean delay](Self::mean_delay) results.
    /// Polls beyond the budget are a minute apart, in any schedule.
    pub fn request_budget(mut self, polls: u32) -> Self {
        self.budget = Some(polls.max(1));
        self
    }

    /// The interval before the next poll, for rules that depend on the number of polls.
    fn interval(&self, polls: u32, waited: Duration, jitter: f64) -> Option<Duration> {
        let interval = match &self.rule {
            ScheduleRule::Adaptive { .. } => return None,
            ScheduleRule::Growing(rule) => {
                let steps = i32::try_from(polls).unwrap_or(i32::MAX);
                let seconds = rule.first.as_secs_f64() * rule.growth.powi(steps);
                let seconds = seconds.min(rule.longest.as_secs_f64()) * (0.9 + 0.2 * jitter);
                Duration::try_from_secs_f64(seconds).unwrap_or(rule.longest)
            }
            ScheduleRule::Custom(interval) => interval(polls, waited),
        };
        Some(interval.max(self.min_interval))
    }
}

impl Default for PollSchedule {
    fn default() -> Self {
        Self::adaptive()
    }
}

impl fmt::Debug for PollSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = match &self.rule {
            ScheduleRule::Adaptive { mean_delay } => {
                let mut shown = f.debug_struct("Adaptive");
                shown.field("mean_delay", mean_delay);
                shown
            }
            ScheduleRule::Growing(rule) => {
                let mut shown = f.debug_struct("Growing");
                shown.field("first", &rule.first);
                shown.field("growth", &rule.growth);
                shown.field("longest", &rule.longest);
                shown
            }
            ScheduleRule::Custom(_) => f.debug_struct("Custom"),
        };
        shown.field("min_interval", &self.min_interval);
        shown.field("request_budget", &self.budget).finish()
    }
}

/// The input of a schedule when it plans the next poll of a task.
pub(crate) struct PollContext {
    pub(crate) now: Instant,
    /// The kind of the task and when it was created, if this client created it.
    pub(crate) origin: Option<TaskOrigin>,
    /// When the task was last known to be in progress.
    pub(crate) last_in_progress: Option<Instant>,
    /// The service requested not to be polled before.
    pub(crate) not_before: Option<Instant>,
}

/// The end of a pause that the service requests now.
pub(crate) fn end_of_pause(now: Instant, pause: Duration) -> Option<Instant> {
    now.checked_add(pause.max(MIN_REQUESTED_PAUSE))
}

/// The state of a schedule in one wait.
pub(crate) struct ScheduleState {
    schedule: PollSchedule,
    started: Instant,
    /// The number of polls, including those that a list answered.
    polls: AtomicU32,
    /// The number of direct reads.
    reads: AtomicU32,
    /// The phase of the first poll. Random, to spread the polls of many waits.
    initial_phase: f64,
    /// Whether webhook deliveries arrive, so polls can be less frequent.
    webhook_mode: AtomicBool,
}

impl ScheduleState {
    pub(crate) fn new(schedule: PollSchedule, started: Instant) -> Self {
        Self {
            schedule,
            started,
            polls: AtomicU32::new(0),
            reads: AtomicU32::new(0),
            initial_phase: initial_phase(fastrand::f64()),
            webhook_mode: AtomicBool::new(false),
        }
    }

    /// Sets the beginning of the wait.
    pub(crate) fn start(&mut self, now: Instant) {
        self.started = now;
    }

    pub(crate) fn set_webhook_mode(&self, webhook_mode: bool) {
        self.webhook_mode.store(webhook_mode, Ordering::Relaxed);
    }

    /// Counts a direct read, or a delivery in place of one.
    pub(crate) fn count_read(&self) {
        self.polls.fetch_add(1, Ordering::Relaxed);
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a poll that a list answered.
    pub(crate) fn count_listed(&self) {
        self.polls.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// The min_interval interval between two polls.
    pub(crate) fn min_interval(&self) -> Duration {
        self.schedule.min_interval.min(MAX_INTERVAL)
    }

    /// When to poll the task next.
    pub(crate) fn next_poll(
        &self,
        context: &PollContext,
        durations: &mut DurationModel,
    ) -> Instant {
        let now = context.now;
        let waited = now.duration_since(self.started);
        let polls = self.polls.load(Ordering::Relaxed);
        let interval = self.schedule.interval(polls, waited, fastrand::f64());
        let not_before = context.not_before.filter(|time| *time > now);
        let due = match (interval, not_before) {
            (Some(interval), _) => {
                let webhook_mode = self.webhook_mode.load(Ordering::Relaxed);
                let factor = if webhook_mode {
                    WEBHOOK_INTERVAL_FACTOR
                } else {
                    1
                };
                now + interval.saturating_mul(factor).min(MAX_INTERVAL)
            }
            // The service knows best when the task will be completed.
            (None, Some(not_before)) => not_before.max(now + self.min_interval()),
            (None, None) => self.planned(context, durations),
        };
        let reads = self.reads.load(Ordering::Relaxed);
        let is_beyond_budget = self.schedule.budget.is_some_and(|budget| reads >= budget);
        let earliest = if is_beyond_budget {
            now + MIN_INTERVAL_BEYOND_BUDGET
        } else {
            now
        };
        due.max(earliest).max(not_before.unwrap_or(now))
    }

    /// When the plan for tasks of this kind has the next poll.
    fn planned(&self, context: &PollContext, durations: &mut DurationModel) -> Instant {
        let ScheduleRule::Adaptive { mean_delay } = self.schedule.rule else {
            return self.started;
        };
        let target = PollTarget {
            mean_delay: mean_delay
                .clamp(MIN_MEAN_DELAY, MAX_MEAN_DELAY)
                .as_secs_f64(),
            max_polls: self.schedule.budget.map(f64::from),
            min_interval: self.schedule.min_interval.as_secs_f64(),
        };
        let origin = context.origin.as_ref();
        let started = origin.map_or(self.started, |origin| origin.created);
        let last = context.last_in_progress;
        let age = last.map_or(0.0, |at| at.duration_since(started).as_secs_f64());
        let polls = match (self.webhook_mode.load(Ordering::Relaxed), age > 0.0) {
            (true, _) => WEBHOOK_PLAN_FACTOR,
            (false, true) => 1.0,
            (false, false) => self.initial_phase,
        };
        let plan = durations.plan(origin.map(|origin| origin.kind), target);
        let due =
            Duration::try_from_secs_f64(plan.next_poll_age(age, polls)).unwrap_or(MAX_INTERVAL);
        started + due.min(MAX_INTERVAL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(schedule: &PollSchedule, polls: u32, jitter: f64) -> f64 {
        let interval = schedule.interval(polls, Duration::ZERO, jitter);
        interval.unwrap().as_secs_f64()
    }

    #[test]
    fn growing_intervals_have_a_jitter_of_ten_percent() {
        let schedule = PollSchedule::growing(Duration::from_secs(2), 2.0, Duration::from_secs(10));
        for (poll, expected) in [(0, 2.0), (1, 4.0), (2, 8.0), (3, 10.0), (u32::MAX, 10.0)] {
            for (jitter, factor) in [(0.0, 0.9), (0.5, 1.0), (1.0, 1.1)] {
                let interval = seconds(&schedule, poll, jitter);
                assert!(
                    (interval - expected * factor).abs() < 1e-6,
                    "{poll} {jitter} {interval}"
                );
            }
        }
    }

    #[test]
    fn custom_interval_is_at_least_min_interval() {
        for schedule in [
            PollSchedule::fixed(Duration::ZERO),
            PollSchedule::growing(Duration::ZERO, f64::NAN, Duration::ZERO),
            PollSchedule::growing(Duration::MAX, f64::MAX, Duration::MAX),
            PollSchedule::custom(|_, _| Duration::ZERO).min_interval(Duration::ZERO),
        ] {
            for jitter in [0.0, 0.5, 1.0] {
                let interval = seconds(&schedule, 7, jitter);
                assert!(interval >= PollSchedule::MIN_INTERVAL.as_secs_f64());
            }
        }
    }
}
