//! The time of a call with the SDK and with bare HTTP.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use kling_omni::request::VideoReferenceBuilder;
use kling_omni::{ApiKey, Client, VideoReference};
use serde::{Deserialize, Serialize};

use super::server::TASK_ID;
use crate::bare::Bare;
use crate::child;
use crate::machine;

const KEY: &str = "key";
/// Not measured, until connections and whatever else is made once are there.
const WARM_UP: u32 = 200;

#[derive(Args)]
pub struct Calls {
    base_url: String,
    runs: u32,
    calls: u32,
}

/// Microseconds per call.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Pair {
    pub bare: f64,
    pub ours: f64,
}

/// What each way took in its turn.
#[derive(Serialize, Deserialize)]
pub struct Round {
    reading: Pair,
    creating: Pair,
}

impl Round {
    pub fn reading(&self) -> Pair {
        self.reading
    }

    pub fn creating(&self) -> Pair {
        self.creating
    }
}

impl Calls {
    pub fn run(&self) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        child::tell(&runtime.block_on(self.call())?)
    }

    async fn call(&self) -> Result<Vec<Round>> {
        let bare = Bare::new(&self.base_url, KEY)?;
        let client = Client::builder()
            .api_key(ApiKey::new(KEY)?)
            .base_url(&self.base_url)
            .build()?;
        let body = serde_json::to_value(request().to_unchecked_body())?;
        let request = request().build()?;
        let mut rounds = Vec::new();
        for run in 0..=self.runs {
            let calls = if run == 0 { WARM_UP } else { self.calls };
            let round = Round {
                reading: Pair {
                    bare: microseconds(calls, async || bare.read(TASK_ID).await).await?,
                    ours: microseconds(calls, async || {
                        Ok(client.task(TASK_ID).refresh().await?.id().to_owned())
                    })
                    .await?,
                },
                creating: Pair {
                    bare: microseconds(calls, async || bare.create(&body).await).await?,
                    ours: microseconds(calls, async || {
                        Ok(client.create(request.clone()).await?.id().to_owned())
                    })
                    .await?,
                },
            };
            rounds.push(round);
        }
        rounds.remove(0);
        Ok(rounds)
    }
}

fn request() -> VideoReferenceBuilder {
    VideoReference::builder()
        .prompt("The dancer of @Video1 as a paper puppet on a moonlit stage")
        .reference_video("https://example.com/dance.mp4")
        .duration(6)
}

/// Processor time per call; each call answers the id of the task.
async fn microseconds(calls: u32, call: impl AsyncFn() -> Result<String>) -> Result<f64> {
    let before = machine::cpu_time();
    for _ in 0..calls {
        anyhow::ensure!(call().await? == TASK_ID, "another task answered");
    }
    let taken: Duration = machine::cpu_time() - before;
    Ok(taken.as_secs_f64() * 1e6 / f64::from(calls))
}
