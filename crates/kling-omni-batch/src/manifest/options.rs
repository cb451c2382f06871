//! The options of a manifest.

use kling_omni::spend::SpendGuard;
use serde_json::{Map, Value};

use super::cell;
use super::finding::ManifestError;
use super::folder;
use super::output;

/// Limits on the size of a manifest, against files that are not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ManifestLimits {
    /// The maximum size of a row, or of a request file in a folder, in bytes. Default: 1 MiB, the limit of a request file of
    /// the command-line program.
    pub row_bytes: u64,
    /// The maximum size of the file, in bytes. Default: 200 MB, as for the input file of OpenAI's Batch API.
    pub file_bytes: u64,
    /// The maximum number of rows. Default: 100,000, the size for which time and memory are tested.
    pub rows: u64,
}

impl Default for ManifestLimits {
    fn default() -> Self {
        Self {
            row_bytes: 1024 * 1024,
            file_bytes: 200_000_000,
            rows: 100_000,
        }
    }
}

/// The options of a [`Manifest`](super::Manifest).
#[derive(Clone, Debug, Default)]
pub struct ManifestOptions {
    pub(super) defaults: Map<String, Value>,
    pub(super) output: Option<String>,
    pub(super) template: Option<Map<String, Value>>,
    pub(super) denies_warnings: bool,
    pub(super) guard: SpendGuard,
    pub(super) limits: ManifestLimits,
}

impl ManifestOptions {
    /// Returns options without any set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the value of a field for rows that do not have it. The text is read as a cell of a CSV file.
    ///
    /// # Errors
    ///
    /// There is no such field, it is `id` or `output`, or the text is not a value of it.
    pub fn set(mut self, field: &str, text: &str) -> Result<Self, ManifestError> {
        let invalid = |problem: String| ManifestError::option(format!("set {field}"), problem);
        if cell::ROW_ONLY.contains(&field) || !cell::is_field(field) {
            return Err(invalid(cell::unknown_field(field)));
        }
        let value = cell::value(field, text).map_err(invalid)?;
        self.defaults.insert(field.to_owned(), value);
        Ok(self)
    }

    /// Sets the name of the file of a video, relative to the output folder, for rows without `output`. `{id}` is the id of
    /// the row in a form that is safe in file names, `{row}` its number, and `{stem}` the name of its file in a folder, or
    /// of the manifest, without extension. Default: `{id}.mp4`, and `{stem}.mp4` in a folder.
    ///
    /// # Errors
    ///
    /// The pattern has another name in braces.
    pub fn output(mut self, pattern: impl Into<String>) -> Result<Self, ManifestError> {
        let pattern = pattern.into();
        output::check_pattern(&pattern)
            .map_err(|problem| ManifestError::option("output", problem))?;
        self.output = Some(pattern);
        Ok(self)
    }

    /// Makes a row of each media file of a folder. The value `{file}` of an image or a video stands for the file, and
    /// `{stem}` in any text for its name without extension. Files of other formats are ignored.
    ///
    /// # Errors
    ///
    /// The template has no `{file}`.
    pub fn template(mut self, template: Map<String, Value>) -> Result<Self, ManifestError> {
        if folder::template_formats(&template).is_empty() {
            let problem = "has no image and no video with the value {file}";
            return Err(ManifestError::option("template", problem));
        }
        self.template = Some(template);
        Ok(self)
    }

    /// Treats the warnings of a request as errors. Default: false.
    pub fn deny_warnings(mut self, deny: bool) -> Self {
        self.denies_warnings = deny;
        self
    }

    /// Sets the guard whose price table determines what a row costs. A row that has no price is an error. Nothing is
    /// counted in the guard. Default: no prices.
    pub fn spend_guard(mut self, guard: SpendGuard) -> Self {
        self.guard = guard;
        self
    }

    /// Sets the limits on the size of the manifest.
    pub fn limits(mut self, limits: ManifestLimits) -> Self {
        self.limits = limits;
        self
    }
}
