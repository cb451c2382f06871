//! `batch`: makes the videos of a manifest. Each is paid at most once, and a batch is resumed after a crash.

mod bucket;
mod check;
mod confirm;
mod control;
mod doctor;
mod explain;
mod ledger_args;
mod list_reach;
mod live_view;
mod manifest_args;
mod metrics;
mod metrics_args;
mod move_ledger;
mod new_rows;
mod outcome;
mod report;
mod report_limits;
mod retry;
mod run;
mod run_events;
mod run_settings;
mod run_view;
mod session;
mod settle;
mod show;
mod spend_args;
mod status;
mod webhook_args;
mod worker;

use clap::{Args, Subcommand};

use crate::connect::ConnectArgs;
use crate::failure::Failure;

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BatchArgs {
    #[command(subcommand)]
    command: BatchCommand,
}

const EXAMPLES: &str = "\
A batch begins with a manifest: a JSON Lines file, a CSV file, or a folder of request files or media files. Its state \
is in a ledger, a SQLite database in the folder of the videos.

Examples:
  Try it without a key, at no cost:
    kling-omni batch run clips.jsonl --out clips --sandbox

  Check all rows, and print what they would pay for:
    kling-omni batch check clips.jsonl

  Run it, at most 500 tasks and 60 creates per minute. After an interruption or a crash, the same command continues:
    kling-omni batch run clips.jsonl --out clips --max-tasks 500 --rate 60/min

  Write a page with all videos, what they cost and what failed, to clips/report.html:
    kling-omni batch report --out clips --format html

  Print the status when it changes, until the batch ends:
    kling-omni batch status --out clips --watch";

#[derive(Debug, Subcommand)]
enum BatchCommand {
    /// Check all rows of a manifest, and print what they would pay for; sends nothing
    Check(Box<check::BatchCheckArgs>),
    /// Make the videos of a manifest; the same command again continues
    Run(Box<run::BatchRunArgs>),
    /// Run the batches that `run --detach` left to workers, together with the other workers of the ledger
    Worker(worker::BatchWorkerArgs),
    /// Print the status of the batches of a ledger
    Status(status::BatchStatusArgs),
    /// Continue a batch without its manifest
    Resume(Box<run::BatchResumeArgs>),
    /// Put failed or expired items back, which may cost money
    Retry(retry::BatchRetryArgs),
    /// Create nothing more until `resume`; what is paid for is still saved
    Pause(control::BatchControlArgs),
    /// Create nothing more, and let a run end when what is paid for is saved
    Stop(control::BatchControlArgs),
    /// Print the history of an item
    Show(show::BatchShowArgs),
    /// Decide about an item for which it is unknown whether a task exists
    Settle(settle::BatchSettleArgs),
    /// Print a report about all items
    Report(report::BatchReportArgs),
    /// Move a ledger to another location, such as Postgres for several machines
    Move(move_ledger::BatchMoveArgs),
    /// Print the metrics of a ledger once, as OpenMetrics text
    Metrics(metrics::BatchMetricsArgs),
    /// Check ledger, disk, key, clock, and what the service still lists
    Doctor(doctor::BatchDoctorArgs),
}

impl BatchArgs {
    /// Returns whether stdout is JSON, errors included.
    pub(crate) fn json(&self) -> bool {
        match &self.command {
            BatchCommand::Check(args) => args.json,
            BatchCommand::Run(args) => args.settings.json,
            BatchCommand::Worker(args) => args.json,
            BatchCommand::Status(args) => args.json,
            BatchCommand::Resume(args) => args.settings.json,
            BatchCommand::Retry(args) => args.json,
            BatchCommand::Pause(_)
            | BatchCommand::Stop(_)
            | BatchCommand::Settle(_)
            | BatchCommand::Metrics(_) => false,
            BatchCommand::Show(args) => args.json,
            BatchCommand::Report(args) => args.is_jsonl(),
            BatchCommand::Move(args) => args.json,
            BatchCommand::Doctor(args) => args.json,
        }
    }
}

pub(super) async fn run(
    args: BatchArgs,
    connect: &ConnectArgs,
    verbose: bool,
) -> Result<(), Failure> {
    match args.command {
        BatchCommand::Check(args) => check::run(*args).await,
        BatchCommand::Run(args) => run::run(*args, connect, verbose).await,
        BatchCommand::Worker(args) => worker::run(args, connect).await,
        BatchCommand::Status(args) => status::run(args).await,
        BatchCommand::Resume(args) => run::resume(*args, connect, verbose).await,
        BatchCommand::Retry(args) => retry::run(args).await,
        BatchCommand::Pause(args) => control::pause(args).await,
        BatchCommand::Stop(args) => control::stop(args).await,
        BatchCommand::Show(args) => show::run(args).await,
        BatchCommand::Settle(args) => settle::run(args, connect).await,
        BatchCommand::Report(args) => report::run(args).await,
        BatchCommand::Move(args) => move_ledger::run(args).await,
        BatchCommand::Metrics(args) => metrics::run(args).await,
        BatchCommand::Doctor(args) => doctor::run(args, connect).await,
    }
}
