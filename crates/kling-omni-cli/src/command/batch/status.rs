//! `batch status`: the status of the batches of a ledger.

use std::time::Duration;

use clap::Args;
use kling_omni_batch::{BatchState, BatchStatus, Batches};

use super::explain::explain;
use super::ledger_args::LedgerArgs;
use super::outcome;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::Interrupts;
use crate::report;

/// The interval of `--watch`.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Args, Debug)]
pub(super) struct BatchStatusArgs {
    /// The name of a batch [default: all batches of the ledger]
    #[arg(value_name = "NAME")]
    name: Option<String>,

    #[command(flatten)]
    ledger: LedgerArgs,

    /// Print the status again when it changes, until the batch is done or stopped
    #[arg(long)]
    watch: bool,

    /// Exit with the code that a run would have: 4 if items failed or expired, 5 if some have not ended, 8 if some need a
    /// person
    #[arg(long)]
    exit_status: bool,

    /// Print one JSON object per batch, one per line
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) async fn run(args: BatchStatusArgs) -> Result<(), Failure> {
    let batches = args.ledger.open().await?;
    let mut interrupts = Interrupts::listen();
    let mut printed = Vec::new();
    loop {
        let status = read(&batches, args.name.as_deref()).await?;
        if status.is_empty() {
            report::say("the ledger has no batches");
        }
        for (index, batch) in status.iter().enumerate() {
            if printed.get(index) == Some(batch) {
                continue;
            }
            match args.json {
                true => report::json_line(batch)?,
                false => report::line(outcome::describe(batch))?,
            }
        }
        printed = status;
        if !args.watch || printed.iter().all(has_ended) {
            break;
        }
        tokio::select! {
            () = tokio::time::sleep(WATCH_INTERVAL) => {}
            () = interrupts.next() => return Err(Failure::silent(Exit::Interrupted)),
        }
    }
    match args.exit_status.then(|| worst(&printed)) {
        None | Some(Exit::Done) => Ok(()),
        Some(exit) => Err(Failure::silent(exit)),
    }
}

async fn read(batches: &Batches, name: Option<&str>) -> Result<Vec<BatchStatus>, Failure> {
    match name {
        Some(name) => Ok(vec![batches.status(name).await.map_err(explain)?]),
        None => batches.list().await.map_err(explain),
    }
}

/// Whether nothing changes any more without a person.
fn has_ended(status: &BatchStatus) -> bool {
    let is_in_flight = status
        .counts
        .iter()
        .any(|(state, number)| state.is_in_flight() && *number > 0);
    match status.state {
        BatchState::Done => true,
        BatchState::Stopped => !is_in_flight,
        _ => false,
    }
}

/// Returns the exit code of several batches: one that needs a person first, then one that has not ended, then failures.
fn worst(all: &[BatchStatus]) -> Exit {
    let exits: Vec<_> = all.iter().map(outcome::exit).collect();
    let order = [Exit::Ambiguous, Exit::Unfinished, Exit::NoVideo];
    let found = order.into_iter().find(|exit| exits.contains(exit));
    found.unwrap_or(Exit::Done)
}
