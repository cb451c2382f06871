//! What the client adds to a call, beside the bare HTTP stack that it is made on.

pub mod calls;
mod server;

use anyhow::Result;
use clap::Args;

use self::calls::Round;
use self::server::Server;
use crate::child;
use crate::report::Report;
use crate::sample::median;

const MOST: f64 = 1.10;

#[derive(Args)]
pub struct Overhead {
    /// How often each way makes its calls.
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    runs: u32,
    /// How many calls that are each time.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    calls: u32,
}

impl Overhead {
    pub fn run(&self) -> Result<Report> {
        let server = Server::start()?;
        let rounds: Vec<Round> = child::run([
            "calls",
            &server.base_url(),
            &self.runs.to_string(),
            &self.calls.to_string(),
        ])?;
        Ok(self.report(&rounds))
    }

    fn report(&self, rounds: &[Round]) -> Report {
        let mut report = Report::new(
            "overhead",
            "One call, beside bare reqwest",
            "Processor time of the client's process, over loopback and without TLS: creating a task, and reading one with `Task::refresh`. What it is compared with is reqwest with the same settings, which sends the same request and reads the answer into a struct. Both take turns on one connection each.",
        );
        report.command(&format!(
            "cargo xtask bench overhead --runs {} --calls {}",
            self.runs, self.calls
        ));
        report.header(["", "reqwest", "kling-omni", "more", "ratio"]);
        let mut most = 0.0_f64;
        for (name, pair) in [
            ("reading a task", Round::reading as fn(&Round) -> _),
            ("creating a task", Round::creating),
        ] {
            let pairs = || rounds.iter().map(pair);
            let bare = median(pairs().map(|pair| pair.bare));
            let ours = median(pairs().map(|pair| pair.ours));
            let ratio = median(pairs().map(|pair| pair.ours / pair.bare));
            most = most.max(ratio);
            report.row([
                name,
                &format!("{bare:.1} µs"),
                &format!("{ours:.1} µs"),
                &format!("{:.1} µs", ours - bare),
                &format!("{ratio:.3} ×"),
            ]);
        }
        report.figure(&format!(
            "against reqwest: **{most:.3} ×** at most (target: {MOST:.2} ×; medians of {} runs of {} calls each)",
            self.runs, self.calls
        ));
        report
    }
}
