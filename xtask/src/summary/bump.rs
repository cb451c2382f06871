//! The version that a change calls for.

use super::rust::Surface;
use openapi_diff::finding::Finding;
use openapi_diff::rule::Severity;

/// A suggestion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bump {
    /// Which part of the version to raise.
    pub part: Part,
    /// The version that follows.
    pub version: String,
    /// What decides it.
    pub reason: String,
}

/// A part of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The first number.
    Major,
    /// The second number.
    Minor,
    /// The third number.
    Patch,
}

/// The version that a change calls for; `None` when nothing that others could notice changed.
///
/// Before 1.0 the second number tells what breaks, and the third tells the rest. Code that builds a generated request
/// from a literal fills it up, as the README of that crate asks, so a new optional field breaks nothing.
pub fn suggest(version: &str, findings: &[Finding], surface: &[Surface]) -> Option<Bump> {
    let error = findings
        .iter()
        .find(|finding| finding.rule.severity == Severity::Error);
    let breaks = surface
        .iter()
        .find_map(|surface| Some((surface.package, surface.breaks()?)));
    let added = surface.iter().find(|surface| surface.counts().0 > 0);
    let (is_breaking, is_new, reason) = match (error, breaks, added) {
        (Some(finding), ..) => (
            true,
            false,
            format!(
                "{}: {} {}",
                finding.rule.id, finding.subject, finding.message
            ),
        ),
        (None, Some((package, item)), _) => (
            true,
            false,
            format!("{package} no longer has this as it was: {item}"),
        ),
        (None, None, Some(surface)) => (
            false,
            true,
            format!(
                "{} has more than before, and all that it had",
                surface.package
            ),
        ),
        (None, None, None) if findings.is_empty() && surface.is_empty() => return None,
        (None, None, None) => (
            false,
            false,
            "nothing that others use is another than before".to_owned(),
        ),
    };
    let numbers: Vec<u64> = version
        .split('.')
        .filter_map(|number| number.parse().ok())
        .collect();
    let [major, minor, patch] = numbers[..] else {
        return None;
    };
    let (part, version) = match (is_breaking, is_new, major) {
        (true, _, 1..) => (Part::Major, format!("{}.0.0", major + 1)),
        (true, _, 0) | (_, true, 1..) => (Part::Minor, format!("{major}.{}.0", minor + 1)),
        _ => (Part::Patch, format!("{major}.{minor}.{}", patch + 1)),
    };
    Some(Bump {
        part,
        version,
        reason,
    })
}

impl Part {
    /// In one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Major => "major",
            Self::Minor => "minor",
            Self::Patch => "patch",
        }
    }
}
