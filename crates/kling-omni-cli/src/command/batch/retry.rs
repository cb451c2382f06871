//! `batch retry`: puts ended items back.

use clap::Args;
use kling_omni::Charged;
use kling_omni_batch::{ItemState, RetrySelection};

use super::confirm::confirm;
use super::control::say_resume;
use super::explain::explain;
use super::ledger_args::LedgerArgs;
use super::spend_args::count;
use crate::failure::Failure;
use crate::report;

#[derive(Args, Debug)]
pub(super) struct BatchRetryArgs {
    /// The name of the batch
    #[arg(value_name = "NAME")]
    name: String,

    /// The keys of the items: the ids of their rows
    #[arg(value_name = "KEY", required_unless_present_any = ["failed", "expired"], conflicts_with_all = ["failed", "expired"])]
    keys: Vec<String>,

    /// All items that failed or were rejected
    #[arg(long)]
    failed: bool,

    /// All items whose video expired before it was saved
    #[arg(long)]
    expired: bool,

    #[command(flatten)]
    ledger: LedgerArgs,

    /// Do not ask before a task is created again, which may cost money
    #[arg(short, long)]
    yes: bool,

    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) async fn run(args: BatchRetryArgs) -> Result<(), Failure> {
    let batches = args.ledger.open().await?;
    let mut states = Vec::new();
    if args.failed {
        states.extend([ItemState::Failed, ItemState::Rejected]);
    }
    if args.expired {
        states.push(ItemState::Expired);
    }
    let selection = match args.keys.is_empty() {
        true => RetrySelection::States(states),
        false => RetrySelection::Keys(args.keys),
    };
    let planned = batches.plan_retry(&args.name, &selection);
    let planned = planned.await.map_err(explain)?;
    if planned.creates > 0 && !args.yes {
        let creates = count(planned.creates, "task");
        confirm(&format!(
            "the next run creates {creates} again, each of which may cost money"
        ))?;
    }
    let retried = batches.retry(&args.name, &selection).await;
    let retried = retried.map_err(|error| explain(error).with_charged(Charged::No))?;
    if args.json {
        report::json_line(&retried)?;
    }
    if retried.creates + retried.fetches == 0 {
        report::say("no item can be put back");
        return Ok(());
    }
    report::say(format_args!(
        "put back: {} to create again, {} to fetch again at no cost",
        count(retried.creates, "item"),
        count(retried.fetches, "item")
    ));
    say_resume(&args.ledger, &args.name);
    Ok(())
}
