//! `batch move`: moves a ledger to another location.

use std::path::PathBuf;

use clap::Args;
use kling_omni_batch::Batches;

use super::explain::{explain, not_charged};
use super::ledger_args::{self, LedgerArgs};
use super::spend_args::count;
use crate::failure::Failure;
use crate::report;

#[derive(Args, Debug)]
pub(super) struct BatchMoveArgs {
    /// The ledger to move: a file, or postgres://…
    #[arg(long, value_name = "LEDGER", value_parser = ledger_args::ledger())]
    from: PathBuf,

    /// Where to: a file that does not exist, or postgres://… with an empty schema
    #[arg(long, value_name = "LEDGER", value_parser = ledger_args::ledger())]
    to: PathBuf,

    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) async fn run(args: BatchMoveArgs) -> Result<(), Failure> {
    let [from, to] = [args.from, args.to].map(|db| LedgerArgs {
        out: None,
        db: Some(db),
    });
    // One that does not exist would be created.
    from.open().await.map_err(not_charged)?;
    let moved = Batches::move_ledger(from.path(), to.path()).await;
    let moved = moved.map_err(|error| not_charged(explain(error)))?;
    if args.json {
        report::json_line(&moved)?;
    }
    report::say(format_args!(
        "moved: {} with {}; {} refuses runs from now on",
        match moved.batches {
            1 => "1 batch".to_owned(),
            batches => format!("{batches} batches"),
        },
        count(moved.items, "item"),
        crate::input::name(&from.shown())
    ));
    report::say(format_args!(
        "to continue: {}",
        to.command("resume", &[], &[])
    ));
    Ok(())
}
