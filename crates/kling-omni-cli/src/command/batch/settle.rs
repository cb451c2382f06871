//! `batch settle`: the decision of a person about an item whose outcome is unknown.

use clap::Args;
use kling_omni_batch::{Batches, Decision};

use super::control::say_resume;
use super::explain::explain;
use super::ledger_args::LedgerArgs;
use crate::connect::ConnectArgs;
use crate::failure::Failure;
use crate::report;

#[derive(Args, Debug)]
pub(super) struct BatchSettleArgs {
    /// The name of the batch
    #[arg(value_name = "NAME")]
    name: String,

    /// The key of the item: the id of its row
    #[arg(value_name = "KEY")]
    key: String,

    /// The task of the item
    #[arg(
        long,
        value_name = "ID",
        allow_hyphen_values = true,
        required_unless_present = "absent",
        conflicts_with = "absent"
    )]
    task: Option<String>,

    /// The item has no task: you found none on the account. If one exists, you pay twice
    #[arg(long)]
    absent: bool,

    #[command(flatten)]
    ledger: LedgerArgs,
}

pub(super) async fn run(args: BatchSettleArgs, connect: &ConnectArgs) -> Result<(), Failure> {
    let batches = args.ledger.open().await?;
    let decision = match args.task {
        Some(id) => {
            check_task(&batches, &args.name, &args.key, &id, connect).await?;
            Decision::Task(id)
        }
        None => Decision::NotCreated,
    };
    let settled = batches.settle(&args.name, &args.key, decision);
    settled.await.map_err(explain)?;
    report::say("decided: the next run continues with the item");
    say_resume(&args.ledger, &args.name);
    Ok(())
}

/// Reads a task: a typo in its id would lose the real one.
async fn check_task(
    batches: &Batches,
    name: &str,
    key: &str,
    id: &str,
    connect: &ConnectArgs,
) -> Result<(), Failure> {
    let connection = connect.open_existing()?;
    let batch = batches.ledger().batch(name).await.map_err(explain)?;
    let item = batches
        .ledger()
        .item(batch.id, key)
        .await
        .map_err(explain)?;
    // A missing item is an error of the decision itself.
    if let Some(item) = item {
        let task = connection.client.task_of_mode(id, item.request.mode());
        let read = task.refresh().await;
        read.map_err(|error| connection.explain(error, None))?;
    }
    Ok(())
}
