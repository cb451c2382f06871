//! `batch pause` and `batch stop`: a run, in whichever process, creates nothing more.

use clap::Args;

use super::explain::explain;
use super::ledger_args::LedgerArgs;
use crate::failure::Failure;
use crate::report;

#[derive(Args, Debug)]
pub(super) struct BatchControlArgs {
    /// The name of the batch [default: the only one of the ledger]
    #[arg(value_name = "NAME")]
    name: Option<String>,

    #[command(flatten)]
    ledger: LedgerArgs,
}

pub(super) async fn pause(args: BatchControlArgs) -> Result<(), Failure> {
    let batches = args.ledger.open().await?;
    let name = args.ledger.find(&batches, args.name).await?;
    batches.pause(&name).await.map_err(explain)?;
    report::say("paused: nothing more is created, and what is paid for is still saved");
    say_resume(&args.ledger, &name);
    Ok(())
}

pub(super) async fn stop(args: BatchControlArgs) -> Result<(), Failure> {
    let batches = args.ledger.open().await?;
    let name = args.ledger.find(&batches, args.name).await?;
    batches.stop(&name).await.map_err(explain)?;
    report::say("stopped: nothing more is created, and a run ends when what is paid for is saved");
    say_resume(&args.ledger, &name);
    Ok(())
}

/// Prints the command that continues a batch.
pub(super) fn say_resume(ledger: &LedgerArgs, name: &str) {
    let resume = ledger.command("resume", &[name], &[]);
    report::say(format_args!("to continue: {resume}"));
}
