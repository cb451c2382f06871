use crate::engine::polling::durations::histogram::Histogram;

/// The place of the first poll, in polls: the last of where it does as well as any, so that waits can be spread over it.
pub(crate) const FIRST: (f64, f64) = (0.75, 1.0);

/// Once a task may have ended, no pause is longer, in seconds: a result does not wait for ever.
const LONGEST_PAUSE: f64 = 60.0;
/// From so many polls on, a task may have ended.
const PLAUSIBLE: f64 = 0.5;

/// No task is planned for once it is as rare as this to be still going.
const RARE: f64 = 1e-4;
const MOST_POLLS: usize = 2_000;
/// With fewer polls on the average, a task would have to be certain to have ended at the first.
const FEWEST_POLLS: f64 = 1.15;
/// The density of a poll in the far tail of what was ever believed, where its square root is taken of next to nothing.
const LEAST_HAZARD: f64 = 1e-6;

/// What a plan is to reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PollTarget {
    /// The mean time, in seconds, from a task's end to the poll that finds it.
    pub(crate) mean_delay: f64,
    /// The mean number of polls of a task, at the most.
    pub(crate) most_polls: Option<f64>,
    /// The shortest pause between polls, in seconds.
    pub(crate) shortest_pause: f64,
}

/// When to poll a task, by its age.
///
/// The density of polls at each age is in proportion to the square root of the hazard, the chance that a task which has
/// not ended yet does so now: of all ways to spend so many polls, this one finds the end soonest.
#[derive(Debug)]
pub(crate) struct Plan {
    /// How many polls are planned up to the end of each span, but for the scale.
    polls: Vec<Point>,
    scale: f64,
    shortest_pause: f64,
}

/// A value at an age.
#[derive(Clone, Copy, Debug)]
struct Point {
    age: f64,
    value: f64,
}

/// What a plan comes to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    pub(crate) polls: f64,
    pub(crate) delay: f64,
}

impl Plan {
    pub(crate) fn new(density: &Histogram, aim: PollTarget) -> Self {
        let outlook = Outlook::new(density);
        let mut plan = Self {
            polls: by_root_of_hazard(density),
            scale: 1.0,
            shortest_pause: aim.shortest_pause,
        };
        let most = aim.most_polls.map(|most| most.max(FEWEST_POLLS));
        // More polls always mean less delay, so that the fewest that will do can be found by halving.
        let (mut few, mut many) = (1e-3_f64, 1e3_f64);
        for _ in 0..24 {
            plan.scale = (few * many).sqrt();
            let expected = outlook.of(&plan);
            let is_too_many = most.is_some_and(|most| expected.polls > most);
            if expected.delay > aim.mean_delay && !is_too_many {
                few = plan.scale;
            } else {
                many = plan.scale;
            }
        }
        plan.scale = few;
        plan
    }

    /// The age of the poll that comes so many polls after the age at which the task was last known to go on.
    pub(crate) fn after(&self, age: f64, polls: f64) -> f64 {
        let done = self.planned(age);
        let mut next = self.age_of(done + polls).unwrap_or(f64::INFINITY);
        if done >= PLAUSIBLE || next.is_infinite() {
            next = next.min(age + LONGEST_PAUSE * polls);
        }
        next.max(age + self.shortest_pause)
    }

    /// How many polls are planned up to an age.
    fn planned(&self, age: f64) -> f64 {
        let after = self.polls.partition_point(|point| point.age <= age);
        let (Some(after_it), Some(before)) = (self.polls.get(after), after.checked_sub(1)) else {
            return self.scale * self.polls.last().map_or(0.0, |last| last.value);
        };
        let before = self.polls[before];
        let part = (age - before.age) / (after_it.age - before.age);
        self.scale * (before.value + part * (after_it.value - before.value))
    }

    /// The age up to which so many polls are planned.
    fn age_of(&self, polls: f64) -> Option<f64> {
        let polls = polls / self.scale;
        let after = self.polls.partition_point(|point| point.value < polls);
        let reached = self.polls.get(after)?;
        let Some(before) = after.checked_sub(1).map(|before| self.polls[before]) else {
            return Some(reached.age);
        };
        let part = (polls - before.value) / (reached.value - before.value);
        Some(before.age + part * (reached.age - before.age))
    }
}

fn by_root_of_hazard(density: &Histogram) -> Vec<Point> {
    let (mut alive, mut polls) = (1.0, 0.0);
    let mut points = vec![Point {
        age: 0.0,
        value: 0.0,
    }];
    for (from, to, mass) in density.spans() {
        let hazard = mass / ((alive - mass / 2.0).max(1e-12) * (to - from));
        polls += hazard.max(LEAST_HAZARD).sqrt() * (to - from);
        alive -= mass;
        points.push(Point {
            age: to,
            value: polls,
        });
    }
    points
}

/// How likely a task is to have ended, and how long it has been so on the average, at the end of each span.
struct Outlook(Vec<(f64, f64, f64)>);

impl Outlook {
    fn new(density: &Histogram) -> Self {
        let (mut ended, mut since) = (0.0, 0.0);
        let mut points = vec![(0.0, 0.0, 0.0)];
        for (from, to, mass) in density.spans() {
            since += (ended + mass / 2.0) * (to - from);
            ended += mass;
            points.push((to, ended, since));
        }
        Self(points)
    }

    /// The chance to have ended by an age, and the mean time since.
    fn at(&self, age: f64) -> (f64, f64) {
        let after = self.0.partition_point(|(to, ..)| *to <= age);
        let (from, ended, since) = self.0[after.saturating_sub(1)];
        let Some((to, later, _)) = self.0.get(after) else {
            return (ended, since + ended * (age - from));
        };
        let (span, gain) = (age - from, (later - ended) / (to - from));
        (
            ended + gain * span,
            since + ended * span + gain * span * span / 2.0,
        )
    }

    fn of(&self, plan: &Plan) -> Expected {
        let mut expected = Expected {
            polls: 0.0,
            delay: 0.0,
        };
        let (mut age, mut ended, mut since) = (0.0, 0.0, 0.0);
        let mut step = (FIRST.0 + FIRST.1) / 2.0;
        for _ in 0..MOST_POLLS {
            let next = plan.after(age, step);
            let (then_ended, then_since) = self.at(next);
            expected.polls += 1.0 - ended;
            expected.delay += then_since - since - ended * (next - age);
            (age, ended, since) = (next, then_ended, then_since);
            if 1.0 - ended < RARE {
                break;
            }
            step = 1.0;
        }
        expected
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::samples::Samples;
    use super::*;

    const AIM: PollTarget = PollTarget {
        mean_delay: 2.0,
        most_polls: None,
        shortest_pause: 0.1,
    };

    /// Many tasks, log-normally distributed: at evenly spread probabilities.
    fn log_normal(median: f64, spread: f64) -> Histogram {
        let mut sample = Samples::default();
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..128 {
            // The sum of twelve evenly distributed numbers is as good as normal.
            let normal: f64 = (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
            sample.add(Duration::from_secs_f64(median * (spread * normal).exp()));
        }
        Histogram::learnt(&sample, &Histogram::prior())
    }

    #[test]
    fn a_plan_reaches_its_mean_delay_with_few_polls() {
        for (spread, most) in [(0.2, 10.5), (0.3, 14.5)] {
            let density = log_normal(90.0, spread);
            let expected = Outlook::new(&density).of(&Plan::new(&density, AIM));
            assert!((expected.delay - 2.0).abs() < 0.02, "{spread} {expected:?}");
            assert!(expected.polls < most, "{spread} {expected:?}");
        }
    }

    #[test]
    fn a_budget_costs_delay_and_is_kept() {
        let density = log_normal(90.0, 0.3);
        let aim = PollTarget {
            most_polls: Some(5.0),
            ..AIM
        };
        let expected = Outlook::new(&density).of(&Plan::new(&density, aim));
        assert!((4.5..=5.01).contains(&expected.polls), "{expected:?}");
        assert!((3.0..8.0).contains(&expected.delay), "{expected:?}");
    }

    #[test]
    fn no_poll_is_planned_before_a_task_can_have_ended_and_most_around_the_mode() {
        let plan = Plan::new(&log_normal(90.0, 0.2), AIM);
        let first = plan.after(0.0, FIRST.1);
        assert!((40.0..70.0).contains(&first), "{first}");
        let pause = |age: f64| plan.after(age, 1.0) - age;
        assert!(pause(90.0) < 6.0, "{}", pause(90.0));
        assert!(pause(90.0) < pause(60.0));
        assert!(pause(300.0) > pause(110.0));
    }

    #[test]
    fn pauses_stay_within_their_bounds_at_any_age() {
        let plans = [
            Plan::new(&Histogram::prior(), AIM),
            Plan::new(&Histogram::prior().residual(), AIM),
            Plan::new(&log_normal(3.0, 0.01), AIM),
        ];
        for plan in plans {
            for age in [0.0, 0.5, 1.0, 30.0, 100.0, 1e3, 1e4, 1e6] {
                for polls in [0.75, 1.0, 6.0] {
                    let pause = plan.after(age, polls) - age;
                    assert!(pause >= 0.09, "{age} {polls} {pause}");
                    assert!(pause <= 360.0, "{age} {polls} {pause}");
                }
            }
        }
    }
}
