//! The report of a run.

use std::fmt::Write as _;

use openapi_codegen::finding::Finding;

use super::write::{Change, diff};
use super::{Outcome, SPEC};

/// Lines of one file's diff that are shown before it is cut.
const LINES_PER_FILE: usize = 40;

/// Files whose diff is shown.
const FILES: usize = 12;

/// The report of an outcome. `command` is what to run once the spec is changed.
pub fn report(outcome: &Outcome, command: &str) -> String {
    match outcome {
        Outcome::Fresh => "The generated code is up to date.\n".to_owned(),
        Outcome::Written(paths) => {
            let mut text = String::new();
            for path in paths {
                let _ = writeln!(text, "{path}");
            }
            let _ = writeln!(text, "{} files changed.", paths.len());
            text
        }
        Outcome::Stale(changes) => stale(changes, command),
        Outcome::Refused(findings) => refused(findings, command),
    }
}

fn stale(changes: &[Change], command: &str) -> String {
    let mut text = String::new();
    for change in changes.iter().take(FILES) {
        let diff = diff(change);
        let lines: Vec<_> = diff.lines().collect();
        for line in lines.iter().take(LINES_PER_FILE) {
            let _ = writeln!(text, "{line}");
        }
        if lines.len() > LINES_PER_FILE {
            let more = lines.len() - LINES_PER_FILE;
            let _ = writeln!(text, "… {more} more lines");
        }
        text.push('\n');
    }
    if changes.len() > FILES {
        let _ = writeln!(text, "… {} more files\n", changes.len() - FILES);
    }
    let files = match changes.len() {
        1 => "1 generated file does".to_owned(),
        count => format!("{count} generated files do"),
    };
    let _ = writeln!(text, "{files} not match {SPEC}; run `{command}`.");
    text
}

fn refused(findings: &[Finding], command: &str) -> String {
    let mut text = String::new();
    for finding in findings {
        let _ = writeln!(text, "{}\n", finding.describe(SPEC));
    }
    let count = match findings.len() {
        1 => "1 finding".to_owned(),
        count => format!("{count} findings"),
    };
    let _ = writeln!(
        text,
        "{count} in {SPEC}, nothing was written; correct the spec and run `{command}`."
    );
    text
}
