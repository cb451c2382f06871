//! `batch metrics`: prints what an operator watches, once.

use clap::Args;

use super::explain::explain;
use super::ledger_args::LedgerArgs;
use crate::failure::Failure;
use crate::report;

#[derive(Args, Debug)]
pub(super) struct BatchMetricsArgs {
    #[command(flatten)]
    ledger: LedgerArgs,
}

pub(super) async fn run(args: BatchMetricsArgs) -> Result<(), Failure> {
    let batches = args.ledger.open().await?;
    let metrics = batches.metrics().await.map_err(explain)?;
    report::raw(metrics.to_string().as_bytes())
}
