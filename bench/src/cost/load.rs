//! Requests, delay and processor time of many tasks in flight at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use fastrand::Rng;
use kling_omni::clock::Clock as _;
use kling_omni::polling::TaskDurations;
use kling_omni::{ApiKey, Client, VideoReference};
use kling_omni_sandbox::DEFAULT_API_KEY;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::clock::FastClock;
use super::{FASTER, TIMES};
use crate::child;
use crate::machine;
use crate::polling::times::Times;

/// The number of tasks that the client has seen before.
const SEEN: usize = 128;

#[derive(Args)]
pub struct Load {
    base_url: String,
    /// When the clock was started.
    origin: u64,
    tasks: usize,
    in_flight: usize,
    seed: u64,
    /// Gives each of those in flight a client of its own.
    #[arg(long)]
    each_alone: bool,
}

/// What the tasks took.
#[derive(Serialize, Deserialize)]
pub struct Loaded {
    /// Of all of them together.
    pub cpu: Duration,
    /// The mean moment at which the end of a task was known, in seconds since the clock was started.
    pub known_at: f64,
}

impl Load {
    pub fn run(&self) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        fastrand::seed(self.seed);
        child::tell(&runtime.block_on(self.load())?)
    }

    async fn load(&self) -> Result<Loaded> {
        let clock = FastClock::since(self.origin, FASTER);
        let random = &mut Rng::with_seed(self.seed);
        let (median, spread) = TIMES;
        let times = Times::log_normal(median, spread);
        let known = warm(&times, random)?;
        let tasks: Arc<[f64]> = (0..self.tasks).map(|_| times.draw(random)).collect();
        let starts: Vec<f64> = (0..self.in_flight).map(|_| random.f64()).collect();
        let count = if self.each_alone { self.in_flight } else { 1 };
        let clients: Vec<Client> = (0..count)
            .map(|_| client(&self.base_url, clock, &known))
            .collect::<Result<_>>()?;
        let next = Arc::new(AtomicUsize::new(0));
        let before = machine::cpu_time();
        let mut workers = JoinSet::new();
        for (number, start) in starts.into_iter().enumerate() {
            let client = clients[number % count].clone();
            let (tasks, next) = (Arc::clone(&tasks), Arc::clone(&next));
            workers.spawn(async move {
                // Spread over the time of a task, so not all are in the same part of it.
                clock.sleep(Duration::from_secs_f64(median * start)).await;
                let mut known_at = 0.0;
                while let Some(seconds) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    one(&client, *seconds).await?;
                    known_at += clock.age(clock.system_time());
                }
                anyhow::Ok(known_at)
            });
        }
        let mut known_at = 0.0;
        while let Some(worker) = workers.join_next().await {
            known_at += worker??;
        }
        Ok(Loaded {
            cpu: machine::cpu_time() - before,
            known_at: known_at / self.tasks as f64,
        })
    }
}

/// What a client knows that has seen many such tasks.
pub fn warm(times: &Times, random: &mut Rng) -> Result<TaskDurations> {
    let seconds: Vec<f64> = (0..SEEN).map(|_| times.draw(random)).collect();
    let known = serde_json::json!({"reference/pro/5/without-image": seconds});
    Ok(serde_json::from_value(known)?)
}

pub fn client(base_url: &str, clock: FastClock, known: &TaskDurations) -> Result<Client> {
    let client = Client::builder()
        .api_key(ApiKey::new(DEFAULT_API_KEY)?)
        .base_url(base_url)
        .task_durations(known.clone())
        .clock(clock);
    Ok(client.build()?)
}

/// A request whose task takes so long.
pub fn request(seconds: f64) -> Result<VideoReference> {
    let request = VideoReference::builder()
        .prompt(format!("The dancer of @Video1 [sandbox:seconds={seconds}]"))
        .reference_video("https://example.com/dance.mp4")
        .build()?;
    Ok(request)
}

/// One task, from its request to its video.
async fn one(client: &Client, seconds: f64) -> Result<()> {
    let task = client.create(request(seconds)?).await?;
    task.wait().await?;
    Ok(())
}
