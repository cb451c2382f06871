//! How many requests a task takes, and how soon its end is known, in virtual time.

mod optimum;
pub mod times;
pub mod world;

use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use fastrand::Rng;
use kling_omni::polling::PollSchedule;

use self::times::Times;
use self::world::{Plan, World};
use crate::report::Report;

#[derive(Args)]
pub struct Polling {
    /// Seed of the tasks' times, and of all that the client leaves to chance.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Runs only the scenarios whose names contain this.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

/// A row of the table.
struct Scenario {
    name: &'static str,
    plan: Plan,
    /// Requests of the best policy at a mean delay, where there is something to compare with.
    best: Box<dyn Fn(f64) -> Option<f64>>,
}

impl Polling {
    pub fn run(&self) -> Result<Report> {
        let mut report = Report::new(
            "polling",
            "Requests and delay of waiting",
            "All requests count, creation and reading of the result included. The delay is the time from a task's end at the service to the moment when the client knows of it. The best policy knows the true distribution; where many tasks are in flight, it reads the list at even intervals, and only the pages that it takes.",
        );
        report.command(&format!("cargo xtask bench polling --seed {}", self.seed));
        report.header([
            "scenario",
            "tasks",
            "requests per task",
            "of these lists",
            "mean delay",
            "p95",
            "longest",
            "best policy",
            "ratio",
        ]);
        for scenario in scenarios(self.seed) {
            if self
                .only
                .as_ref()
                .is_some_and(|only| !scenario.name.contains(only))
            {
                continue;
            }
            let began = Instant::now();
            let tasks = scenario.plan.tasks.len();
            let taken = World::play(self.seed, async |world| {
                let mut random = Rng::with_seed(self.seed);
                world.run(scenario.plan, &mut random).await
            })?;
            eprintln!("{}: {:.1} s", scenario.name, began.elapsed().as_secs_f64());
            let best = (scenario.best)(taken.mean_delay());
            let (best, ratio) = match best {
                Some(best) => (
                    format!("{best:.2}"),
                    format!("{:.2}", taken.requests_per_task() / best),
                ),
                None => (String::new(), String::new()),
            };
            report.row([
                scenario.name,
                &tasks.to_string(),
                &format!("{:.2}", taken.requests_per_task()),
                &format!("{:.2}", taken.lists_per_task()),
                &format!("{:.2} s", taken.mean_delay()),
                &format!("{:.2} s", taken.delay(0.95)),
                &format!("{:.2} s", taken.delay(1.0)),
                &best,
                &ratio,
            ]);
        }
        Ok(report)
    }
}

fn scenarios(seed: u64) -> Vec<Scenario> {
    let random = &mut Rng::with_seed(seed);
    let usual = Times::log_normal(90.0, 0.3);
    let narrow = Times::log_normal(90.0, 0.2);
    let two_peaks = Times::either([
        Times::log_normal(60.0, 0.15),
        Times::log_normal(150.0, 0.15),
    ]);
    let any = Times::between(60.0, 240.0, 0.3);
    let mut scenarios = vec![
        alone("one at a time, σ 0.2, warm", &narrow, 1000, random).warm(&narrow, random),
        alone("one at a time, σ 0.3, warm", &usual, 1000, random).warm(&usual, random),
        alone("one at a time, two peaks, warm", &two_peaks, 1000, random).warm(&two_peaks, random),
        alone(
            "one at a time, drifting from 60 s to 180 s",
            &usual,
            400,
            random,
        )
        .drifting(),
        alone(
            "one at a time, σ 0.3, from the first task on",
            &usual,
            50,
            random,
        ),
        alone("one at a time, σ 0.3, every 4 s", &usual, 1000, random).every(4),
        alone("cold, median of 60 s to 240 s", &any, 400, random).cold(),
    ];
    for (name, median) in [
        ("cold, median of 60 s", 60.0),
        ("cold, median of 120 s", 120.0),
        ("cold, median of 240 s", 240.0),
    ] {
        let times = Times::log_normal(median, 0.3);
        scenarios.push(alone(name, &times, 200, random).cold());
    }
    scenarios.extend([
        alone("one at a time, webhooks", &usual, 200, random)
            .warm(&usual, random)
            .webhooks(),
        alone("20 in flight", &usual, 600, random)
            .warm(&usual, random)
            .in_flight(20, &usual),
        alone("20 in flight, cold", &usual, 200, random).in_flight(20, &usual),
        alone("20 in flight, two peaks", &two_peaks, 600, random)
            .warm(&two_peaks, random)
            .in_flight(20, &two_peaks),
        alone("20 in flight, webhooks", &usual, 200, random)
            .warm(&usual, random)
            .webhooks()
            .in_flight(20, &usual),
        alone("1,000 in flight", &usual, 4_000, random)
            .warm(&usual, random)
            .in_flight(1_000, &usual),
        alone("1,000 in flight, cold", &usual, 4_000, random).in_flight(1_000, &usual),
        alone("10,000 in flight", &usual, 20_000, random)
            .warm(&usual, random)
            .in_flight(10_000, &usual),
    ]);
    scenarios
}

fn alone(name: &'static str, times: &Times, tasks: usize, random: &mut Rng) -> Scenario {
    let best = times.clone();
    Scenario {
        name,
        plan: Plan::new((0..tasks).map(|_| times.draw(random)).collect()),
        best: Box::new(move |delay| Some(optimum::requests(&best, delay))),
    }
}

impl Scenario {
    /// With a client that has seen many such tasks.
    fn warm(mut self, times: &Times, random: &mut Rng) -> Self {
        self.plan = self.plan.knowing(times, random);
        self
    }

    /// With a client of its own for each task.
    fn cold(mut self) -> Self {
        self.plan.each_alone = true;
        self
    }

    /// With the same pause throughout.
    fn every(mut self, seconds: u64) -> Self {
        self.plan.schedule = PollSchedule::fixed(Duration::from_secs(seconds));
        self
    }

    /// Each task takes a little longer than the one before, from two thirds of the time to twice of it.
    fn drifting(mut self) -> Self {
        let last = self.plan.tasks.len() as f64;
        for (number, seconds) in self.plan.tasks.iter_mut().enumerate() {
            *seconds *= (2.0 / 3.0) * 3_f64.powf(number as f64 / last);
        }
        self.best = Box::new(|delay| {
            let parts = [0.1, 0.3, 0.5, 0.7, 0.9];
            let best = |part: &f64| {
                let times = Times::log_normal(60.0 * 3_f64.powf(*part), 0.3);
                optimum::requests(&times, delay)
            };
            Some(parts.iter().map(best).sum::<f64>() / parts.len() as f64)
        });
        self
    }

    fn webhooks(mut self) -> Self {
        self.plan.webhooks = true;
        self.best = Box::new(|_| None);
        self
    }

    fn in_flight(mut self, count: usize, times: &Times) -> Self {
        /// What one request of the list shows.
        const PAGE: f64 = 100.0;
        self.plan.in_flight = count;
        if !self.plan.webhooks {
            let mean = times.mean();
            self.best = Box::new(move |delay| {
                // Create, read, and the part in a list that is read often enough.
                let pages = (count as f64 / PAGE).max(1.0);
                Some(2.0 + pages * mean / (2.0 * delay) / count as f64)
            });
        }
        self
    }
}
