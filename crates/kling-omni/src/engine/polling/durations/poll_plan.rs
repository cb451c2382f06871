//! When to poll a task, by its age: a plan that reaches a mean delay with the fewest polls.

use crate::engine::polling::durations::histogram::Histogram;

/// The range of the phase of the first poll, in polls. Within it, the delay is the same, so waits can be spread over it.
const INITIAL_PHASE: (f64, f64) = (0.75, 1.0);

/// The maximum interval, in seconds, once a task may be completed.
const MAX_INTERVAL: f64 = 60.0;
/// From this many planned polls on, a task may be completed.
const PLAUSIBLE_POLLS: f64 = 0.5;

/// The plan ends when fewer tasks than this are still in progress.
const MIN_IN_PROGRESS: f64 = 1e-4;
const MAX_POLLS: usize = 2_000;
/// With fewer polls on average, a task would have to be completed at the first poll with certainty.
const MIN_POLLS: f64 = 1.15;
/// Keeps polls in the far tail of the prior, where the hazard is almost zero.
const MIN_HAZARD: f64 = 1e-6;

/// The phase of the first poll of a wait, for a random number from 0 to 1.
pub(crate) fn initial_phase(random: f64) -> f64 {
    INITIAL_PHASE.0 + random * (INITIAL_PHASE.1 - INITIAL_PHASE.0)
}

/// The target of a plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PollTarget {
    /// The mean time, in seconds, from the completion of a task to the poll that detects it.
    pub(crate) mean_delay: f64,
    /// The maximum of the mean number of polls of a task.
    pub(crate) max_polls: Option<f64>,
    /// The minimum interval between polls, in seconds.
    pub(crate) min_interval: f64,
}

/// When to poll a task, by its age.
///
/// The density of polls at each age is proportional to the square root of the hazard, which is the probability that a task
/// in progress completes now. For a given number of polls, this density has the smallest mean delay.
#[derive(Debug)]
pub(crate) struct PollPlan {
    /// How many polls are planned up to the end of each bin, before scaling.
    polls: Vec<CumulativePoint>,
    scale: f64,
    min_interval: f64,
}

/// A value at an age.
#[derive(Clone, Copy, Debug)]
struct CumulativePoint {
    age: f64,
    value: f64,
}

/// The expected cost of a plan.
#[derive(Clone, Copy, Debug)]
struct ExpectedCost {
    polls: f64,
    delay: f64,
}

/// The position of the latest ages in a plan. Ages and polls only grow from one poll to the next, so a walk over the complete
/// plan passes each of its points once.
#[derive(Default)]
struct PlanCursor {
    by_age: usize,
    by_polls: usize,
}

impl PollPlan {
    pub(crate) fn new(histogram: &Histogram, target: PollTarget) -> Self {
        let table = CumulativeTable::new(histogram);
        let mut plan = Self {
            polls: cumulative_root_of_hazard(histogram),
            scale: 1.0,
            min_interval: target.min_interval,
        };
        let max_polls = target.max_polls.map(|polls| polls.max(MIN_POLLS));
        // More polls always mean less delay, so bisection finds the fewest polls that are enough.
        let (mut low, mut high) = (1e-3_f64, 1e3_f64);
        for _ in 0..24 {
            plan.scale = (low * high).sqrt();
            let expected = table.expected(&plan);
            let is_over_budget = max_polls.is_some_and(|max| expected.polls > max);
            if expected.delay > target.mean_delay && !is_over_budget {
                low = plan.scale;
            } else {
                high = plan.scale;
            }
        }
        plan.scale = low;
        plan
    }

    /// The age of the poll that follows after `polls` polls, for a task that was last known to be in progress at `age`.
    pub(crate) fn next_poll_age(&self, age: f64, polls: f64) -> f64 {
        self.next_age(&mut PlanCursor::default(), age, polls)
    }

    fn next_age(&self, cursor: &mut PlanCursor, age: f64, polls: f64) -> f64 {
        let done = self.polls_until(cursor, age);
        let next = self.age_at(cursor, done + polls);
        let mut next = next.unwrap_or(f64::INFINITY);
        if done >= PLAUSIBLE_POLLS || next.is_infinite() {
            next = next.min(age + MAX_INTERVAL * polls);
        }
        next.max(age + self.min_interval)
    }

    /// The number of polls planned up to an age.
    fn polls_until(&self, cursor: &mut PlanCursor, age: f64) -> f64 {
        advance(&mut cursor.by_age, &self.polls, |point| point.age <= age);
        let (Some(after), Some(before)) =
            (self.polls.get(cursor.by_age), cursor.by_age.checked_sub(1))
        else {
            return self.scale * self.polls.last().map_or(0.0, |last| last.value);
        };
        let before = self.polls[before];
        let part = (age - before.age) / (after.age - before.age);
        self.scale * (before.value + part * (after.value - before.value))
    }

    /// The age up to which this many polls are planned.
    fn age_at(&self, cursor: &mut PlanCursor, polls: f64) -> Option<f64> {
        let polls = polls / self.scale;
        advance(&mut cursor.by_polls, &self.polls, |point| {
            point.value < polls
        });
        let after = self.polls.get(cursor.by_polls)?;
        let Some(before) = cursor.by_polls.checked_sub(1) else {
            return Some(after.age);
        };
        let before = self.polls[before];
        let part = (polls - before.value) / (after.value - before.value);
        Some(before.age + part * (after.age - before.age))
    }
}

/// Moves `index` past all items for which `is_before` is true.
fn advance<T>(index: &mut usize, items: &[T], is_before: impl Fn(&T) -> bool) {
    while items.get(*index).is_some_and(&is_before) {
        *index += 1;
    }
}

fn cumulative_root_of_hazard(histogram: &Histogram) -> Vec<CumulativePoint> {
    let (mut in_progress, mut polls) = (1.0, 0.0);
    let mut points = vec![CumulativePoint {
        age: 0.0,
        value: 0.0,
    }];
    for (from, to, mass) in histogram.bins() {
        let hazard = mass / ((in_progress - mass / 2.0).max(1e-12) * (to - from));
        polls += hazard.max(MIN_HAZARD).sqrt() * (to - from);
        in_progress -= mass;
        points.push(CumulativePoint {
            age: to,
            value: polls,
        });
    }
    points
}

/// A cumulative histogram, by the end of each bin: the age, the probability that a task is completed by then, and the mean
/// time since its completion.
struct CumulativeTable(Vec<(f64, f64, f64)>);

impl CumulativeTable {
    fn new(histogram: &Histogram) -> Self {
        let (mut ended, mut since) = (0.0, 0.0);
        let mut points = vec![(0.0, 0.0, 0.0)];
        for (from, to, mass) in histogram.bins() {
            since += (ended + mass / 2.0) * (to - from);
            ended += mass;
            points.push((to, ended, since));
        }
        Self(points)
    }

    /// The probability of completion by an age, and the mean time since.
    fn at(&self, index: &mut usize, age: f64) -> (f64, f64) {
        advance(index, &self.0, |(to, ..)| *to <= age);
        let (from, ended, since) = self.0[index.saturating_sub(1)];
        let Some((to, later, _)) = self.0.get(*index) else {
            return (ended, since + ended * (age - from));
        };
        let (span, gain) = (age - from, (later - ended) / (to - from));
        (
            ended + gain * span,
            since + ended * span + gain * span * span / 2.0,
        )
    }

    /// The mean cost of a plan for tasks with these durations.
    fn expected(&self, plan: &PollPlan) -> ExpectedCost {
        let mut expected = ExpectedCost {
            polls: 0.0,
            delay: 0.0,
        };
        let (mut cursor, mut index) = (PlanCursor::default(), 0);
        let (mut age, mut ended, mut since) = (0.0, 0.0, 0.0);
        let mut polls = initial_phase(0.5);
        for _ in 0..MAX_POLLS {
            let next = plan.next_age(&mut cursor, age, polls);
            let (then_ended, then_since) = self.at(&mut index, next);
            expected.polls += 1.0 - ended;
            expected.delay += then_since - since - ended * (next - age);
            (age, ended, since) = (next, then_ended, then_since);
            if 1.0 - ended < MIN_IN_PROGRESS {
                break;
            }
            polls = 1.0;
        }
        expected
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::samples::Samples;
    use super::*;

    const TARGET: PollTarget = PollTarget {
        mean_delay: 2.0,
        max_polls: None,
        min_interval: 0.1,
    };

    /// The histogram learned from many tasks with log-normal durations.
    fn log_normal(median: f64, spread: f64) -> Histogram {
        let mut samples = Samples::default();
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..128 {
            // The sum of twelve uniform numbers is close enough to normal.
            let normal: f64 = (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
            samples.add(Duration::from_secs_f64(median * (spread * normal).exp()));
        }
        Histogram::learn(&samples, &Histogram::prior())
    }

    #[test]
    fn plan_reaches_its_mean_delay_with_few_polls() {
        for (spread, most) in [(0.2, 10.5), (0.3, 14.5)] {
            let histogram = log_normal(90.0, spread);
            let expected =
                CumulativeTable::new(&histogram).expected(&PollPlan::new(&histogram, TARGET));
            assert!((expected.delay - 2.0).abs() < 0.02, "{spread} {expected:?}");
            assert!(expected.polls < most, "{spread} {expected:?}");
        }
    }

    #[test]
    fn request_budget_is_respected() {
        let histogram = log_normal(90.0, 0.3);
        let target = PollTarget {
            max_polls: Some(5.0),
            ..TARGET
        };
        let expected =
            CumulativeTable::new(&histogram).expected(&PollPlan::new(&histogram, target));
        assert!((4.5..=5.01).contains(&expected.polls), "{expected:?}");
        assert!((3.0..8.0).contains(&expected.delay), "{expected:?}");
    }

    #[test]
    fn polls_are_densest_around_the_mode() {
        let plan = PollPlan::new(&log_normal(90.0, 0.2), TARGET);
        let first = plan.next_poll_age(0.0, INITIAL_PHASE.1);
        assert!((40.0..70.0).contains(&first), "{first}");
        let interval = |age: f64| plan.next_poll_age(age, 1.0) - age;
        assert!(interval(90.0) < 6.0, "{}", interval(90.0));
        assert!(interval(90.0) < interval(60.0));
        assert!(interval(300.0) > interval(110.0));
    }

    #[test]
    fn intervals_stay_within_bounds_at_any_age() {
        let plans = [
            PollPlan::new(&Histogram::prior(), TARGET),
            PollPlan::new(&Histogram::prior().residual(), TARGET),
            PollPlan::new(&log_normal(3.0, 0.01), TARGET),
        ];
        for plan in plans {
            for age in [0.0, 0.5, 1.0, 30.0, 100.0, 1e3, 1e4, 1e6] {
                for polls in [0.75, 1.0, 6.0] {
                    let interval = plan.next_poll_age(age, polls) - age;
                    assert!(interval >= 0.09, "{age} {polls} {interval}");
                    assert!(interval <= 360.0, "{age} {polls} {interval}");
                }
            }
        }
    }
}
