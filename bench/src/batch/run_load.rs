//! A run of many tasks, in a process of its own so that its processor time can be measured.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Args;
use fastrand::Rng;
use kling_omni::request::Request;
use kling_omni_batch::ledger::NewItem;
use kling_omni_batch::{Batches, ItemState, RunOptions};
use serde::{Deserialize, Serialize};

use super::BATCH;
use crate::cost::clock::FastClock;
use crate::cost::load::{client, request, warm};
use crate::cost::{FASTER, TIMES};
use crate::polling::times::Times;
use crate::{child, machine};

#[derive(Args)]
pub struct RunLoad {
    base_url: String,
    /// When the clock was started.
    origin: u64,
    folder: PathBuf,
    tasks: usize,
    in_flight: usize,
    seed: u64,
}

/// What a run took.
#[derive(Serialize, Deserialize)]
pub struct RunCost {
    pub seconds: f64,
    /// Of import, run and report.
    pub cpu: Duration,
    /// Of the same downloads of the same videos at the same pace, without a batch.
    pub download_cpu: Duration,
    /// The most memory that the process had resident.
    pub peak_kib: Option<u64>,
    pub ledger_bytes: u64,
    pub request_bytes: u64,
    pub video_bytes: u64,
}

impl RunCost {
    /// The processor time for each task, without the download of its video.
    pub fn cpu_ms(&self, tasks: usize) -> f64 {
        let cpu = self.cpu.saturating_sub(self.download_cpu);
        cpu.as_secs_f64() * 1e3 / tasks as f64
    }
}

impl RunLoad {
    pub fn run(&self) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        fastrand::seed(self.seed);
        child::tell(&runtime.block_on(self.load())?)
    }

    async fn load(&self) -> Result<RunCost> {
        let clock = FastClock::since(self.origin, FASTER);
        let random = &mut Rng::with_seed(self.seed);
        let (median, spread) = TIMES;
        let times = Times::log_normal(median, spread);
        let client = client(&self.base_url, clock, &warm(&times, random)?)?;
        let ledger = self.folder.join("batch.db");
        let mut request_bytes = 0;
        let mut items = Vec::with_capacity(self.tasks);
        for number in 0..self.tasks {
            let request = Request::from(request(times.draw(random))?);
            let path = self.folder.join(format!("{number}.mp4"));
            let item = NewItem::new(number.to_string(), &request, path)?;
            request_bytes += serde_json::to_string(&item.request)?.len() as u64;
            items.push(Ok(item));
        }
        let (began, before) = (Instant::now(), machine::cpu_time());
        let batches = Batches::open(&ledger).await?;
        batches.import(BATCH, items).await?;
        let options = RunOptions::default()
            .in_flight(self.in_flight)
            .results(self.folder.join("results.jsonl"));
        let status = batches.run(BATCH, &client, options).await?.await?;
        ensure!(
            status.count(ItemState::Saved) == self.tasks as u64,
            "{status:?}"
        );
        batches
            .write_csv(BATCH, self.folder.join("report.csv"))
            .await?;
        let cpu = machine::cpu_time() - before;
        let seconds = began.elapsed().as_secs_f64();
        let peak_kib = machine::peak_memory();
        let pause = Duration::from_secs_f64(seconds / self.tasks as f64);
        let (download_cpu, video_bytes) = self.download(&client, &batches, pause).await?;
        drop(batches);
        Ok(RunCost {
            seconds,
            cpu,
            download_cpu,
            peak_kib,
            ledger_bytes: fs::metadata(&ledger)?.len(),
            request_bytes,
            video_bytes,
        })
    }

    /// Downloads some of the videos again, with a pause before each: an idle processor takes longer. Returns what all of them
    /// take, and their bytes.
    async fn download(
        &self,
        client: &kling_omni::Client,
        batches: &Batches,
        pause: Duration,
    ) -> Result<(Duration, u64)> {
        let rows = batches
            .report(BATCH, (self.tasks - self.tasks.min(300)) as u64)
            .await?;
        let mut videos = Vec::new();
        for row in &rows {
            let task = client.task(row.task_id.clone().unwrap_or_default());
            task.refresh().await?;
            videos.push(task.video()?);
        }
        let before = machine::cpu_time();
        for (number, video) in videos.iter().enumerate() {
            tokio::time::sleep(pause).await;
            let path = self.folder.join(format!("again-{number}.mp4"));
            video.save(path).await?;
        }
        let cpu = machine::cpu_time() - before;
        let share = self.tasks as f64 / videos.len() as f64;
        let bytes: u64 = rows
            .iter()
            .filter_map(|row| row.file.as_ref())
            .map(|file| file.bytes)
            .sum();
        Ok((cpu.mul_f64(share), (bytes as f64 * share) as u64))
    }
}
