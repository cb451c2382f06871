//! `check`: inspects images and videos, and reports what the service would reject.

mod facts;

use clap::Args;
use futures_util::StreamExt as _;
use futures_util::stream;
use kling_omni::preflight::{Inspection, MediaRole, inspect};
use kling_omni::request::{MediaSource, Route};
use kling_omni::validation::{Finding, FindingCode};

use crate::choice::one_of;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::media::{self, FILE_OR_URL};
use crate::report::{self, Style};

/// The number of files that are inspected concurrently.
const MAX_CONCURRENT: usize = 8;

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CheckArgs {
    /// Images and videos; a URL begins with http:// or https://, and only a few ranges of its file are fetched
    #[arg(required = true, value_name = FILE_OR_URL, value_parser = media::parser())]
    files: Vec<MediaSource>,

    /// Validate every file as a reference video or as a start frame [default: by its content]
    #[arg(long = "as", value_name = "KIND", value_parser = one_of(MediaRole::ALL, MediaRole::as_str))]
    role: Option<MediaRole>,

    /// The route whose rules apply; with auto, a file that only the successor route rejects gets a warning
    /// [default: auto]
    #[arg(long, value_name = "ROUTE", value_parser = one_of(Route::ALL, Route::as_str))]
    route: Option<Route>,

    /// Inspect URLs in private networks and on this machine, too
    #[arg(long, alias = "allow-private")]
    allow_private_networks: bool,

    /// Exit with 10 if there are warnings and no errors
    #[arg(long)]
    deny_warnings: bool,

    /// Print one JSON object per file, one per line
    #[arg(long)]
    pub(crate) json: bool,
}

const EXAMPLES: &str = "\
Examples:
  A video and an image, before they are paid for:
    kling-omni check dance.mov stage.png

  Every clip of a folder that would be rejected, with its findings:
    kling-omni check --json clips/*.mp4 | jq 'select(any(.findings[]; .severity == \"error\"))'";

pub(super) async fn run(args: CheckArgs) -> Result<(), Failure> {
    let CheckArgs {
        files,
        role,
        route,
        allow_private_networks,
        deny_warnings,
        json,
    } = args;
    let inspections = files.into_iter().map(|source| {
        let mut inspect = inspect(source)
            .route(route.unwrap_or_default())
            .allow_private_networks(allow_private_networks);
        if let Some(role) = role {
            inspect = inspect.role(role);
        }
        inspect.into_future()
    });
    let mut inspections = stream::iter(inspections).buffered(MAX_CONCURRENT);
    let mut counts = FileCounts::default();
    while let Some(inspection) = inspections.next().await {
        counts.add(&inspection);
        if json {
            report::json_line(&inspection)?;
        } else {
            print(&inspection, counts.files > 1)?;
        }
    }
    counts.into_result(deny_warnings)
}

/// How many files were inspected, with which result.
#[derive(Default)]
struct FileCounts {
    files: usize,
    rejected: usize,
    unreadable: usize,
    with_warnings: usize,
}

impl FileCounts {
    fn add(&mut self, inspection: &Inspection) {
        self.files += 1;
        let is_unreadable = |finding: &Finding| finding.code() == FindingCode::FileUnreadable;
        if inspection.findings().iter().any(is_unreadable) {
            self.unreadable += 1;
        } else if inspection.has_errors() {
            self.rejected += 1;
        } else if inspection.severity().is_some() {
            self.with_warnings += 1;
        }
    }

    /// Returns the exit code. The findings of each file are already printed.
    fn into_result(self, deny_warnings: bool) -> Result<(), Failure> {
        let exit = match self {
            Self { rejected: 1.., .. } => Exit::Rejected,
            Self {
                unreadable: 1.., ..
            } => Exit::File,
            Self {
                with_warnings: 1.., ..
            } if deny_warnings => Exit::WarningsDenied,
            _ => return Ok(()),
        };
        Err(Failure::silent(exit))
    }
}

/// Prints a file as text: its name, its properties and its findings.
fn print(inspection: &Inspection, follows_another: bool) -> Result<(), Failure> {
    if follows_another {
        report::line("")?;
    }
    let name = inspection.source().to_string();
    let name = report::printable(&name);
    report::line(Style::Heading.paint(&name))?;
    if let Some(media) = inspection.media_info() {
        print_entry(facts::kind(media), None, facts::describe(media))?;
    }
    for finding in inspection.findings() {
        let (label, style) = match finding.is_error() {
            true => ("error", Style::Error),
            false => ("warning", Style::Warning),
        };
        let message = report::printable(finding.message());
        print_entry(
            label,
            Some(style),
            format!("{message} [{}]", finding.code()),
        )?;
        if let Some(help) = finding.help() {
            print_entry("", None, format!("help: {}", report::printable(help)))?;
        }
    }
    if inspection.severity().is_none() {
        let role = match inspection.role() {
            MediaRole::StartFrame => "start frame",
            _ => "reference video",
        };
        print_entry("ok", None, format!("valid as a {role}"))?;
    }
    Ok(())
}

/// Prints a line about a file. The label is padded before it is colored.
fn print_entry(label: &str, style: Option<Style>, text: String) -> Result<(), Failure> {
    let label = format!("{label:<7}");
    let label = style.map_or(label.clone(), |style| style.paint(&label));
    report::line(format_args!("  {label}  {text}"))
}
