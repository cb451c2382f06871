//! Manifests: the requests of a batch in a JSON Lines file, a CSV file or a folder.
//!
//! A row has the fields of the API, and may have `id`, `output`, `mode` and `tier`. The columns of a CSV file have the same
//! names; a cell with a list or an object is JSON, and an empty cell is an absent field. A folder has request files (`.json`,
//! `.yaml`), or media files together with a [template](ManifestOptions::template).
//!
//! ```
//! use kling_omni_batch::manifest::{Manifest, ManifestOptions};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("clips.jsonl");
//! std::fs::write(&path, r#"{"id": "rain", "prompt": "It rains on paper roofs"}
//! {"id": "snow", "prompt": "It snows", "duration": 99}
//! "#)?;
//! let manifest = Manifest::open(&path, ManifestOptions::new().set("tier", "standard")?)?;
//! let report = manifest.check()?;
//! assert_eq!(report.findings[0].line, Some(2));
//! assert_eq!(report.findings[0].findings[0].field.as_deref(), Some("duration"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! An image or a video is a URL if it begins with a scheme, and a file otherwise; a relative path is relative to the folder
//! of the manifest. A row without an `id` is identified by the hash of its fields, so a batch can be resumed after rows were
//! moved. Rows are read one at a time; only ids and names of outputs are kept.

mod cell;
mod csv_rows;
mod finding;
mod folder;
mod json_rows;
mod options;
mod output;
mod request_text;
mod row_reader;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use kling_omni::request::Request;
use kling_omni::spend::Spent;
use kling_omni::validation::{Finding, Severity};
use kling_omni::{Mode, Tier};
use serde::Serialize;

pub use self::finding::{ManifestError, RowFinding, RowFindings};
pub use self::options::{ManifestLimits, ManifestOptions};
pub use self::request_text::{RequestTextError, parse_request_text};

use crate::ledger::{NewItem, NewItems};
use crate::object_url;

use self::row_reader::RowReader;
use self::source::RawRows;

/// The rows of a batch, in a file or a folder.
#[derive(Clone, Debug)]
pub struct Manifest {
    path: PathBuf,
    format: Format,
    options: ManifestOptions,
}

#[derive(Clone, Copy, Debug)]
enum Format {
    JsonLines,
    Csv,
    Folder,
}

impl Manifest {
    /// Opens a manifest: a folder, or a file that ends in `.jsonl`, `.ndjson` or `.csv`. Reads no rows.
    ///
    /// # Errors
    ///
    /// The path cannot be read, is neither of these, or is larger than the [limit](ManifestLimits::file_bytes).
    pub fn open(path: impl Into<PathBuf>, options: ManifestOptions) -> Result<Self, ManifestError> {
        let path = path.into();
        let metadata =
            fs::metadata(&path).map_err(|error| ManifestError::unreadable(&path, error))?;
        let extension = path
            .extension()
            .map(|end| end.to_string_lossy().to_lowercase());
        let format = match extension.as_deref() {
            _ if metadata.is_dir() => Format::Folder,
            // A pipe would block, and can be read only once.
            Some("jsonl" | "ndjson") if metadata.is_file() => Format::JsonLines,
            Some("csv") if metadata.is_file() => Format::Csv,
            _ => return Err(ManifestError::UnknownFormat { path }),
        };
        let limit = options.limits.file_bytes;
        if metadata.is_file() && metadata.len() > limit {
            return Err(ManifestError::TooLarge { path, limit });
        }
        Ok(Self {
            path,
            format,
            options,
        })
    }

    /// Returns the rows, in order. A row with errors is returned as its findings, and does not end the iteration.
    ///
    /// # Errors
    ///
    /// The manifest cannot be opened.
    pub fn rows(&self) -> Result<Rows, ManifestError> {
        let (path, options) = (&self.path, &self.options);
        let (source, folder) = match self.format {
            Format::JsonLines => (json_rows::open(path, options)?, parent(path)),
            Format::Csv => (csv_rows::open(path, options)?, parent(path)),
            Format::Folder => (folder::open(path, options)?.0, path.as_path()),
        };
        let pattern = match self.format {
            Format::Folder => "{stem}.mp4",
            Format::JsonLines | Format::Csv => "{id}.mp4",
        };
        Ok(Rows {
            source,
            reader: RowReader::new(folder, options, pattern),
            path: path.clone(),
            max: options.limits.rows,
            number: 0,
            has_ended: false,
        })
    }

    /// Returns the rows as items of a batch, for [`Batches::import`](crate::Batches::import). Videos go into the folder `output`,
    /// or below the URL of a bucket, such as `s3://my-bucket/clips`.
    /// A row with errors is [`BatchError::Row`](crate::BatchError::Row), which ends an import.
    ///
    /// # Errors
    ///
    /// The manifest cannot be opened.
    pub fn items(&self, output: impl Into<PathBuf>) -> Result<NewItems, ManifestError> {
        let output = output.into();
        Ok(Box::new(self.rows()?.map(move |row| {
            let row = row?;
            NewItem::new(row.id, &row.request, object_url::join(&output, &row.output))
        })))
    }

    /// Checks all rows, and counts what they would pay for. Sends nothing, and inspects no image and no video.
    ///
    /// # Errors
    ///
    /// The manifest cannot be opened.
    pub fn check(&self) -> Result<ManifestReport, ManifestError> {
        let mut report = ManifestReport {
            totals: ManifestTotals::default(),
            findings: Vec::new(),
            ignored_files: match self.format {
                Format::Folder => folder::open(&self.path, &self.options)?.1,
                Format::JsonLines | Format::Csv => Vec::new(),
            },
        };
        for row in self.rows()? {
            let row = match row {
                Ok(row) => row,
                Err(findings) => {
                    report.findings.push(findings);
                    continue;
                }
            };
            let (mode, tier) = (row.request.mode(), row.request.tier());
            report.totals.add(mode, tier, row.cost);
            report.add(&row, row.request.warnings());
        }
        Ok(report)
    }

    /// Adds an error to each row whose video exists in `folder` already. For a batch that has not begun: later, its own videos
    /// exist.
    ///
    /// # Errors
    ///
    /// The manifest cannot be opened.
    pub fn check_outputs(
        &self,
        folder: &Path,
        report: &mut ManifestReport,
    ) -> Result<(), ManifestError> {
        for row in self.rows()?.flatten() {
            if folder.join(&row.output).symlink_metadata().is_ok() {
                let name = row.output.display();
                let message = format!("\"{name}\" exists already in the folder of the videos");
                let finding = RowFinding {
                    help: Some("move the file, or set another output".to_owned()),
                    ..RowFinding::error(Some("output"), "existing-output", message)
                };
                report.insert(&row, vec![finding]);
            }
        }
        Ok(())
    }
}

/// The folder of a file.
fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

/// A checked row of a manifest.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Row {
    /// The number of the row, from 1, without empty lines and the header of a CSV file.
    pub number: u64,
    /// The line of the file on which the row begins, from 1; `None` in a folder.
    pub line: Option<u64>,
    /// The manifest, or the file of the row in a folder.
    pub file: PathBuf,
    /// The id, unique in the manifest.
    pub id: String,
    /// The file of the video, relative to the output folder, unique in the manifest also where the file system ignores case.
    pub output: PathBuf,
    /// The request.
    pub request: Request,
    /// What a create of it costs at most, by the [guard](ManifestOptions::spend_guard) of the options.
    pub cost: Spent,
}

/// The rows of a manifest; see [`Manifest::rows`].
#[derive(Debug)]
pub struct Rows {
    source: RawRows,
    reader: RowReader,
    path: PathBuf,
    max: u64,
    number: u64,
    has_ended: bool,
}

impl Iterator for Rows {
    type Item = Result<Row, RowFindings>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let Some(raw) = self.source.next() else {
            self.has_ended = true;
            let finding = RowFinding::error(None, "empty-manifest", "has no rows");
            return (self.number == 0).then(|| Err(self.end(None, finding)));
        };
        if raw.is_row {
            self.number += 1;
        }
        self.has_ended = raw.is_last;
        if self.number > self.max {
            self.has_ended = true;
            let message = format!("is one of more than {} rows", self.max);
            let finding = RowFinding::error(None, "too-many-rows", message);
            return Some(Err(self.end(raw.line, finding)));
        }
        Some(self.reader.read(self.number, raw))
    }
}

impl Rows {
    /// A finding about the manifest as a whole.
    fn end(&self, line: Option<u64>, finding: RowFinding) -> RowFindings {
        RowFindings {
            row: self.number,
            line,
            file: self.path.clone(),
            findings: vec![finding],
        }
    }
}

/// The result of [`Manifest::check`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ManifestReport {
    /// What the rows without errors would pay for.
    pub totals: ManifestTotals,
    /// The rows with errors or warnings, in order.
    pub findings: Vec<RowFindings>,
    /// The files of a folder that are not rows: those with another extension, and subfolders. Hidden files are omitted.
    pub ignored_files: Vec<PathBuf>,
}

impl ManifestReport {
    /// Adds findings about a row, such as those of a [preflight](kling_omni::preflight::Preflight). The rows stay in order.
    pub fn add(&mut self, row: &Row, findings: &[Finding]) {
        if !findings.is_empty() {
            self.insert(row, findings.iter().map(RowFinding::from).collect());
        }
    }

    fn insert(&mut self, row: &Row, findings: Vec<RowFinding>) {
        let at = self
            .findings
            .partition_point(|other| other.row <= row.number);
        let found = RowFindings {
            row: row.number,
            line: row.line,
            file: row.file.clone(),
            findings,
        };
        self.findings.insert(at, found);
    }

    /// Whether a row has an error.
    pub fn has_errors(&self) -> bool {
        let mut findings = self.findings.iter().flat_map(|row| &row.findings);
        findings.any(|finding| finding.severity == Severity::Error)
    }
}

/// What the rows of a manifest would pay for.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ManifestTotals {
    /// All rows together.
    pub all: Spent,
    /// The rows of each mode and tier.
    pub by_mode: Vec<ModeTotal>,
}

/// What the rows of one mode and tier would pay for.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ModeTotal {
    /// The mode.
    pub mode: Mode,
    /// The tier.
    pub tier: Tier,
    /// What its rows cost at most.
    pub cost: Spent,
}

impl ManifestTotals {
    /// Adds what rows of one mode and tier cost.
    pub fn add(&mut self, mode: Mode, tier: Tier, cost: Spent) {
        self.all = self.all + cost;
        let mut totals = self.by_mode.iter_mut();
        match totals.find(|total| (total.mode, total.tier) == (mode, tier)) {
            Some(total) => total.cost = total.cost + cost,
            None => self.by_mode.push(ModeTotal { mode, tier, cost }),
        }
    }
}
