//! Findings as Markdown.

use std::fmt::Write as _;

use super::{Sides, cut, effects, verdict};
use crate::finding::Finding;
use crate::rule::Severity;

/// Rows of one severity that are shown at once; more are folded away.
const ROWS: usize = 20;

/// Operations that a row names; of more, it says how many.
const OPERATIONS: usize = 3;

/// The findings as Markdown for a pull request or an issue. What comes from the documents cannot break out of its cell,
/// mention anybody, or refer to an issue.
pub fn markdown(sides: &Sides<'_>, findings: &[Finding]) -> String {
    let mut text = format!("{}\n", escape(&verdict(sides, findings)));
    for (severity, title) in [
        (Severity::Error, "Errors"),
        (Severity::Warning, "Warnings"),
        (Severity::Info, "Worth knowing"),
    ] {
        let group = findings.iter();
        let group: Vec<_> = group
            .filter(|finding| finding.rule.severity == severity)
            .collect();
        if group.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n### {title}\n");
        let shown = match severity {
            Severity::Info => 0,
            _ => group.len().min(ROWS),
        };
        let (shown, folded) = group.split_at(shown);
        if !shown.is_empty() {
            table(&mut text, shown);
        }
        if !folded.is_empty() {
            let more = if shown.is_empty() { "" } else { "more " };
            let count = folded.len();
            let plural = if count == 1 { "" } else { "s" };
            let summary = format!("{count} {more}finding{plural}");
            let _ = writeln!(text, "<details><summary>{summary}</summary>\n");
            table(&mut text, folded);
            let _ = writeln!(text, "\n</details>");
        }
    }
    text
}

fn table(text: &mut String, findings: &[&Finding]) {
    let _ = writeln!(text, "| what | change | rule | felt in | used by |");
    let _ = writeln!(text, "| --- | --- | --- | --- | --- |");
    for finding in findings {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            code(&finding.subject),
            escape(&cut(&finding.message)),
            code(finding.rule.id),
            effects(finding),
            operations(&finding.used_by)
        );
    }
}

fn operations(used_by: &[String]) -> String {
    let named = used_by.iter().take(OPERATIONS);
    let mut named: Vec<_> = named.map(|operation| code(operation)).collect();
    if let Some(more) = used_by
        .len()
        .checked_sub(OPERATIONS)
        .filter(|more| *more > 0)
    {
        named.push(format!("and {more} more"));
    }
    named.join("<br>")
}

fn code(text: &str) -> String {
    format!("<code>{}</code>", escape(text))
}

/// A text that Markdown shows as it is, on one line.
///
/// A mention and a reference to an issue are looked for in what Markdown has become, where an entity is a plain letter
/// again; only something between the sign and the name keeps them from being found.
pub fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '@' | '#' => {
                let _ = write!(escaped, "{letter}<!-- -->");
            }
            '&' | '<' | '>' | '|' | '`' | '*' | '_' | '[' | ']' | '~' | '\\' | '$' | '!' | '^' => {
                let _ = write!(escaped, "&#{};", u32::from(letter));
            }
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    // A bare URL would become a link to wherever the documents say.
    escaped
        .replace("://", ":<!-- -->//")
        .replace("www.", "www<!-- -->.")
}
