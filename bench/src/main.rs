//! How fast and how frugal kling-omni is. `cargo xtask bench` builds this with optimisations and runs it.

mod alternatives;
mod bare;
mod batch;
mod build;
mod child;
mod cost;
mod download;
mod fleet;
mod hot;
mod machine;
mod overhead;
mod polling;
mod report;
mod sample;
mod schedule;
mod simulation;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Measures kling-omni on this machine, over loopback.
#[derive(Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
struct Arguments {
    /// Write the tables into this page, too, in place of the ones that it has.
    #[arg(long, global = true, value_name = "FILE")]
    write: Option<PathBuf>,
    /// What to measure; all of it one after the other if none is named, written into the page of the repository.
    #[command(subcommand)]
    scenario: Option<Scenario>,
}

/// The scenarios that make up the page, in its order.
const ALL: [&str; 10] = [
    "polling",
    "cost",
    "batch",
    "fleet",
    "simulation",
    "alternatives",
    "overhead",
    "hot",
    "build",
    "download",
];

/// The page, from the root of the repository.
const PAGE: &str = "docs/benchmarks.md";

#[derive(Subcommand)]
enum Scenario {
    /// Download one large file, by turns with curl and with kling-omni.
    Download(download::Download),
    /// Wait for tasks, alone and in their thousands: requests and delays, beside the best policy.
    Polling(polling::Polling),
    /// Draw when a client looks at a task.
    Schedule(schedule::Schedule),
    /// Wait for tasks, alone and in their thousands: processor time and memory.
    Cost(cost::Cost),
    /// Create and read tasks, by turns with bare reqwest and with kling-omni.
    Overhead(overhead::Overhead),
    /// Do over and over what is done without a network: requests, answers, deliveries, files.
    Hot(hot::Hot),
    /// Count the crates, build them, and start the program.
    Build(build::BuildCost),
    /// Run durable batches: time, processor time, memory, requests and space.
    Batch(batch::Batch),
    /// Run a batch by several workers on Postgres: requests, transactions and takeovers.
    Fleet(fleet::Fleet),
    /// Simulate fleets of workers and accounts on one Postgres in virtual time.
    Simulation(simulation::Simulation),
    /// Make the same videos with a shell loop, a short program and a batch, all killed at the same times.
    Alternatives(alternatives::Alternatives),
    /// The check and the import of a manifest, in a process of its own so that its memory can be told.
    #[command(hide = true)]
    Import(batch::import::Import),
    /// A run of many tasks, in a process of its own so that its processor time can be told.
    #[command(hide = true)]
    RunLoad(batch::run_load::RunLoad),
    /// A run until it is killed, in a process of its own so that its start counts.
    #[command(hide = true)]
    Resume(batch::resume::Resume),
    /// A worker until its standard input ends.
    #[command(hide = true)]
    FleetWorker(fleet::worker::FleetWorker),
    /// Those calls, in a process of its own so that its processor time can be told.
    #[command(hide = true)]
    Calls(overhead::calls::Calls),
    /// Tasks and waits for them, in a process of its own so that its processor time can be told.
    #[command(hide = true)]
    Load(cost::load::Load),
    /// The requests of tasks by bare reqwest, in a process of its own so that its processor time can be told.
    #[command(hide = true)]
    Spaced(cost::spaced::Spaced),
    /// Waits that do not end, in a process of its own so that its memory can be told.
    #[command(hide = true)]
    Hold(cost::hold::Hold),
    /// One download by kling-omni, in a process of its own so that its memory can be told.
    #[command(hide = true)]
    Fetch(download::fetch::Fetch),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let Some(scenario) = &arguments.scenario else {
        return run_all(arguments.write.as_deref().unwrap_or(Path::new(PAGE)));
    };
    let report = match scenario {
        Scenario::Download(download) => download.run()?,
        Scenario::Polling(polling) => polling.run()?,
        Scenario::Schedule(schedule) => return schedule.run(),
        Scenario::Cost(cost) => cost.run()?,
        Scenario::Overhead(overhead) => overhead.run()?,
        Scenario::Hot(hot) => hot.run()?,
        Scenario::Build(build) => build.run()?,
        Scenario::Batch(batch) => batch.run()?,
        Scenario::Fleet(fleet) => fleet.run()?,
        Scenario::Simulation(simulation) => match simulation.run()? {
            Some(report) => report,
            None => return Ok(()),
        },
        Scenario::Alternatives(alternatives) => alternatives.run()?,
        Scenario::Import(import) => return import.run(),
        Scenario::RunLoad(load) => return load.run(),
        Scenario::Resume(resume) => return resume.run(),
        Scenario::FleetWorker(worker) => return worker.run(),
        Scenario::Calls(calls) => return calls.run(),
        Scenario::Load(load) => return load.run(),
        Scenario::Spaced(spaced) => return spaced.run(),
        Scenario::Hold(hold) => return hold.run(),
        Scenario::Fetch(fetch) => return fetch.run(),
    };
    print!("{report}");
    match &arguments.write {
        Some(page) => report.write(page),
        None => Ok(()),
    }
}

fn run_all(page: &Path) -> Result<()> {
    for scenario in ALL {
        eprintln!("{scenario}");
        let mut arguments = Arguments::try_parse_from(["bench", scenario])?;
        arguments.write = Some(page.to_owned());
        run(&arguments)?;
    }
    Ok(())
}
