//! `check`: what an image or a video is, and what the service would reject about it.

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

/// How many files are looked at at the same time.
const AT_ONCE: usize = 8;

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CheckArgs {
    /// Images and videos; a URL begins with http:// or https://, and a few parts of what is there are fetched
    #[arg(required = true, value_name = FILE_OR_URL, value_parser = media::parser())]
    files: Vec<MediaSource>,

    /// Take every file for a reference video, or for an image to start with [default: what it is by its content]
    #[arg(long = "as", value_name = "KIND", value_parser = one_of(MediaRole::ALL, MediaRole::as_str))]
    role: Option<MediaRole>,

    /// The route whose rules count; with auto, what only the successor of the older route refuses is a warning
    /// [default: auto]
    #[arg(long, value_name = "ROUTE", value_parser = one_of(Route::ALL, Route::as_str))]
    route: Option<Route>,

    /// Look at URLs that lead to this machine or its own network, too
    #[arg(long)]
    allow_private_networks: bool,

    /// End with an exit code of its own where there are warnings
    #[arg(long)]
    deny_warnings: bool,

    /// Print one JSON object for each file, on a line of its own
    #[arg(long)]
    pub(crate) json: bool,
}

const EXAMPLES: &str = "\
Examples:
  A clip and a picture, before they cost anything:
    kling-omni check dance.mov stage.png

  Every clip of a folder that cannot be used, and reason:
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
    let looks = files.into_iter().map(|source| {
        let mut look = inspect(source)
            .route(route.unwrap_or_default())
            .allow_private_networks(allow_private_networks);
        if let Some(role) = role {
            look = look.role(role);
        }
        look.into_future()
    });
    let mut inspections = stream::iter(looks).buffered(AT_ONCE);
    let mut verdict = Verdict::default();
    while let Some(inspection) = inspections.next().await {
        verdict.add(&inspection);
        if json {
            report::json_line(&inspection)?;
        } else {
            show(&inspection, verdict.files > 1)?;
        }
    }
    verdict.end(deny_warnings)
}

/// What was found about all files together.
#[derive(Default)]
struct Verdict {
    files: usize,
    rejected: usize,
    unreadable: usize,
    with_warnings: usize,
}

impl Verdict {
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

    /// Each file has told already what is wrong with it.
    fn end(self, deny_warnings: bool) -> Result<(), Failure> {
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

/// Prints a file as people read it: its name, what it is, and what is to be said about it.
fn show(inspection: &Inspection, follows_another: bool) -> Result<(), Failure> {
    if follows_another {
        report::line("")?;
    }
    let name = inspection.source().to_string();
    let name = report::printable(&name);
    report::line(Style::Heading.paint(&name))?;
    if let Some(probed) = inspection.media_info() {
        entry(facts::kind(probed), None, facts::of(probed))?;
    }
    for finding in inspection.findings() {
        let (label, style) = match finding.is_error() {
            true => ("error", Style::Error),
            false => ("warning", Style::Warning),
        };
        let message = report::printable(finding.message());
        entry(
            label,
            Some(style),
            format!("{message} [{}]", finding.code()),
        )?;
        if let Some(help) = finding.help() {
            entry("", None, format!("try: {}", report::printable(help)))?;
        }
    }
    if inspection.severity().is_none() {
        let what = match inspection.role() {
            MediaRole::StartFrame => "an image to start with",
            _ => "a reference video",
        };
        entry("ok", None, format!("keeps every rule for {what}"))?;
    }
    Ok(())
}

/// A line of a file, whose label is padded before it is painted.
fn entry(label: &str, style: Option<Style>, text: String) -> Result<(), Failure> {
    let label = format!("{label:<7}");
    let label = style.map_or(label.clone(), |style| style.paint(&label));
    report::line(format_args!("  {label}  {text}"))
}
