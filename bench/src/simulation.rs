//! A fleet in virtual time: how requests, transactions and delays grow with items, tasks in flight, workers and accounts.

mod check;
mod model;
mod polled;

use anyhow::Result;
use clap::Args;

use self::model::{Constants, Fleet, Outcome};
use self::polled::Polled;
use crate::report::Report;

#[derive(Args)]
pub struct Simulation {
    /// The number of items of the largest fleet. The other rows have a fifth of them.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..=20_000_000))]
    items: u32,
    /// Seed of everything that is left to chance.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Compares the model with a small run of a batch, and prints both as JSON.
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    constants: Constants,
}

impl Simulation {
    /// Returns the tables, unless only the comparison is wanted.
    pub fn run(&self) -> Result<Option<Report>> {
        if self.check {
            check::run(self.seed)?;
            return Ok(None);
        }
        let mut report = Report::new(
            "simulation",
            "A fleet in virtual time",
            "A discrete-event model of workers on one Postgres. Requests and the delay until the end of a task is known come from runs of the real client and its polling schedule in virtual time, at several numbers of tasks in flight. The rest is the model described below. An account creates one task at a time, so the time of a create limits it.",
        );
        report.command(&format!(
            "cargo xtask bench simulation --items {} --seed {}",
            self.items, self.seed
        ));
        report.header([
            "items",
            "accounts",
            "in flight per account: limit, reached",
            "workers",
            "tasks per second",
            "requests per task",
            "transactions per second",
            "database busy",
            "wait for the database",
            "from the end of a task to its video: mean, p95",
        ]);
        let polled = Polled::measure(1_000, self.seed)?;
        let base = Fleet {
            items: self.items,
            accounts: 20,
            in_flight: 1_000,
            workers: 8,
        };
        self.row(&mut report, &polled, base);
        let base = Fleet {
            items: (self.items / 5).max(1_000),
            ..base
        };
        for items in [base.items / 10, base.items] {
            self.row(&mut report, &polled, Fleet { items, ..base });
        }
        for in_flight in [20, 100, 300] {
            self.row(&mut report, &polled, Fleet { in_flight, ..base });
        }
        for workers in [1, 2, 4, 16] {
            self.row(&mut report, &polled, Fleet { workers, ..base });
        }
        for accounts in [1, 5] {
            let items = base.items / 10;
            let fleet = Fleet {
                items,
                accounts,
                ..base
            };
            self.row(&mut report, &polled, fleet);
        }
        // Enough workers, so only the database limits them.
        let mut last = None;
        for accounts in [40, 80, 160, 320, 640] {
            let fleet = Fleet {
                accounts,
                workers: accounts,
                ..base
            };
            let outcome = self.row(&mut report, &polled, fleet);
            if last.is_none() && outcome.database_busy >= 0.9 {
                last = Some((fleet, outcome));
            }
        }
        match last {
            Some((fleet, outcome)) => report.figure(&format!(
                "one Postgres ends at about **{:.0} tasks per second**, here with {} accounts: more accounts only wait longer",
                outcome.tasks_per_second, fleet.accounts
            )),
            None => report.figure("no row reaches the limit of one Postgres"),
        }
        for line in self.constants.describe() {
            report.figure(&line);
        }
        Ok(Some(report))
    }

    fn row(&self, report: &mut Report, polled: &Polled, fleet: Fleet) -> Outcome {
        let outcome = model::simulate(&self.constants, polled, fleet, self.seed);
        report.row([
            &fleet.items.to_string(),
            &fleet.accounts.to_string(),
            &format!("{}, {:.0}", fleet.in_flight, outcome.in_flight),
            &fleet.workers.to_string(),
            &format!("{:.1}", outcome.tasks_per_second),
            &format!("{:.2}", outcome.requests_per_task),
            &format!("{:.0}", outcome.transactions_per_second),
            &format!("{:.0} %", outcome.database_busy * 100.0),
            &format!("{:.1} ms", outcome.mean_wait * 1e3),
            &format!("{:.1} s, {:.1} s", outcome.mean_delay, outcome.p95_delay),
        ]);
        outcome
    }
}
