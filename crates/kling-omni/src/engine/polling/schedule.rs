//! When a wait polls its task.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::engine::polling::durations::{DurationModel, PollTarget, TaskOrigin, initial_phase};

/// How much longer the intervals between polls are while webhook deliveries arrive.
const WEBHOOK_INTERVAL_FACTOR: u32 = 6;
/// The same for planned polls, of which a typical task then gets less than one.
const WEBHOOK_PLAN_FACTOR: f64 = 12.0;

/// The shortest interval between polls beyond the request budget.
const MIN_INTERVAL_BEYOND_BUDGET: Duration = Duration::from_secs(60);

/// Shorter pauses that the service asks for are lengthened to this.
const MIN_REQUESTED_PAUSE: Duration = Duration::from_secs(1);

/// The range of mean delays that a plan can reach, given the shortest and the longest interval.
const MIN_MEAN_DELAY: Duration = Duration::from_millis(100);
const MAX_MEAN_DELAY: Duration = Duration::from_secs(120);

/// Longer intervals are shortened to this, so that no time overflows.
const MAX_INTERVAL: Duration = Duration::from_secs(365 * 24 * 3600);

/// When a wait polls its task.
///
/// The default is [adaptive](Self::adaptive). Every schedule respects a pause that the service asks for (`Retry-After`), and
/// an adaptive one polls when it is over. Where many tasks are waited for at once, the client polls the list of tasks
/// in place of each of them: then it mostly learns of an end sooner than the schedule says, and at most ten seconds later.
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
    rule: Rule,
    shortest: Duration,
    budget: Option<u32>,
}

#[derive(Clone)]
enum Rule {
    Adaptive {
        mean_delay: Duration,
    },
    /// Boxed, since each wait has a schedule, and most are adaptive.
    Growing(Arc<Growing>),
    Custom(Arc<dyn Fn(u32, Duration) -> Duration + Send + Sync>),
}

struct Growing {
    first: Duration,
    growth: f64,
    longest: Duration,
}

impl PollSchedule {
    /// The shortest interval between polls; shorter ones are lengthened to this.
    pub const MIN_INTERVAL: Duration = Duration::from_millis(100);

    /// The mean time from a task's end to the poll that finds it, which an adaptive schedule aims at unless
    /// [told otherwise](Self::mean_delay).
    pub const MEAN_DELAY: Duration = Duration::from_secs(2);

    /// Polls when the task is likely to end: none before that is plausible, most of them around the usual time, and ever
    /// fewer after it.
    ///
    /// What is usual, the client learns from the tasks that it has created and seen completed ([`TaskDurations`](crate::polling::TaskDurations)),
    /// by tier, length of the video, and whether it starts from an image. It begins with what is known of the service.
    pub fn adaptive() -> Self {
        Self::of(Rule::Adaptive {
            mean_delay: Self::MEAN_DELAY,
        })
    }

    /// The same interval throughout, give or take a tenth.
    pub fn fixed(interval: Duration) -> Self {
        Self::growing(interval, 1.0, interval)
    }

    /// Intervals that begin with `first` and become `growth` times longer after each poll, up to `longest`, each give or
    /// take a tenth. A growth below 1 counts as 1.
    pub fn growing(first: Duration, growth: f64, longest: Duration) -> Self {
        let growth = match growth.is_finite() {
            true => growth.max(1.0),
            false => 1.0,
        };
        let longest = longest.max(first);
        Self::of(Rule::Growing(Arc::new(Growing {
            first,
            growth,
            longest,
        })))
    }

    /// Intervals of your own: `interval` gets the number of polls that the wait has made and the time since its
    /// beginning, and answers the time to the next poll.
    pub fn custom(interval: impl Fn(u32, Duration) -> Duration + Send + Sync + 'static) -> Self {
        Self::of(Rule::Custom(Arc::new(interval)))
    }

    fn of(rule: Rule) -> Self {
        Self {
            rule,
            shortest: Self::MIN_INTERVAL,
            budget: None,
        }
    }

    /// What an adaptive schedule aims at: the mean time from a task's end to the poll that finds it, from a tenth of a second
    /// to two minutes. Half of it takes twice the polls. No other schedule has it.
    pub fn mean_delay(mut self, delay: Duration) -> Self {
        if let Rule::Adaptive { mean_delay } = &mut self.rule {
            *mean_delay = delay;
        }
        self
    }

    /// Lengthens shorter intervals to this; [`MIN_INTERVAL`](Self::MIN_INTERVAL) at least.
    pub fn min_interval(mut self, interval: Duration) -> Self {
        self.shortest = interval.max(Self::MIN_INTERVAL);
        self
    }

    /// How many polls a wait should make do with; one at least.
    ///
    /// An adaptive schedule places them so that this is enough for a usual task, whatever its
    /// [mean delay](Self::mean_delay) comes to. Polls that go beyond it are a minute apart, for any schedule.
    pub fn request_budget(mut self, polls: u32) -> Self {
        self.budget = Some(polls.max(1));
        self
    }

    /// The interval before the next poll, for a rule that goes by the number of polls made.
    fn interval(&self, polls: u32, waited: Duration, jitter: f64) -> Option<Duration> {
        let interval = match &self.rule {
            Rule::Adaptive { .. } => return None,
            Rule::Growing(rule) => {
                let steps = i32::try_from(polls).unwrap_or(i32::MAX);
                let seconds = rule.first.as_secs_f64() * rule.growth.powi(steps);
                let seconds = seconds.min(rule.longest.as_secs_f64()) * (0.9 + 0.2 * jitter);
                Duration::try_from_secs_f64(seconds).unwrap_or(rule.longest)
            }
            Rule::Custom(interval) => interval(polls, waited),
        };
        Some(interval.max(self.shortest))
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
            Rule::Adaptive { mean_delay } => {
                let mut shown = f.debug_struct("Adaptive");
                shown.field("mean_delay", mean_delay);
                shown
            }
            Rule::Growing(rule) => {
                let mut shown = f.debug_struct("Growing");
                shown.field("first", &rule.first);
                shown.field("growth", &rule.growth);
                shown.field("longest", &rule.longest);
                shown
            }
            Rule::Custom(_) => f.debug_struct("Custom"),
        };
        shown.field("min_interval", &self.shortest);
        shown.field("request_budget", &self.budget).finish()
    }
}

/// What a schedule goes by to plan the next poll of a task.
pub(crate) struct PollContext {
    pub(crate) now: Instant,
    /// The kind of task, and when it was created, where this client created it.
    pub(crate) origin: Option<TaskOrigin>,
    /// When the task was last known to be in progress.
    pub(crate) last_in_progress: Option<Instant>,
    /// The service asked not to be polled before.
    pub(crate) not_before: Option<Instant>,
}

/// The end of a pause that the service asks for now.
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
    /// The phase of the first poll. It is random, so that the polls of many waits are spread.
    initial_phase: f64,
    /// Whether webhook deliveries arrive, so that polls can be rarer.
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

    /// The wait begins now.
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

    /// The shortest interval between two polls.
    pub(crate) fn min_interval(&self) -> Duration {
        self.schedule.shortest.min(MAX_INTERVAL)
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
            // The service knows best when the task will end.
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
        let Rule::Adaptive { mean_delay } = self.schedule.rule else {
            return self.started;
        };
        let target = PollTarget {
            mean_delay: mean_delay
                .clamp(MIN_MEAN_DELAY, MAX_MEAN_DELAY)
                .as_secs_f64(),
            max_polls: self.schedule.budget.map(f64::from),
            min_interval: self.schedule.shortest.as_secs_f64(),
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
        let due = Duration::try_from_secs_f64(plan.after(age, polls)).unwrap_or(MAX_INTERVAL);
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
    fn intervals_grow_and_stay_within_a_tenth() {
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
    fn no_schedule_is_faster_than_the_shortest_interval_allows() {
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
