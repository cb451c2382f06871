//! What a worker asks the database while it has nothing to do.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use kling_omni_batch::RunOptions;
use kling_omni_test_support::postgres::PostgresServer;

use super::load::transactions;
use super::worker::{WorkerProcess, open, real_client};
use crate::batch::BATCH;
use crate::cost::Service;

/// After so long, a worker polls its queues as rarely as it ever does.
const SETTLED: Duration = Duration::from_secs(15);
const MEASURED: Duration = Duration::from_secs(30);

/// Transactions per second.
pub fn measure(server: &PostgresServer) -> Result<f64> {
    let database = server.new_database();
    let service = Service::start(1)?;
    let base_url = service.sandbox.base_url();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let batches = open(&database.url).await?;
        // A batch that has nothing to do lets the ledger know the account.
        batches.import(BATCH, []).await?;
        let client = real_client(base_url)?;
        batches
            .submit(BATCH, &client, RunOptions::default())
            .await?;
        anyhow::Ok(())
    })?;
    let worker = WorkerProcess::start(base_url, &database.url, &[])?;
    thread::sleep(SETTLED);
    let before = transactions(server, &database.name)?;
    let began = Instant::now();
    thread::sleep(MEASURED);
    let after = transactions(server, &database.name)?;
    let rate = (after - before) as f64 / began.elapsed().as_secs_f64();
    worker.stop()?;
    eprintln!("idle: {rate:.2} transactions/s");
    Ok(rate)
}
