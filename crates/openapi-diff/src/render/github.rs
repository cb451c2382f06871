//! Findings as annotations of GitHub Actions.

use std::fmt::Write as _;

use super::{Sides, cut};
use super::{github_message, github_property};
use crate::finding::Finding;
use crate::rule::Severity;

/// The findings as workflow commands of GitHub Actions, which it shows beside the lines of the newer document,
/// or of the older one when only that is a file here.
pub fn github(sides: &Sides<'_>, findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let level = match finding.rule.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "notice",
        };
        let mut properties = String::new();
        // What is gone has no line of its own, but something around it may still be there.
        let now = finding.head.as_ref().or(finding.base.as_ref());
        let before = finding.base.as_ref();
        let shown = [(sides.head, now), (sides.base, before)];
        let shown = shown
            .into_iter()
            .find_map(|(side, pointer)| Some((side.file?, side.line(pointer))));
        if let Some((file, line)) = shown {
            let _ = write!(properties, "file={},", github_property(file));
            if let Some(line) = line {
                let _ = write!(properties, "line={line},");
            }
        }
        let title = github_property(finding.rule.id);
        let message = github_message(&cut(&format!("{}: {}", finding.subject, finding.message)));
        let _ = writeln!(text, "::{level} {properties}title={title}::{message}");
    }
    text
}
