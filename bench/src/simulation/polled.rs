//! What the real client takes to wait for tasks, at several numbers of tasks in flight, in virtual time.

use anyhow::Result;
use fastrand::Rng;

use crate::cost::TIMES;
use crate::polling::times::Times;
use crate::polling::world::{Plan, World};

/// The numbers of tasks in flight that are run.
const LEVELS: [usize; 4] = [1, 20, 200, 1_000];

/// What waiting takes at a number of tasks in flight.
#[derive(Clone, Copy, Debug)]
pub struct Level {
    pub in_flight: f64,
    /// All requests of a task: its create, its reads, and its part of the lists.
    pub requests_per_task: f64,
    /// From the end of a task until the client knows of it, in seconds.
    pub mean_delay: f64,
}

/// Levels in ascending order.
#[derive(Clone, Debug)]
pub struct Polled(Vec<Level>);

impl Polled {
    /// Runs the real client at the levels up to a number of tasks in flight.
    pub fn measure(most: usize, seed: u64) -> Result<Self> {
        let levels = LEVELS.iter().filter(|level| **level <= most);
        let levels = levels.map(|in_flight| Self::level(*in_flight, seed));
        Ok(Self(levels.collect::<Result<_>>()?))
    }

    fn level(in_flight: usize, seed: u64) -> Result<Level> {
        let random = &mut Rng::with_seed(seed);
        let (median, spread) = TIMES;
        let times = Times::log_normal(median, spread);
        // Many times as many, so the begin and the end of the run count little: the model has its own.
        let count = (in_flight * 10).clamp(200, 4_000);
        let tasks = (0..count).map(|_| times.draw(random)).collect();
        let mut plan = Plan::new(tasks).knowing(&times, random);
        plan.in_flight = in_flight;
        let taken = World::play(seed, async |world| world.run(plan, random).await)?;
        Ok(Level {
            in_flight: in_flight as f64,
            requests_per_task: taken.requests_per_task(),
            mean_delay: taken.mean_delay(),
        })
    }

    /// What waiting takes between two levels, on the logarithmic scale. Beyond the last one, it stays the same.
    pub fn at(&self, in_flight: f64) -> Level {
        let in_flight = in_flight.max(1.0);
        let above = self.0.iter().position(|level| level.in_flight >= in_flight);
        let (low, high) = match above {
            Some(0) => return self.0[0],
            Some(above) => (self.0[above - 1], self.0[above]),
            None => return self.0[self.0.len() - 1],
        };
        let part = (in_flight / low.in_flight).ln() / (high.in_flight / low.in_flight).ln();
        let between = |low: f64, high: f64| low + (high - low) * part;
        Level {
            in_flight,
            requests_per_task: between(low.requests_per_task, high.requests_per_task),
            mean_delay: between(low.mean_delay, high.mean_delay),
        }
    }
}
