//! A small run of a batch against the sandbox in virtual time, to compare the model with.

use anyhow::{Result, ensure};
use fastrand::Rng;
use kling_omni::request::Request;
use kling_omni::{ApiKey, Client};
use kling_omni_batch::ledger::NewItem;
use kling_omni_batch::{Batches, ItemState, RunOptions};
use kling_omni_sandbox::{Host, Sandbox};
use serde::Serialize;

use super::model::{Constants, Fleet, simulate};
use super::polled::Polled;
use crate::batch::BATCH;
use crate::cost::TIMES;
use crate::cost::load::{request, warm};
use crate::polling::times::Times;

const TASKS: u32 = 300;
const IN_FLIGHT: u32 = 100;

/// Requests per task, of the model and of a run.
#[derive(Serialize)]
struct Compared {
    model: f64,
    run: f64,
}

/// Prints what both take.
pub fn run(seed: u64) -> Result<()> {
    let polled = Polled::measure(200, seed)?;
    let fleet = Fleet {
        items: TASKS,
        accounts: 1,
        in_flight: IN_FLIGHT,
        workers: 1,
    };
    let model = simulate(&Constants::of_a_sandbox(), &polled, fleet, seed);
    let compared = Compared {
        model: model.requests_per_task,
        run: real_run(seed)?,
    };
    println!("{}", serde_json::to_string(&compared)?);
    Ok(())
}

/// The requests per task of a run.
fn real_run(seed: u64) -> Result<f64> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()?;
    fastrand::seed(seed);
    runtime.block_on(async {
        let sandbox = Sandbox::builder()
            .seed(seed)
            .rate_limit(u32::MAX)
            .poll_hints(false)
            .record_limit(usize::MAX)
            .start()
            .await?;
        let random = &mut Rng::with_seed(seed);
        let (median, spread) = TIMES;
        let times = Times::log_normal(median, spread);
        let client = Client::builder()
            .api_key(ApiKey::new(sandbox.api_key())?)
            .base_url(sandbox.base_url())
            .task_durations(warm(&times, random)?)
            .build()?;
        let folder = tempfile::tempdir()?;
        let mut items = Vec::new();
        for number in 0..TASKS {
            let request = Request::from(request(times.draw(random))?);
            let path = folder.path().join(format!("{number}.mp4"));
            items.push(NewItem::new(number.to_string(), &request, path));
        }
        let batches = Batches::open(folder.path().join("batch.db")).await?;
        batches.import(BATCH, items).await?;
        let options = RunOptions::default().in_flight(IN_FLIGHT as usize);
        let status = batches.run(BATCH, &client, options).await?.await?;
        ensure!(
            status.count(ItemState::Saved) == u64::from(TASKS),
            "{status:?}"
        );
        let requests = sandbox.requests();
        let requests = requests
            .iter()
            .filter(|request| request.host() == Host::Api);
        Ok(requests.count() as f64 / f64::from(TASKS))
    })
}
