//! `batch check`: checks all rows of a manifest, and counts what they would pay for.

use std::path::{Path, PathBuf};

use clap::Args;
use futures_util::StreamExt as _;
use futures_util::stream;
use kling_omni::Charged;
use kling_omni::preflight::{MediaChecks, Preflight};
use kling_omni::request::MediaSource;
use kling_omni::validation::Severity;
use kling_omni_batch::manifest::{Manifest, ManifestReport, ManifestTotals, RowFindings};

use super::super::file_args::FileArgs;
use super::bucket;
use super::explain::explain_manifest;
use super::ledger_args::{self, LedgerArgs};
use super::manifest_args::ManifestArgs;
use super::run::find_batch;
use super::spend_args::{SpendArgs, SpendLimit, count};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::{self, printable};

/// How many rows with local files are inspected at once.
const MAX_CONCURRENT: usize = 8;

#[derive(Args, Debug)]
pub(super) struct BatchCheckArgs {
    #[command(flatten)]
    manifest: ManifestArgs,

    /// The folder of the videos. If the batch is new, a row whose video exists there already is an error
    #[arg(long, value_name = "DIR", help_heading = "Rows", value_parser = bucket::folder_or_bucket())]
    out: Option<PathBuf>,

    /// The ledger of the batch [default: batch.db in the folder of the videos]
    #[arg(long, value_name = "LEDGER", help_heading = "Rows", value_parser = ledger_args::ledger(), requires = "out")]
    db: Option<PathBuf>,

    /// The name of the batch [default: the name of the manifest, without extension]
    #[arg(long, value_name = "NAME", help_heading = "Rows", requires = "out")]
    name: Option<String>,

    #[command(flatten)]
    files: FileArgs,

    #[command(flatten)]
    spend: SpendArgs,

    /// Print one JSON object with totals and findings
    #[arg(long, help_heading = "Output")]
    pub(super) json: bool,
}

pub(super) async fn run(args: BatchCheckArgs) -> Result<(), Failure> {
    let limit = args.spend.limit()?;
    let manifest = args.manifest.open(limit.guard.clone())?;
    let new_folder = match args.out.filter(|out| !bucket::is_url(out)) {
        Some(out) => {
            let ledger = LedgerArgs {
                out: Some(out.clone()),
                db: args.db,
            };
            let name = args.name.unwrap_or_else(|| args.manifest.default_name());
            let (_, is_new) = find_batch(&ledger, &name).await?;
            is_new.then_some(out)
        }
        None => None,
    };
    let checked = check_rows(&manifest, &args.files, new_folder.as_deref()).await?;
    let refused = refused_rows(&checked, args.manifest.deny_warnings);
    if args.json {
        report::json_line(&checked)?;
    } else {
        for row in &checked.findings {
            report::line(row)?;
        }
        for line in describe_totals(&checked.totals, &limit) {
            report::line(line)?;
        }
        warn_ignored(&checked);
    }
    match refused {
        0 => Ok(()),
        _ => Err(Failure::silent(Exit::Rejected)),
    }
}

/// Returns the number of rows that cannot be run.
fn refused_rows(checked: &ManifestReport, denies_warnings: bool) -> usize {
    let is_refused = |row: &&RowFindings| {
        let mut findings = row.findings.iter();
        denies_warnings || findings.any(|finding| finding.severity == Severity::Error)
    };
    checked.findings.iter().filter(is_refused).count()
}

/// Checks all rows, and inspects their images and videos. Sends nothing to the service. Videos of a new batch must not exist in
/// its folder.
pub(super) async fn check_rows(
    manifest: &Manifest,
    files: &FileArgs,
    new_folder: Option<&Path>,
) -> Result<ManifestReport, Failure> {
    let mut checked = manifest.check().map_err(explain_manifest)?;
    if let Some(folder) = new_folder.filter(|folder| folder.exists()) {
        let outputs = manifest.check_outputs(folder, &mut checked);
        outputs.map_err(explain_manifest)?;
    }
    let rows = manifest.rows().map_err(explain_manifest)?;
    let checks = files.checks();
    let with_media = rows.flatten().filter(|row| {
        let media = row.request.media();
        let mut sources = media.iter().map(|(_, source)| source);
        sources.any(|source| matches!(source, MediaSource::File(_)) || checks == MediaChecks::All)
    });
    let inspections = with_media.map(|row| async move {
        for (field, source) in row.request.media() {
            files.refuse_file(&format!("row {}, {field}", row.number), &source)?;
        }
        let preflight = Preflight::new(row.request.clone())
            .checks(checks)
            .allow_private_networks(files.allows_private_networks());
        Ok::<_, Failure>((preflight.await, row))
    });
    let mut inspections = stream::iter(inspections).buffered(MAX_CONCURRENT);
    while let Some(inspected) = inspections.next().await {
        let (inspected, row) = inspected?;
        checked.add(&row, inspected.findings());
    }
    Ok(checked)
}

/// Prints the findings, and fails if a row cannot be run. Nothing was sent.
pub(super) fn refuse_errors(
    checked: &ManifestReport,
    denies_warnings: bool,
) -> Result<(), Failure> {
    checked.findings.iter().for_each(report::say);
    warn_ignored(checked);
    match refused_rows(checked, denies_warnings) {
        0 => Ok(()),
        rows => {
            let rows = count(rows as u64, "row");
            let message = format!("invalid manifest, nothing was sent: {rows} with errors");
            Err(Failure::custom("validation", Exit::Usage, message)
                .with_charged(Charged::No)
                .with_help("correct the rows, or remove them"))
        }
    }
}

fn warn_ignored(checked: &ManifestReport) {
    if let Some(first) = checked.ignored_files.first() {
        let files = count(checked.ignored_files.len() as u64, "file");
        let first = first.to_string_lossy();
        report::warn(format_args!(
            "{files} of the folder ignored, such as {}",
            printable(&first)
        ));
    }
}

/// Describes what rows would pay for: a line for all, and one for each mode and tier if there are several.
pub(super) fn describe_totals(totals: &ManifestTotals, limit: &SpendLimit) -> Vec<String> {
    let mut lines = vec![format!("to pay for: {}", limit.describe(totals.all))];
    if let [_, _, ..] = &*totals.by_mode {
        lines.extend(totals.by_mode.iter().map(|total| {
            format!(
                "  {} {}: {}",
                total.mode,
                total.tier,
                limit.describe(total.cost)
            )
        }));
    }
    lines
}
