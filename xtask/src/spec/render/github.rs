use std::fmt::Write as _;

use super::{Sides, cut};
use crate::spec::finding::Finding;
use crate::spec::rule::Severity;

/// The findings as workflow commands of GitHub Actions, which it shows beside the lines of the newer document.
pub fn github(sides: &Sides<'_>, findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let level = match finding.rule.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "notice",
        };
        let mut properties = String::new();
        if let Some(file) = sides.head.file {
            let _ = write!(properties, "file={},", property(file));
            // What is gone has no line of its own, but something around it may still be there.
            let pointer = finding.head.as_ref().or(finding.base.as_ref());
            if let Some(line) = sides.head.line(pointer) {
                let _ = write!(properties, "line={line},");
            }
        }
        let title = property(finding.rule.id);
        let message = data(&cut(&format!("{}: {}", finding.subject, finding.message)));
        let _ = writeln!(text, "::{level} {properties}title={title}::{message}");
    }
    text
}

fn data(text: &str) -> String {
    let text = text.replace('%', "%25");
    text.replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
