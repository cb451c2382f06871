//! What a run found, for people and for programs.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::json;

use super::{Checked, Finding, exit};
use openapi_diff::render::{Format, github_message, github_property};

/// Lines of one message, and characters of a line, that are shown before it is cut.
const LINES: usize = 12;
const CHARACTERS: usize = 200;

/// What a run found.
pub fn render(all: &[Checked], format: Format) -> String {
    match format {
        Format::Text => text(all),
        Format::Json => json(all),
        Format::Github => github(all),
        Format::Markdown => markdown(all),
    }
}

fn text(all: &[Checked]) -> String {
    let mut text = String::new();
    let width = all.iter().map(|checked| checked.check.len()).max();
    for checked in all {
        let width = width.unwrap_or_default();
        let _ = writeln!(text, "{:width$}  {}", checked.check, verdict(checked));
    }
    for finding in findings(all) {
        let _ = write!(
            text,
            "\n{}: {}",
            finding.place,
            short(&finding.message, "  ")
        );
    }
    let _ = write!(text, "\n{}", what_to_do(all));
    text
}

fn markdown(all: &[Checked]) -> String {
    let mut text = String::from("| check | |\n| --- | --- |\n");
    for checked in all {
        let _ = writeln!(text, "| {} | {} |", checked.check, verdict(checked));
    }
    for finding in findings(all) {
        let message = short(&finding.message, "");
        match message.trim_end().split_once('\n') {
            None => {
                let _ = write!(text, "\n* `{}` {message}", finding.place);
            }
            Some(_) => {
                let _ = write!(text, "\n* `{}`\n\n```text\n{message}```\n", finding.place);
            }
        }
    }
    let _ = write!(text, "\n{}", what_to_do(all));
    text
}

fn json(all: &[Checked]) -> String {
    let checks: Vec<_> = all
        .iter()
        .map(|checked| {
            let findings: Vec<_> = checked
                .findings
                .iter()
                .map(|finding| json!({"place": finding.place, "message": finding.message, "fix": finding.fix}))
                .collect();
            json!({"check": checked.check, "findings": findings})
        })
        .collect();
    let report = json!({"exit": exit(all) as u8, "checks": checks});
    format!("{report:#}\n")
}

fn github(all: &[Checked]) -> String {
    let mut text = String::new();
    for finding in findings(all) {
        let fix = finding.fix.map(|fix| format!("\nRun `{fix}`"));
        let message = format!(
            "{}: {}{}",
            finding.place,
            finding.message,
            fix.unwrap_or_default()
        );
        let file = match finding.place.contains('/') {
            true => format!("file={},", github_property(&finding.place)),
            false => String::new(),
        };
        let title = github_property(finding.check);
        let _ = writeln!(
            text,
            "::error {file}title={title}::{}",
            github_message(&message)
        );
    }
    text
}

fn findings(all: &[Checked]) -> impl Iterator<Item = &Finding> {
    all.iter().flat_map(|checked| &checked.findings)
}

fn verdict(checked: &Checked) -> String {
    match checked.findings.len() {
        0 => "agrees".to_owned(),
        1 => "1 finding".to_owned(),
        count => format!("{count} findings"),
    }
}

/// The commands that help, and what is left for a person.
fn what_to_do(all: &[Checked]) -> String {
    let fixes: BTreeSet<_> = findings(all).filter_map(|finding| finding.fix).collect();
    let mut text = String::new();
    for fix in fixes {
        let count = findings(all)
            .filter(|finding| finding.fix == Some(fix))
            .count();
        let _ = writeln!(text, "`{fix}` fixes {}.", things(count));
    }
    match findings(all)
        .filter(|finding| finding.fix.is_none())
        .count()
    {
        0 if text.is_empty() => "Everything agrees.\n".to_owned(),
        0 => text,
        count => {
            let _ = writeln!(text, "A person has to fix {}.", things(count));
            text
        }
    }
}

fn things(count: usize) -> String {
    match count {
        1 => "1 finding".to_owned(),
        count => format!("{count} findings"),
    }
}

/// A message whose lines after the first are indented, cut when it is long.
fn short(message: &str, indent: &str) -> String {
    let mut text = String::new();
    let all: Vec<_> = message.lines().collect();
    for (number, line) in all.iter().take(LINES).enumerate() {
        let indent = if number == 0 { "" } else { indent };
        match line.char_indices().nth(CHARACTERS) {
            Some((end, _)) => {
                let _ = writeln!(text, "{indent}{}…", &line[..end]);
            }
            None => {
                let _ = writeln!(text, "{indent}{line}");
            }
        }
    }
    if all.len() > LINES {
        let _ = writeln!(text, "{indent}… {} more lines", all.len() - LINES);
    }
    text
}
