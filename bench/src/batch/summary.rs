//! The status of a batch, in a process of its own.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use kling_omni_batch::Batches;

use super::BATCH;
use crate::child;

#[derive(Args)]
pub struct Summary {
    ledger: PathBuf,
}

impl Summary {
    pub fn run(&self) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let batches = Batches::open(&self.ledger).await?;
            child::tell(&batches.status(BATCH).await?)
        })
    }
}
