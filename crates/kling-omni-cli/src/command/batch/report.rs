//! `batch report`: what became of each item.

use std::path::PathBuf;
use std::pin::pin;

use clap::{Args, ValueEnum};
use futures_util::TryStreamExt as _;
use kling_omni_batch::Batches;
use kling_omni_batch::ledger::{ReportRow, SavedFile};

use super::explain::explain;
use super::ledger_args::LedgerArgs;
use super::report_limits::ReportLimitArgs;
use super::run_view::shown;
use crate::failure::Failure;
use crate::report::{self, printable};
use crate::{input, output};

/// The name of the page in the folder of the videos.
const PAGE: &str = "report.html";

#[derive(Args, Debug)]
pub(super) struct BatchReportArgs {
    /// The name of the batch [default: the only one of the ledger]
    #[arg(value_name = "NAME")]
    name: Option<String>,

    #[command(flatten)]
    ledger: LedgerArgs,

    /// The format: text for people, csv or jsonl for programs, html for a page with the videos, which is written to a file
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = ReportFormat::Text)]
    format: ReportFormat,

    /// The file of the page, which replaces an older page [default: report.html in the folder of the videos]
    #[arg(long, value_name = "FILE", value_parser = input::file(), help_heading = "Page")]
    to: Option<PathBuf>,

    #[command(flatten, next_help_heading = "Page")]
    limits: ReportLimitArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    Text,
    Csv,
    Jsonl,
    Html,
}

impl BatchReportArgs {
    pub(super) fn is_jsonl(&self) -> bool {
        self.format == ReportFormat::Jsonl
    }

    /// Fails if an option of the page is given for another format.
    fn check(&self) -> Result<(), Failure> {
        let is_page = self.format == ReportFormat::Html;
        let option = self.to.as_ref().map(|_| "--to");
        match option.or_else(|| self.limits.first_option()) {
            Some(option) if !is_page => {
                Err(Failure::usage(format!("{option} needs --format html")))
            }
            _ => Ok(()),
        }
    }
}

pub(super) async fn run(args: BatchReportArgs) -> Result<(), Failure> {
    args.check()?;
    let batches = args.ledger.open().await?;
    let name = args.ledger.find(&batches, args.name.clone()).await?;
    match args.format {
        ReportFormat::Html => write_page(&args, &batches, &name).await,
        format => print_rows(format, &batches, &name).await,
    }
}

async fn print_rows(format: ReportFormat, batches: &Batches, name: &str) -> Result<(), Failure> {
    if format == ReportFormat::Csv {
        report::line(ReportRow::csv_header())?;
    }
    let mut rows = pin!(batches.report_rows(name));
    while let Some(row) = rows.try_next().await.map_err(explain)? {
        match format {
            // A terminal must not interpret what a task or a prompt contains.
            ReportFormat::Csv => report::line(printable(&row.to_csv()))?,
            ReportFormat::Jsonl => report::json_line(&row)?,
            ReportFormat::Text | ReportFormat::Html => report::line(describe(&row))?,
        }
    }
    Ok(())
}

/// Writes the page, and prints its path.
async fn write_page(args: &BatchReportArgs, batches: &Batches, name: &str) -> Result<(), Failure> {
    let path = args
        .to
        .clone()
        .unwrap_or_else(|| args.ledger.folder().join(PAGE));
    output::refuse_other_content(&path, "--to", output::PAGE)?;
    let guard = args.limits.guard()?;
    let page = batches.report_page(name, &guard).await.map_err(explain)?;
    page.write(&path).await.map_err(|error| {
        explain(error).with_help("name a file in a folder that exists with --to")
    })?;
    report::path_line(&path)
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
