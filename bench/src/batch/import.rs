//! Checks and imports a manifest, in a process of its own.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Args;
use kling_omni_batch::Batches;
use kling_omni_batch::manifest::{Manifest, ManifestOptions};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::BATCH;
use crate::{child, machine};

#[derive(Args)]
pub struct Import {
    manifest: PathBuf,
    folder: PathBuf,
}

/// What the check and the import took.
#[derive(Serialize, Deserialize)]
pub struct ImportCost {
    pub seconds: f64,
    /// The most memory that the process had resident.
    pub peak_kib: Option<u64>,
}

impl Import {
    pub fn run(&self) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let began = Instant::now();
        let manifest = Manifest::open(&self.manifest, ManifestOptions::new())?;
        let checked = manifest.check()?;
        ensure!(!checked.has_errors(), "the manifest has errors");
        let imported = runtime.block_on(async {
            let batches = Batches::open(self.folder.join("batch.db")).await?;
            let items = manifest.items(self.folder.join("videos"))?;
            anyhow::Ok(batches.import(BATCH, items).await?)
        })?;
        let seconds = began.elapsed().as_secs_f64();
        ensure!(
            imported.added == checked.totals.all.tasks,
            "{imported:?} of {:?}",
            checked.totals.all
        );
        child::tell(&ImportCost {
            seconds,
            peak_kib: machine::peak_memory(),
        })
    }
}

/// Writes a manifest with so many rows.
pub fn write_manifest(path: &Path, rows: u32) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for row in 0..rows {
        let row = json!({
            "id": format!("clip-{row:06}"),
            "prompt": format!(
                "The dancer of @Video1 as a paper puppet on a moonlit stage, take {row}: the camera circles slowly, dust floats in the light of one lamp, and the curtain behind is dark blue velvet"
            ),
            "video_url": "https://example.com/dance.mp4",
            "duration": "5",
            "aspect_ratio": "16:9",
        });
        writeln!(file, "{row}")?;
    }
    file.flush()?;
    Ok(())
}
