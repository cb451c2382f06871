//! The memory that tasks in flight take.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use kling_omni::clock::Clock as _;
use kling_omni::polling::TaskDurations;
use kling_omni::{Client, Video};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::FASTER;
use super::clock::FastClock;
use super::load::{client, request};
use crate::child;
use crate::machine;

pub const FEW: usize = 1_000;
pub const MANY: usize = 11_000;

/// Longer than the run.
const TASK_SECONDS: f64 = 5_000.0;

/// How many creates are under way at once, so connections do not count as memory of tasks.
const AT_ONCE: usize = 16;

/// After so long, each task was looked at several times.
const SETTLED: Duration = Duration::from_secs(240);

#[derive(Args)]
pub struct Hold {
    base_url: String,
    /// When the clock was started.
    origin: u64,
}

/// What is resident, in KiB.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Resident(u64);

/// What tasks in flight take.
#[derive(Serialize, Deserialize)]
pub struct Held {
    pub few: Resident,
    pub many: Resident,
}

impl Resident {
    pub fn mib(self) -> f64 {
        self.0 as f64 / 1024.0
    }
}

impl Held {
    pub fn kib_per_task(&self) -> f64 {
        self.many.0.saturating_sub(self.few.0) as f64 / (MANY - FEW) as f64
    }
}

impl Hold {
    pub fn run(&self) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        child::tell(&runtime.block_on(self.hold())?)
    }

    async fn hold(&self) -> Result<Held> {
        let clock = FastClock::since(self.origin, FASTER);
        let client = client(&self.base_url, clock, &TaskDurations::default())?;
        let mut waits = JoinSet::new();
        let few = settle(&client, &mut waits, FEW, clock).await?;
        let many = settle(&client, &mut waits, MANY - FEW, clock).await?;
        Ok(Held { few, many })
    }
}

/// Waits for so many more tasks, and answers what is resident when all have been looked at.
async fn settle(
    client: &Client,
    waits: &mut JoinSet<Vec<kling_omni::Result<Video>>>,
    more: usize,
    clock: FastClock,
) -> Result<Resident> {
    let mut tasks = Vec::with_capacity(more);
    while tasks.len() < more {
        let mut creates = JoinSet::new();
        for _ in 0..AT_ONCE.min(more - tasks.len()) {
            creates.spawn(client.create(request(TASK_SECONDS)?).into_future());
        }
        while let Some(task) = creates.join_next().await {
            tasks.push(task??);
        }
    }
    waits.spawn(client.watch(tasks).wait_all());
    clock.sleep(SETTLED).await;
    ensure!(waits.try_join_next().is_none(), "a wait has ended");
    let resident =
        machine::resident_memory().context("the system does not tell what is resident")?;
    Ok(Resident(resident))
}
