//! The disk on which the ledgers are.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::sample::median;

/// How long the disk takes to make one page durable: the median of many.
pub fn sync_time(folder: &Path) -> Result<Duration> {
    let mut file = tempfile::tempfile_in(folder)?;
    let times: Vec<_> = (0..200)
        .map(|_| sync_page(&mut file))
        .collect::<Result<_>>()?;
    let median = median(times.iter().map(Duration::as_secs_f64));
    Ok(Duration::from_secs_f64(median))
}

fn sync_page(file: &mut File) -> Result<Duration> {
    file.write_all(&[0; 4096])?;
    let began = Instant::now();
    file.sync_data()?;
    Ok(began.elapsed())
}
