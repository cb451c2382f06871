//! The example program `batch_csv`, against the sandbox.

#[path = "../../examples/batch_csv/table.rs"]
mod table;

use std::fs;

use kling_omni_batch::{ItemState, RunOptions};

use crate::bench::BatchBench;

const ROWS: &str = "id,prompt,duration\nrain,It rains on paper roofs,3\nsnow,It snows,4\n";

#[tokio::test]
async fn table_becomes_videos_and_a_report() {
    let bench = BatchBench::new(|sandbox| sandbox).await;
    let csv = bench.folder.path().join("clips.csv");
    let videos = bench.folder.path().join("clips");
    fs::write(&csv, ROWS).unwrap();
    // The second run has nothing to do.
    for _ in 0..2 {
        let status = table::make(&bench.client, &csv, &videos, RunOptions::default());
        let status = status.await.unwrap();
        assert_eq!(status.count(ItemState::Saved), 2, "{status:?}");
    }
    assert_eq!(bench.charges(), 2);
    for name in ["rain.mp4", "snow.mp4"] {
        assert!(videos.join(name).is_file(), "{name}");
    }
    let report = fs::read_to_string(videos.join("report.csv")).unwrap();
    assert_eq!(report.lines().count(), 3, "{report}");
}

#[tokio::test]
async fn table_with_an_error_pays_for_nothing() {
    let bench = BatchBench::new(|sandbox| sandbox).await;
    let csv = bench.folder.path().join("clips.csv");
    fs::write(&csv, ROWS.replace(",4", ",99")).unwrap();
    let videos = bench.folder.path().join("clips");
    let made = table::make(&bench.client, &csv, &videos, RunOptions::default()).await;
    let error = made.unwrap_err().to_string();
    assert_eq!(error, "the table has errors, nothing was paid for");
    assert_eq!(bench.charges(), 0);
    assert!(!videos.exists());
}
