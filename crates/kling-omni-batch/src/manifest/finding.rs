//! What is wrong with a manifest or its rows.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::{fmt, io};

use kling_omni::printable;
use kling_omni::validation::{Finding, Severity};
use serde::Serialize;

/// Why a manifest cannot be opened, or an option cannot be used. `Display` is one clause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The file or the folder cannot be read.
    #[error("cannot read {}: {source}", printable(&path.to_string_lossy()))]
    Unreadable {
        /// The file or the folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The path does not name a manifest.
    #[error(
        "{} is neither a folder nor a .jsonl, .ndjson or .csv file",
        printable(&path.to_string_lossy())
    )]
    UnknownFormat {
        /// The path.
        path: PathBuf,
    },
    /// The file is larger than allowed.
    #[error("{} is larger than {limit} bytes", printable(&path.to_string_lossy()))]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The maximum size in bytes.
        limit: u64,
    },
    /// An option cannot be used.
    #[error("{option} {problem}")]
    Option {
        /// The option, such as `set duration`.
        option: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl ManifestError {
    pub(super) fn unreadable(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        Self::Unreadable { path, source }
    }

    pub(super) fn option(option: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Option {
            option: option.into(),
            problem: problem.into(),
        }
    }
}

/// The findings about one row of a manifest.
///
/// `Display` writes a line for each, with the file and the line number.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RowFindings {
    /// The number of the row, from 1; 0 before the first row.
    pub row: u64,
    /// The line of the file on which the row begins, from 1; `None` in a folder.
    pub line: Option<u64>,
    /// The manifest, or the file of the row in a folder.
    pub file: PathBuf,
    /// What is wrong, or likely a mistake.
    pub findings: Vec<RowFinding>,
}

impl fmt::Display for RowFindings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.findings.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&printable(&self.file.to_string_lossy()))?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
            }
            write!(f, ": {finding}")?;
        }
        Ok(())
    }
}

impl std::error::Error for RowFindings {}

/// A rule that a row violates, or a property that suggests a mistake.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RowFinding {
    /// The severity: error or warning.
    pub severity: Severity,
    /// The field, by its name in the manifest; `None` if the finding is about the whole row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The code of the rule: a [`FindingCode`](kling_omni::validation::FindingCode), or one of the manifest's own.
    pub rule: Cow<'static, str>,
    /// The description, without field and rule.
    pub message: String,
    /// How to fix it, if the message does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl RowFinding {
    pub(super) fn error(
        field: Option<&str>,
        rule: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Error,
            field: field.map(str::to_owned),
            rule: rule.into(),
            message: message.into(),
            help: None,
        }
    }
}

impl From<&Finding> for RowFinding {
    fn from(finding: &Finding) -> Self {
        Self {
            severity: finding.severity(),
            field: Some(finding.field().to_owned()),
            rule: finding.code().as_str().into(),
            message: finding.message().to_owned(),
            help: finding.help().map(str::to_owned),
        }
    }
}

impl fmt::Display for RowFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        if let Some(field) = &self.field {
            write!(f, "{}: ", printable(field))?;
        }
        write!(f, "{} [{}]", printable(&self.message), self.rule)
    }
}
