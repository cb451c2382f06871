//! `batch report`: what became of each item.

use std::pin::pin;

use clap::{Args, ValueEnum};
use futures_util::TryStreamExt as _;
use kling_omni_batch::ledger::{ReportRow, SavedFile};

use super::explain::explain;
use super::ledger_args::LedgerArgs;
use super::run_view::shown;
use crate::failure::Failure;
use crate::report::{self, printable};

#[derive(Args, Debug)]
pub(super) struct BatchReportArgs {
    /// The name of the batch [default: the only one of the ledger]
    #[arg(value_name = "NAME")]
    name: Option<String>,

    #[command(flatten)]
    ledger: LedgerArgs,

    /// The format: text for people, csv or jsonl for programs
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = ReportFormat::Text)]
    format: ReportFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    Text,
    Csv,
    Jsonl,
}

impl BatchReportArgs {
    pub(super) fn is_jsonl(&self) -> bool {
        self.format == ReportFormat::Jsonl
    }
}

pub(super) async fn run(args: BatchReportArgs) -> Result<(), Failure> {
    let batches = args.ledger.open().await?;
    let name = args.ledger.find(&batches, args.name).await?;
    if args.format == ReportFormat::Csv {
        report::line(ReportRow::csv_header())?;
    }
    let mut rows = pin!(batches.report_rows(&name));
    while let Some(row) = rows.try_next().await.map_err(explain)? {
        match args.format {
            ReportFormat::Text => report::line(describe(&row))?,
            // A terminal must not interpret what a task or a prompt contains.
            ReportFormat::Csv => report::line(printable(&row.to_csv()))?,
            ReportFormat::Jsonl => report::json_line(&row)?,
        }
    }
    Ok(())
}

/// The path of a video, and where it differs from its request.
fn describe_file(file: &SavedFile) -> String {
    let path = shown(&file.path).to_string_lossy().into_owned();
    let findings = file.findings.iter().map(ToString::to_string);
    let parts: Vec<_> = std::iter::once(path).chain(findings).collect();
    parts.join("; ")
}

fn describe(row: &ReportRow) -> String {
    let detail = match (&row.error, &row.file, &row.task_id) {
        (Some(error), ..) => error.text.clone(),
        (None, Some(file), _) => describe_file(file),
        (None, None, Some(task)) => format!("task {task}"),
        (None, None, None) => String::new(),
    };
    let text = format!(
        "{}  {}  {}",
        printable(&row.key),
        row.state,
        printable(&detail)
    );
    text.trim_end().to_owned()
}
