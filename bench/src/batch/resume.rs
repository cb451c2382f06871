//! Resumes a batch of many items, until the first request.

use std::env;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use kling_omni_batch::{Batches, RunOptions};

use super::ledger_file::{LedgerFile, client};
use super::{BATCH, IN_FLIGHT, transitions, wait_for};

/// A run, in a process of its own, which is killed when its first request arrives.
#[derive(Args)]
pub struct Resume {
    base_url: String,
    ledger: PathBuf,
}

impl Resume {
    pub fn run(&self) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let client = client(&self.base_url)?;
            let batches = Batches::open(&self.ledger).await?;
            let options = RunOptions::default()
                .in_flight(IN_FLIGHT)
                .results(self.ledger.with_file_name("results.jsonl"));
            batches.run(BATCH, &client, options).await?.await?;
            Ok(())
        })
    }
}

/// A ledger in the middle of a batch, and the port of its service.
pub struct Prepared {
    listener: TcpListener,
    ledger: PathBuf,
}

/// Makes a ledger of so many items: half of them saved, and some in flight.
pub fn prepare(folder: &Path, items: u32, seed: u64) -> Result<Prepared> {
    let recorded = transitions::record(seed, folder)?;
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    listener.set_nonblocking(true)?;
    let base_url = format!("http://{}", listener.local_addr()?);
    let ledger = folder.join("batch.db");
    // In memory, a transaction takes no time for the disk.
    let memory = Path::new("/dev/shm");
    let fast = match memory.is_dir() {
        true => tempfile::tempdir_in(memory)?,
        false => tempfile::tempdir()?,
    };
    let path = fast.path().join("batch.db");
    let half = u64::from(items / 2);
    let file = LedgerFile::new(&path, items, &base_url)?;
    file.end(&recorded, 0..half)?;
    file.create(&recorded, half..half + IN_FLIGHT as u64)?;
    drop(file);
    fs::copy(path, &ledger)?;
    let prepared = Prepared { listener, ledger };
    // The first one writes the file of the results.
    prepared.time_to_first_request()?;
    Ok(prepared)
}

impl Prepared {
    pub fn ledger(&self) -> &Path {
        &self.ledger
    }

    /// How long a process takes from its start to its first request.
    pub fn time_to_first_request(&self) -> Result<Duration> {
        let began = Instant::now();
        let mut process = Command::new(env::current_exe()?)
            .arg("resume")
            .arg(format!("http://{}", self.listener.local_addr()?))
            .arg(&self.ledger)
            .stdin(Stdio::null())
            .spawn()?;
        let listener = &self.listener;
        let arrived = wait_for(&mut process, || Ok(listener.accept().is_ok()));
        let passed = began.elapsed();
        process.kill()?;
        process.wait()?;
        // Further connections of this process are not those of the next one.
        while listener.accept().is_ok() {}
        arrived?;
        Ok(passed)
    }
}
