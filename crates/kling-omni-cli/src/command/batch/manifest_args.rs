//! The options about the rows of a manifest.

use std::path::PathBuf;

use clap::Args;
use kling_omni::spend::SpendGuard;
use kling_omni_batch::manifest::{Manifest, ManifestOptions};

use super::explain::explain_manifest;
use crate::failure::Failure;
use crate::{input, request};

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Rows")]
pub(super) struct ManifestArgs {
    /// A JSON Lines file (.jsonl, .ndjson), a CSV file, or a folder; rows have the fields of the API, and may have id,
    /// output, mode and tier
    #[arg(value_name = "MANIFEST", value_parser = input::file())]
    pub(super) manifest: PathBuf,

    /// The value of a field for rows without it; may be repeated. A list or an object is JSON
    #[arg(long, value_name = "FIELD=VALUE", value_parser = parse_field)]
    set: Vec<(String, String)>,

    /// The file of a video in the folder of the videos, with {id}, {row} or {stem} (the name of the row's file, or of the
    /// manifest) [default: {id}.mp4, in a folder {stem}.mp4]
    #[arg(long, value_name = "PATTERN")]
    output: Option<String>,

    /// Make a row of each media file of the folder MANIFEST, from this request file, in which {file} is the media file
    /// and {stem} its name
    #[arg(long, value_name = "FILE", value_parser = input::file())]
    template: Option<PathBuf>,

    /// Treat warnings about a row as errors
    #[arg(long)]
    pub(super) deny_warnings: bool,
}

/// Splits `FIELD=VALUE`. The error does not quote the text, which may be a misplaced secret.
fn parse_field(text: &str) -> Result<(String, String), String> {
    let (field, value) = text
        .split_once('=')
        .ok_or_else(|| "expected FIELD=VALUE, such as duration=5".to_owned())?;
    Ok((field.trim().to_owned(), value.to_owned()))
}

impl ManifestArgs {
    /// Opens the manifest. Reads no rows.
    pub(super) fn open(&self, guard: SpendGuard) -> Result<Manifest, Failure> {
        let mut options = ManifestOptions::new()
            .deny_warnings(self.deny_warnings)
            .spend_guard(guard);
        for (field, value) in &self.set {
            options = options.set(field, value).map_err(explain_manifest)?;
        }
        if let Some(pattern) = &self.output {
            options = options.output(pattern).map_err(explain_manifest)?;
        }
        if let Some(path) = &self.template {
            let template = request::read_fields(path)?;
            options = options.template(template).map_err(explain_manifest)?;
        }
        Manifest::open(&self.manifest, options).map_err(explain_manifest)
    }

    /// Returns the name of a batch without a name: that of its manifest, without extension.
    pub(super) fn default_name(&self) -> String {
        let path = std::path::absolute(&self.manifest).unwrap_or_else(|_| self.manifest.clone());
        let name = match path.is_dir() {
            true => path.file_name(),
            false => path.file_stem(),
        };
        let name = name.map(|name| name.to_string_lossy().into_owned());
        name.unwrap_or_else(|| "batch".to_owned())
    }
}
