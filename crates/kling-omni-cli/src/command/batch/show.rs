//! `batch show`: the history of an item.

use std::time::{Duration, UNIX_EPOCH};

use clap::Args;
use kling_omni_batch::ItemState;
use kling_omni_batch::ledger::ItemEvent;

use super::explain::explain;
use super::ledger_args::LedgerArgs;
use super::run_view::shown;
use crate::failure::Failure;
use crate::report::{self, printable};
use crate::task_runner::timestamp;

#[derive(Args, Debug)]
pub(super) struct BatchShowArgs {
    /// The name of the batch
    #[arg(value_name = "NAME")]
    name: String,

    /// The key of the item: the id of its row
    #[arg(value_name = "KEY")]
    key: String,

    #[command(flatten)]
    ledger: LedgerArgs,

    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) async fn run(args: BatchShowArgs) -> Result<(), Failure> {
    let batches = args.ledger.open().await?;
    let history = batches.show(&args.name, &args.key).await.map_err(explain)?;
    if args.json {
        return report::json_line(&history);
    }
    report::line(format_args!(
        "{}: {}",
        printable(&history.key),
        history.state
    ))?;
    report::line(format_args!(
        "  file: {}",
        printable(&shown(&history.path).to_string_lossy())
    ))?;
    if let Some(task) = &history.task_id {
        report::line(format_args!("  task: {}", printable(task)))?;
    }
    for event in &history.events {
        report::line(format_args!("  {}", describe(event)))?;
    }
    if history.state == ItemState::Unknown {
        if !history.candidates.is_empty() {
            let candidates = history.candidates.iter().map(|id| printable(id));
            let candidates: Vec<_> = candidates.collect();
            report::line(format_args!("  candidates: {}", candidates.join(", ")))?;
        }
        report::say("check the tasks and the usage of the account, then decide");
        let operands = [args.name.as_str(), &args.key];
        for (found, flags) in [
            ("if you found its task", &["--task=ID"]),
            ("if it has no task", &["--absent"]),
        ] {
            let command = args.ledger.command("settle", &operands, flags);
            report::say(format_args!("{found}: {command}"));
        }
    }
    Ok(())
}

fn describe(event: &ItemEvent) -> String {
    let at = timestamp(UNIX_EPOCH + Duration::from_millis(event.at_ms)).unwrap_or_default();
    let mut text = format!("{at}  {}", event.state);
    if let Some(task) = &event.detail.task_id {
        text.push_str(&format!("  task {}", printable(task)));
    }
    if let Some(file) = &event.detail.file {
        text.push_str(&format!("  {} bytes, SHA-256 {}", file.bytes, file.sha256));
        for finding in &file.findings {
            text.push_str(&format!("  {finding}"));
        }
    }
    if let Some(error) = &event.detail.error {
        text.push_str(&format!("  {}", printable(&error.text)));
    }
    text
}
