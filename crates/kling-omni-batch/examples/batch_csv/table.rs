//! From a table to videos and a report.

use std::error::Error;
use std::path::Path;

use kling_omni::Client;
use kling_omni_batch::manifest::{Manifest, ManifestOptions};
use kling_omni_batch::{BatchStatus, Batches, RunEvent, RunOptions};

/// The name of the batch in its ledger.
const BATCH: &str = "table";

/// Checks all rows, makes the videos that are missing, and writes `report.csv` beside them.
pub async fn make(
    client: &Client,
    csv: &Path,
    folder: &Path,
    options: RunOptions,
) -> Result<BatchStatus, Box<dyn Error>> {
    let manifest = Manifest::open(csv, ManifestOptions::new())?;
    let report = manifest.check()?;
    for finding in &report.findings {
        eprintln!("{finding}");
    }
    if report.has_errors() {
        return Err("the table has errors, nothing was paid for".into());
    }
    let all = &report.totals.all;
    println!("{} tasks, {} s of video", all.tasks, all.seconds);

    std::fs::create_dir_all(folder)?;
    let batches = Batches::open(folder.join("batch.db")).await?;
    // The same rows again change nothing.
    batches.import(BATCH, manifest.items(folder)?).await?;
    let mut run = batches.run(BATCH, client, options).await?;
    while let Some(event) = run.next_event().await {
        if let RunEvent::Item {
            key, state, file, ..
        } = event
        {
            println!("{key}: {state}");
            // The video was paid for and differs from its row.
            for finding in file.iter().flat_map(|file| &file.findings) {
                println!("{key}: {finding}");
            }
        }
    }
    let status = run.await?;
    batches.write_csv(BATCH, folder.join("report.csv")).await?;
    Ok(status)
}
