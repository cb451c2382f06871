//! Findings as JSON.

use serde::Serialize;

use super::{Counts, Side, Sides};
use crate::finding::Finding;

/// The version of the form of [`json`]. A new field does not change it; anything else does.
pub const SCHEMA_VERSION: u32 = 1;

#[derive(Serialize)]
struct Report<'a> {
    schema_version: u32,
    base: &'a str,
    head: &'a str,
    counts: Counts,
    findings: Vec<One<'a>>,
}

#[derive(Serialize)]
struct One<'a> {
    fingerprint: String,
    id: &'a str,
    severity: &'a str,
    direction: Option<&'a str>,
    effects: Vec<&'a str>,
    subject: &'a str,
    message: &'a str,
    base: Option<Place<'a>>,
    head: Option<Place<'a>>,
    used_by: &'a [String],
}

#[derive(Serialize)]
struct Place<'a> {
    pointer: &'a str,
    line: Option<usize>,
}

/// The findings as one JSON object, for programs.
pub fn json(sides: &Sides<'_>, findings: &[Finding]) -> String {
    let report = Report {
        schema_version: SCHEMA_VERSION,
        base: sides.base.name,
        head: sides.head.name,
        counts: Counts::of(findings),
        findings: findings.iter().map(|finding| one(sides, finding)).collect(),
    };
    // Texts and numbers alone, so nothing can go wrong.
    let json = serde_json::to_string_pretty(&report).unwrap_or_default();
    format!("{json}\n")
}

fn one<'a>(sides: &Sides<'_>, finding: &'a Finding) -> One<'a> {
    let rule = finding.rule;
    One {
        fingerprint: finding.fingerprint(),
        id: rule.id,
        severity: rule.severity.as_str(),
        direction: rule.direction.map(|direction| direction.as_str()),
        effects: rule.effects.iter().map(|effect| effect.as_str()).collect(),
        subject: &finding.subject,
        message: &finding.message,
        base: place(&sides.base, finding.base.as_ref()),
        head: place(&sides.head, finding.head.as_ref()),
        used_by: &finding.used_by,
    }
}

fn place<'a>(side: &Side<'_>, pointer: Option<&'a String>) -> Option<Place<'a>> {
    let line = side.line(pointer);
    pointer.map(|pointer| Place { pointer, line })
}
