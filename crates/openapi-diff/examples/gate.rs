//! Refuses a change of a document that breaks clients: `cargo run --example gate OLD NEW`.

use std::env;
use std::path::Path;
use std::process::ExitCode;

use openapi_diff::compare::compare;
use openapi_diff::document::{Document, Unreadable};
use openapi_diff::rule::Severity;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [old, new] = &arguments[..] else {
        eprintln!("name the older and the newer document");
        return ExitCode::from(2);
    };
    match breaking(old, new) {
        Ok(findings) if findings.is_empty() => ExitCode::SUCCESS,
        Ok(findings) => {
            println!("{}", findings.join("\n"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// What breaks programs that were written for the older document.
fn breaking(old: &str, new: &str) -> Result<Vec<String>, Unreadable> {
    let old = Document::read(Path::new(old), old)?;
    let new = Document::read(Path::new(new), new)?;
    let findings = compare(&old.tree, &new.tree).into_iter();
    let errors = findings.filter(|finding| finding.rule.severity == Severity::Error);
    Ok(errors
        .map(|finding| format!("{}: {}", finding.subject, finding.message))
        .collect())
}
