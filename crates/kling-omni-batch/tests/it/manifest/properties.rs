//! What holds for any manifest.

use std::collections::BTreeSet;
use std::fs;

use kling_omni_batch::manifest::{Manifest, ManifestLimits, ManifestOptions};
use proptest::prelude::*;
use serde_json::json;

use super::Files;

/// Reads a file of any bytes. Lines do not decrease, and ids and outputs are unique.
fn check_any(name: &str, bytes: &[u8]) -> Result<(), TestCaseError> {
    let files = Files::new().with(name, bytes);
    let mut limits = ManifestLimits::default();
    limits.row_bytes = 64;
    let manifest = files.open(name, ManifestOptions::new().limits(limits));
    // UTF-16 is not opened.
    let Ok(rows) = manifest.rows() else {
        return Ok(());
    };
    let lines = 1 + bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
    let (mut last, mut ids, mut outputs) = (0, BTreeSet::new(), BTreeSet::new());
    for row in rows {
        let line = match row {
            Ok(row) => {
                prop_assert!(ids.insert(row.id), "an id is not unique");
                prop_assert!(outputs.insert(row.output), "an output is not unique");
                row.line
            }
            Err(findings) => {
                prop_assert!(!findings.findings.is_empty());
                findings.line
            }
        };
        if let Some(line) = line {
            prop_assert!(
                last <= line && line <= lines,
                "line {line} after {last} of {lines}"
            );
            last = line;
        }
    }
    Ok(())
}

/// Bytes that often are CSV or JSON.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "prompt",
        "id",
        "output",
        "\"",
        ",",
        "\n",
        "\r\n",
        "\r",
        "{",
        "}",
        ":",
        "\u{feff}",
        "a",
        " ",
        "\0",
        "{\"prompt\": \"p\"}",
        "{id}",
        "../",
        "null",
        "[",
        "é",
    ];
    let piece = prop_oneof![
        4 => proptest::sample::select(pieces.map(|piece| piece.as_bytes().to_vec()).to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 1..4),
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// A cell, which may need quotes.
fn cell() -> impl Strategy<Value = String> {
    "[a ,\"\n\r;é]{0,8}"
}

proptest! {
    #[test]
    fn any_json_lines_are_read(bytes in bytes()) {
        check_any("a.jsonl", &bytes)?;
    }

    #[test]
    fn any_csv_is_read(bytes in bytes()) {
        check_any("a.csv", &bytes)?;
    }

    /// The texts and the lines of a CSV file are those that were written.
    #[test]
    fn csv_and_json_lines_have_the_same_rows(
        texts in proptest::collection::vec(cell(), 1..20),
        is_windows in any::<bool>(),
        blank_lines in 0..3_usize,
    ) {
        let newline = if is_windows { "\r\n" } else { "\n" };
        let (mut csv, mut json, mut lines) = (format!("id,prompt{newline}"), String::new(), Vec::new());
        for (index, text) in texts.iter().enumerate() {
            csv.push_str(&newline.repeat(blank_lines));
            lines.push(Some(1 + csv.matches('\n').count() as u64));
            // A prompt of spaces is an empty cell, so each has a letter.
            csv.push_str(&format!("{index},\"p{}\"{newline}", text.replace('"', "\"\"")));
            json.push_str(&format!("{}\n", json!({"id": index.to_string(), "prompt": format!("p{text}")})));
        }
        let files = Files::new().with("a.csv", csv).with("a.jsonl", json);
        let read = |name: &str| files.read(name, ManifestOptions::new());
        let ((csv, csv_findings), (json, json_findings)) = (read("a.csv"), read("a.jsonl"));
        prop_assert_eq!((csv_findings, json_findings), (Vec::new(), Vec::new()));
        prop_assert_eq!(csv.iter().map(|row| row.line).collect::<Vec<_>>(), lines);
        for (csv, json) in csv.iter().zip(&json) {
            prop_assert_eq!((&csv.id, &csv.request), (&json.id, &json.request));
        }
        prop_assert_eq!(csv.len(), texts.len());
    }
}

/// Neither duplicate keys nor unknown fields are found in quadratic time.
#[test]
fn a_row_of_many_keys_is_read() {
    let keys: Vec<_> = (0..50_000).map(|n| format!("\"k{n}\":0")).collect();
    let files = Files::new();
    fs::write(files.path("a.jsonl"), format!("{{{}}}", keys.join(","))).unwrap();
    let manifest = Manifest::open(files.path("a.jsonl"), ManifestOptions::new()).unwrap();
    let report = manifest.check().unwrap();
    let unknown = report.findings[0].findings.iter();
    assert_eq!(
        unknown
            .filter(|finding| finding.rule == "unknown-field")
            .count(),
        50_000
    );
}
