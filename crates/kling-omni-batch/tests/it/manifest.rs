//! Manifests: rows, findings, ids, outputs, and inputs that are damaged or hostile.

mod folders;
mod import;
mod properties;
mod rows;
mod unusual_text;

use std::fs;
use std::path::PathBuf;

use kling_omni_batch::manifest::{Manifest, ManifestOptions, Row};
use tempfile::TempDir;

/// A folder with files.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn with(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        fs::write(self.path(name), content).unwrap();
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn open(&self, name: &str, options: ManifestOptions) -> Manifest {
        Manifest::open(self.path(name), options).unwrap()
    }

    /// The rows, or the lines of their findings without the folder.
    fn read(&self, name: &str, options: ManifestOptions) -> (Vec<Row>, Vec<String>) {
        let folder = format!("{}/", self.0.path().display());
        let (mut rows, mut findings) = (Vec::new(), Vec::new());
        for row in self.open(name, options).rows().unwrap() {
            match row {
                Ok(row) => rows.push(row),
                Err(found) => {
                    let text = found.to_string().replace(&folder, "");
                    findings.extend(text.lines().map(str::to_owned));
                }
            }
        }
        (rows, findings)
    }
}

/// Asserts that each expected text begins a finding, in order, and that there are no others.
fn assert_findings(case: &str, findings: &[String], expected: &[&str]) {
    let is_expected = findings.len() == expected.len()
        && findings
            .iter()
            .zip(expected)
            .all(|(found, start)| found.starts_with(start));
    assert!(is_expected, "{case}: {findings:#?}, expected {expected:#?}");
}
