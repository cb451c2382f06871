//! Findings as plain text.

use std::fmt::Write as _;

use super::{Sides, cut, effects, verdict};
use crate::finding::Finding;

/// The findings as plain text, each with all that is known about it, and one closing sentence.
pub fn text(sides: &Sides<'_>, findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        one(&mut text, sides, finding);
    }
    let _ = writeln!(text, "{}", verdict(sides, findings));
    text
}

fn one(text: &mut String, sides: &Sides<'_>, finding: &Finding) {
    let rule = finding.rule;
    let _ = writeln!(text, "{} {}", rule.severity, rule.id);
    let _ = writeln!(text, "  {}", visible(&finding.subject));
    let _ = writeln!(text, "  {}", visible(&cut(&finding.message)));
    for (index, operation) in finding.used_by.iter().enumerate() {
        let label = if index == 0 { "used by" } else { "" };
        let _ = writeln!(text, "  {label:7} {}", visible(operation));
    }
    let before = sides.base.place(finding.base.as_ref());
    let now = sides.head.place(finding.head.as_ref());
    let place = match (before, now) {
        (Some(before), Some(now)) => format!("at {now}, was at {before}"),
        (Some(before), None) => format!("was at {before}"),
        (None, Some(now)) => format!("at {now}"),
        (None, None) => String::new(),
    };
    if !place.is_empty() {
        let _ = writeln!(text, "  {}", visible(&place));
    }
    let _ = writeln!(text, "  felt in {}\n", effects(finding));
}

/// A text without what could move the cursor or colour the terminal.
fn visible(text: &str) -> String {
    let plain = |letter: char| match letter.is_control() {
        true => letter.escape_default().to_string(),
        false => letter.to_string(),
    };
    text.chars().map(plain).collect()
}
