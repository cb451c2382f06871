//! A worker, in a process of its own.

use std::env;
use std::io::Read as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use fastrand::Rng;
use kling_omni::{ApiKey, Client};
use kling_omni_batch::ledger::{PostgresLedger, Step};
use kling_omni_batch::{Batches, WorkerOptions};
use kling_omni_sandbox::DEFAULT_API_KEY;
use serde::{Deserialize, Serialize};

use crate::cost::TIMES;
use crate::cost::clock::FastClock;
use crate::cost::load::{client, warm};
use crate::machine;
use crate::polling::times::Times;

/// The clocks run this much faster than time. At ten times, one machine cannot create as fast as tasks end.
pub const FASTER: u32 = 3;

/// How many items are prepared, and how many videos are downloaded, at once by a worker.
const AT_ONCE: usize = 64;

/// A worker that runs until its standard input ends.
#[derive(Args)]
pub struct FleetWorker {
    base_url: String,
    /// The ledger.
    url: String,
    /// When a clock that runs faster was started; without it, the clock is that of the system.
    #[arg(long)]
    origin: Option<u64>,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Runs only this step, and does not conduct.
    #[arg(long, value_parser = |text: &str| text.parse::<Step>())]
    only: Option<Step>,
    /// Runs no step, and only conducts.
    #[arg(long)]
    conducts: bool,
}

/// What a worker took.
#[derive(Serialize, Deserialize)]
pub struct WorkerCost {
    pub cpu: Duration,
}

impl FleetWorker {
    pub fn run(&self) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        fastrand::seed(self.seed);
        runtime.block_on(self.work())
    }

    async fn work(&self) -> Result<()> {
        let batches = open(&self.url).await?;
        let mut options = WorkerOptions::default()
            .max_prepares(AT_ONCE)
            .max_fetches(AT_ONCE / 4);
        if let Some(step) = self.only {
            options = options.only([step]);
        }
        if self.conducts {
            options = options.without_steps();
        }
        let before = machine::cpu_time();
        let run = batches.worker(&self.client()?, options).start().await?;
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
        run.stop();
        run.await?;
        crate::child::tell(&WorkerCost {
            cpu: machine::cpu_time() - before,
        })
    }

    fn client(&self) -> Result<Client> {
        let Some(origin) = self.origin else {
            return real_client(&self.base_url);
        };
        let (median, spread) = TIMES;
        let times = Times::log_normal(median, spread);
        let known = warm(&times, &mut Rng::with_seed(self.seed))?;
        client(&self.base_url, FastClock::since(origin, FASTER), &known)
    }
}

/// Opens a ledger with a queue.
pub async fn open(url: &str) -> Result<Batches> {
    let ledger = PostgresLedger::open(url).await?;
    Ok(Batches::new(ledger.with_queue().await?))
}

/// A client on the clock of the system.
pub fn real_client(base_url: &str) -> Result<Client> {
    let client = Client::builder()
        .api_key(ApiKey::new(DEFAULT_API_KEY)?)
        .base_url(base_url);
    Ok(client.build()?)
}

/// A worker that was started. It is killed when it is dropped.
pub struct WorkerProcess {
    process: Child,
    input: Option<ChildStdin>,
}

impl WorkerProcess {
    pub fn start(base_url: &str, url: &str, options: &[&str]) -> Result<Self> {
        let mut process = Command::new(env::current_exe()?)
            .args(["fleet-worker", base_url, url])
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = process.stdin.take();
        Ok(Self { process, input })
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// Stops it, and returns what it took.
    pub fn stop(mut self) -> Result<WorkerCost> {
        drop(self.input.take());
        let mut told = String::new();
        let output = self.process.stdout.as_mut().context("no output")?;
        output.read_to_string(&mut told)?;
        let ended = self.process.wait()?;
        ensure!(ended.success(), "a worker ended with {ended}");
        Ok(serde_json::from_str(&told)?)
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.kill();
    }
}
