//! One download, in a process of its own.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use kling_omni::{ApiKey, Client};
use serde::{Deserialize, Serialize};

use crate::child;
use crate::machine;

#[derive(Args)]
pub struct Fetch {
    base_url: String,
    target: PathBuf,
}

/// What one download took.
#[derive(Serialize, Deserialize)]
pub struct Fetched {
    pub seconds: f64,
    /// The most memory that the process had resident.
    pub peak_kib: Option<u64>,
}

impl Fetch {
    pub fn run(&self) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let seconds = runtime.block_on(self.save())?;
        let fetched = Fetched {
            seconds,
            peak_kib: machine::peak_memory(),
        };
        child::tell(&fetched)
    }

    async fn save(&self) -> Result<f64> {
        let client = Client::builder()
            .api_key(ApiKey::new("key")?)
            .base_url(&self.base_url)
            .build()?;
        let task = client.task("a");
        task.refresh().await?;
        let video = task.video()?;
        let began = Instant::now();
        video.save(&self.target).await?;
        Ok(began.elapsed().as_secs_f64())
    }
}
