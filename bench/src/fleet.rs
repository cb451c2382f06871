//! What several workers that share a ledger in Postgres cost: bookkeeping, requests, takeovers, idle transactions.

mod bookkeeping;
mod idle;
mod load;
mod takeover;
pub mod worker;

use anyhow::Result;
use clap::Args;
use kling_omni_test_support::postgres::{Fsync, PostgresServer};

use crate::report::Report;
use crate::sample::median;

/// Conductors, the items that each has in progress, and the target of tasks per second.
const BOOKKEEPING: [(usize, usize, &str); 4] =
    [(1, 1, ""), (1, 16, "300"), (4, 16, "300"), (16, 16, "300")];

/// What is said of a figure that needs a machine of its own.
const BUSY: &str = ", with other work in progress";

#[derive(Args)]
pub struct Fleet {
    /// The number of tasks that workers create.
    #[arg(long, default_value_t = 4_000)]
    tasks: usize,
    /// The number of tasks that are in flight at once.
    #[arg(long, default_value_t = 1_000)]
    in_flight: usize,
    /// Seed of the tasks' times, and of all that the client leaves to chance.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How often each takeover is measured; the longest counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Says in the table that other work was in progress.
    #[arg(long)]
    busy: bool,
    /// Takes only the figures of the parts whose names contain this: bookkeeping, move, requests, conductor, open create, fetch, idle.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

impl Fleet {
    pub fn run(&self) -> Result<Report> {
        let mut report = Report::new(
            "fleet",
            "Workers on Postgres",
            "Processes with a worker each share a ledger in Postgres, on one machine, with `fsync = on`. The sandbox runs in the process of the benchmark. For the requests per task, the clocks of client and sandbox run three times as fast as time; a lease, a heartbeat and a delivery of a job take real time, so they take three times as long in the time of tasks. Takeovers are measured in real time, from the SIGKILL.",
        );
        let busy = if self.busy { BUSY } else { "" };
        report.command(&format!(
            "cargo xtask bench fleet --tasks {} --in-flight {} --seed {} --runs {}",
            self.tasks, self.in_flight, self.seed, self.runs
        ));
        report.header(["", "measured", "target"]);
        let Some(server) = PostgresServer::create(Fsync::On) else {
            report.row(["skipped: Postgres is not installed", "", ""]);
            return Ok(report);
        };
        if self.is_wanted("bookkeeping") {
            for (writers, in_progress, target) in BOOKKEEPING {
                let rate = bookkeeping::measure(&server, writers, in_progress, self.seed)?;
                let who = match writers {
                    1 => "one conductor".to_owned(),
                    _ => format!("{writers} conductors of as many accounts"),
                };
                let how = match in_progress {
                    1 => "one item after the other".to_owned(),
                    _ => format!("{in_progress} items in progress, one create at a time"),
                };
                report.row([
                    &format!(
                        "bookkeeping: tasks per second from import to saved video, {who}, {how}"
                    ),
                    &format!("**{rate:.0}**"),
                    target,
                ]);
            }
        }
        if self.is_wanted("move") {
            let seconds = bookkeeping::measure_move(&server, self.seed)?;
            report.row([
                "move of a ledger of 100,000 items, 10,000 of them saved, from SQLite to Postgres",
                &format!("**{seconds:.1} s**"),
                "",
            ]);
        }
        if self.is_wanted("requests") {
            for workers in [1, 2, 4] {
                let load = load::measure(&server, self, workers)?;
                report.row([
                    &format!(
                        "{} tasks, at most {} in flight, {workers} {}: requests to the API per task",
                        self.tasks,
                        load.most_in_flight,
                        if workers == 1 { "worker" } else { "workers" }
                    ),
                    &format!("**{:.2}**", load.requests_per_task),
                    "3.0",
                ]);
                let operations = load.by_operation.iter();
                let operations = operations.map(|(name, count)| format!("{name} {count:.2}"));
                report.row([
                    "the same run: transactions of the database, processor time of the workers, and requests of each operation, per task",
                    &format!(
                        "{:.1}, {:.2} ms, {}",
                        load.transactions_per_task,
                        load.cpu_ms_per_task,
                        operations.collect::<Vec<_>>().join(", ")
                    ),
                    "",
                ]);
            }
        }
        for (part, what, target) in takeover::PARTS {
            if !self.is_wanted(part) {
                continue;
            }
            let mut seconds = Vec::new();
            for _ in 0..self.runs {
                let passed = takeover::measure(&server, part, self.seed)?.as_secs_f64();
                eprintln!("{part}: {passed:.1} s");
                seconds.push(passed);
            }
            let longest = seconds.iter().copied().fold(0.0, f64::max);
            report.row([
                what,
                &format!(
                    "**{longest:.1} s** at most, {:.1} s at the median",
                    median(seconds)
                ),
                target,
            ]);
        }
        if self.is_wanted("idle") {
            let rate = idle::measure(&server)?;
            report.row([
                "transactions per second of a worker that has nothing to do",
                &format!("**{rate:.2}**"),
                "2",
            ]);
        }
        if !busy.is_empty() {
            report.figure("measured with other work in progress on the machine, which affects times and rates");
        }
        Ok(report)
    }

    fn is_wanted(&self, part: &str) -> bool {
        self.only.as_ref().is_none_or(|only| part.contains(only))
    }
}
