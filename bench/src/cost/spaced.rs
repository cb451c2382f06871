//! Requests and processor time of tasks that run one after another.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use kling_omni::VideoReference;
use kling_omni::clock::Clock as _;
use kling_omni_sandbox::DEFAULT_API_KEY;
use tokio::task::JoinSet;

use super::FASTER;
use super::clock::FastClock;
use super::{TASKS_ALONE, TIMES};
use crate::bare::Bare;
use crate::child;
use crate::machine;

#[derive(Args)]
pub struct Spaced {
    base_url: String,
    /// When the clock was started.
    origin: u64,
    /// The requests of each task, its creation included.
    requests: u32,
}

impl Spaced {
    /// Tells the processor time of all tasks together.
    pub fn run(&self) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        child::tell(&runtime.block_on(self.send())?)
    }

    async fn send(&self) -> Result<Duration> {
        let clock = FastClock::since(self.origin, FASTER);
        let (median, _) = TIMES;
        let body = VideoReference::builder()
            .prompt("The dancer of @Video1")
            .reference_video("https://example.com/dance.mp4")
            .to_unchecked_body();
        let clients: Vec<Bare> = (0..TASKS_ALONE)
            .map(|_| Bare::new(&self.base_url, DEFAULT_API_KEY))
            .collect::<Result<_>>()?;
        let (requests, pause) = (self.requests, median / f64::from(self.requests));
        let before = machine::cpu_time();
        let mut tasks = JoinSet::new();
        for (number, client) in clients.into_iter().enumerate() {
            let start = median * number as f64 / TASKS_ALONE as f64;
            let body = body.clone();
            tasks.spawn(async move {
                clock.sleep(Duration::from_secs_f64(start)).await;
                let id = client.create(&body).await?;
                for _ in 1..requests {
                    clock.sleep(Duration::from_secs_f64(pause)).await;
                    client.read(&id).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(task) = tasks.join_next().await {
            task??;
        }
        Ok(machine::cpu_time() - before)
    }
}
