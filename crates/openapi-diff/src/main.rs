//! `openapi-diff OLD NEW`: compares two OpenAPI documents by meaning.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use openapi_diff::accepted::{Accepted, AcceptedSyntax};
use openapi_diff::compare::compare;
use openapi_diff::document::Document;
use openapi_diff::render::{FailOn, Format, Side, Sides};
use openapi_diff::rule::Direction;

/// Compares two OpenAPI documents, 3.0 or 3.1, YAML or JSON, by meaning.
///
/// Exit codes: 0 no finding is as severe as --fail-on says, 1 one is, 2 wrong usage, or a file cannot be read or is
/// malformed.
#[derive(Parser)]
#[command(name = "openapi-diff", version)]
struct Arguments {
    /// The older document.
    #[arg(value_name = "OLD")]
    base: PathBuf,
    /// The newer document.
    #[arg(value_name = "NEW")]
    head: PathBuf,
    /// The form of the report.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// A file of accepted differences, which are left out of the report.
    #[arg(long, value_name = "FILE")]
    accepted: Option<PathBuf>,
    /// Report only what concerns this side of the exchange, and what concerns neither.
    #[arg(long, value_enum)]
    direction: Option<Only>,
    /// End with 1 when a finding is this severe, or more.
    #[arg(long, value_enum, default_value_t, value_name = "SEVERITY")]
    fail_on: FailOn,
}

/// One side of an exchange.
#[derive(Clone, Copy, ValueEnum)]
enum Only {
    /// What clients send.
    Request,
    /// What the service sends.
    Response,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok((report, is_failure)) => {
            print!("{report}");
            ExitCode::from(u8::from(is_failure))
        }
        Err(faults) => {
            for fault in faults {
                eprintln!("error: {fault}");
            }
            ExitCode::from(2)
        }
    }
}

/// Returns the report, and whether a finding is as severe as `--fail-on` says.
fn run(arguments: &Arguments) -> Result<(String, bool), Vec<String>> {
    let (base, head) = (read(&arguments.base)?, read(&arguments.head)?);
    let accepted = match &arguments.accepted {
        Some(path) if !path.exists() => {
            return Err(vec![format!("{}: there is no such file", path.display())]);
        }
        Some(path) => Accepted::read(path, AcceptedSyntax::new(&path.display().to_string()))?,
        None => Accepted::default(),
    };
    let mut findings = accepted.classify(compare(&base.tree, &head.tree)).open;
    if let Some(only) = arguments.direction {
        let wanted = match only {
            Only::Request => Direction::Request,
            Only::Response => Direction::Response,
        };
        findings.retain(|finding| finding.rule.direction.is_none_or(|found| found == wanted));
    }
    let base_line = |pointer: &str| base.position(pointer).line;
    let head_line = |pointer: &str| head.position(pointer).line;
    let sides = Sides {
        base: Side {
            name: &base.name,
            file: Some(&base.name),
            line: Some(&base_line),
        },
        head: Side {
            name: &head.name,
            file: Some(&head.name),
            line: Some(&head_line),
        },
    };
    let report = arguments.format.render(&sides, &findings);
    Ok((report, arguments.fail_on.is_met(&findings)))
}

fn read(path: &Path) -> Result<Document, Vec<String>> {
    let document = Document::read(path, &path.display().to_string());
    let document = document.and_then(|document| {
        document.require_openapi()?;
        Ok(document)
    });
    document.map_err(|error| vec![error.to_string()])
}
