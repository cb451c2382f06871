//! `cargo xtask spec upstream`.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use clap::Args;

use openapi_diff::accepted::{Accepted, Classified};

use super::{ACCEPTED, accepted_syntax, compare, source};
use crate::codegen::SPEC;
use crate::exit::Exit;
use crate::spec::command::Report;
use openapi_diff::document::Document;
use openapi_diff::render::Format;
use openapi_diff::render::{Side, Sides, escape};
use openapi_diff::rules::reference::REFERENCE_BROKEN;

/// Which document to compare with, and how to tell the result.
#[derive(Args, Debug)]
pub struct Upstream {
    /// The vendor's whole OpenAPI document, 3.0 or 3.1, YAML or JSON: a file, or an `http` or `https` URL.
    #[arg(value_name = "FILE|URL")]
    pub source: String,
    /// How to tell the findings.
    #[command(flatten)]
    pub report: Report,
}

/// Runs the command in the workspace at `root`, and answers with what it has to say.
///
/// # Errors
///
/// When our own spec cannot be read.
pub fn run(root: &Path, upstream: &Upstream) -> Result<(String, Exit)> {
    let ours = Document::read(&root.join(SPEC), SPEC)?;
    let accepted = match Accepted::read(&root.join(ACCEPTED), accepted_syntax()) {
        Ok(accepted) => accepted,
        Err(faults) => return Ok((malformed(&faults), Exit::NeedsHuman)),
    };
    let vendor = match source::read(&upstream.source) {
        Ok(vendor) => vendor,
        Err(error) => return Ok((format!("error: {error:#}\n"), Exit::Unavailable)),
    };
    let classified = compare(&ours, &vendor, &accepted);
    if let Some(broken) = cut_short(&vendor, &classified) {
        return Ok((broken, Exit::Unavailable));
    }
    Ok(tell(&ours, &vendor, &classified, upstream.report))
}

fn malformed(faults: &[String]) -> String {
    let mut text = String::new();
    for fault in faults {
        let _ = writeln!(text, "error: {fault}");
    }
    let _ = writeln!(text, "Nothing was compared; correct {ACCEPTED}.");
    text
}

/// What to say of a document that refers to what it does not have: most likely, its end is missing. Compared with that,
/// everything behind those references would seem to be gone.
fn cut_short(vendor: &Document, classified: &Classified) -> Option<String> {
    let broken: Vec<_> = classified
        .open
        .iter()
        .filter(|finding| finding.rule.id == REFERENCE_BROKEN.id)
        .filter_map(|finding| finding.head.as_deref())
        .collect();
    let first = broken.first()?;
    let (name, line) = (&vendor.name, vendor.position(first).line);
    Some(format!(
        "error: {name}:{line}: {} of its references lead nowhere, the first at {first}; the document may be cut short, and nothing was compared\n",
        broken.len()
    ))
}

fn tell(
    ours: &Document,
    vendor: &Document,
    classified: &Classified,
    report: Report,
) -> (String, Exit) {
    let our_line = |pointer: &str| ours.position(pointer).line;
    let vendor_line = |pointer: &str| vendor.position(pointer).line;
    let sides = Sides {
        base: Side {
            name: &ours.name,
            file: Some(SPEC),
            line: Some(&our_line),
        },
        head: Side {
            name: &vendor.name,
            // It is not in this repository, so no annotation can stand in it.
            file: None,
            line: Some(&vendor_line),
        },
    };
    let (told, exit) = report.tell(&sides, &classified.open);
    let plain = match report.format {
        Format::Text => str::to_owned,
        Format::Markdown => escape,
        Format::Json | Format::Github => return (told, exit),
    };
    let closing = plain(&closing(ours, vendor, classified));
    let text = match (classified.open.is_empty(), classified.accepted.is_empty()) {
        (true, _) => format!("{closing}\n"),
        (false, true) => format!("{}\n\n{told}", plain(LEGEND)),
        (false, false) => format!("{}\n\n{told}\n{closing}\n", plain(LEGEND)),
    };
    (text, exit)
}

/// How to read findings that speak of before and after.
const LEGEND: &str = "Our spec beside the vendor's document: what \"was\" or \"is gone\" is what ours says, and what \
                      \"is\" or \"is new\" is what the vendor's says.";

/// What there is to say about what was accepted.
fn closing(ours: &Document, vendor: &Document, classified: &Classified) -> String {
    let both = format!("{} and {}", ours.name, vendor.name);
    match (classified.open.is_empty(), classified.accepted.len()) {
        (true, 0) => format!("{both} say the same about the operations of ours."),
        (true, 1) => format!("{both} differ in nothing but what {ACCEPTED} accepts: 1 difference."),
        (true, count) => {
            format!("{both} differ in nothing but what {ACCEPTED} accepts: {count} differences.")
        }
        (false, 1) => format!("1 more difference is accepted in {ACCEPTED}."),
        (false, count) => format!("{count} more differences are accepted in {ACCEPTED}."),
    }
}
