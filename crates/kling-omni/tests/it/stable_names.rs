//! The names of findings in JSON, which are stable from 0.1. Those that the program writes are in its own tests.

use kling_omni::VideoReference;
use kling_omni::validation::FindingCode;
use serde_json::Value;

use crate::snapshots;

#[test]
fn finding_codes() {
    let mut codes: Vec<_> = FindingCode::ALL
        .iter()
        .map(|code| {
            let name = serde_json::to_value(code).unwrap();
            let severity = serde_json::to_value(code.severity()).unwrap();
            assert_eq!(name, code.as_str());
            format!("{} {}", severity.as_str().unwrap(), code.as_str())
        })
        .collect();
    codes.sort();
    let mut snapshots = snapshots("names");
    snapshots.check("finding-codes", &codes.join("\n"));
    snapshots.finish();
}

#[test]
fn finding_fields() {
    let request = VideoReference::builder()
        .prompt("x".repeat(5_000))
        .reference_video("dance.mp4");
    let findings = serde_json::to_value(request.findings()).unwrap();
    let mut names: Vec<_> = findings
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_object)
        .flat_map(|finding| finding.keys().cloned())
        .collect();
    names.sort();
    names.dedup();
    let mut snapshots = snapshots("names");
    snapshots.check("finding-fields", &names.join("\n"));
    snapshots.finish();
}
