//! Requests and transactions of workers that share a batch.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use fastrand::Rng;
use kling_omni::request::Request;
use kling_omni_batch::ledger::NewItem;
use kling_omni_batch::{BatchState, ItemState, RunOptions};
use kling_omni_sandbox::Host;
use kling_omni_test_support::postgres::PostgresServer;

use super::Fleet;
use super::worker::{FASTER, WorkerProcess, open, real_client};
use crate::batch::{BATCH, most_in_flight};
use crate::cost::clock::FastClock;
use crate::cost::load::request;
use crate::cost::{Service, TIMES};
use crate::polling::times::Times;

/// What a run took.
pub struct Load {
    pub requests_per_task: f64,
    /// The requests per task of each operation.
    pub by_operation: BTreeMap<String, f64>,
    pub most_in_flight: usize,
    pub transactions_per_task: f64,
    pub cpu_ms_per_task: f64,
}

pub fn measure(server: &PostgresServer, fleet: &Fleet, workers: usize) -> Result<Load> {
    let folder = tempfile::tempdir()?;
    let database = server.new_database();
    let service = Service::start_with_clock(fleet.seed, FastClock::new(FASTER))?;
    let base_url = service.sandbox.base_url().to_owned();
    let random = &mut Rng::with_seed(fleet.seed);
    let (median, spread) = TIMES;
    let times = Times::log_normal(median, spread);
    let mut items = Vec::with_capacity(fleet.tasks);
    for number in 0..fleet.tasks {
        let request = Request::from(request(times.draw(random))?);
        let path = folder.path().join(format!("{number}.mp4"));
        items.push(NewItem::new(number.to_string(), &request, path));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let batches = runtime.block_on(async {
        let batches = open(&database.url).await?;
        batches.import(BATCH, items).await?;
        let options = RunOptions::default().in_flight(fleet.in_flight);
        let client = real_client(&base_url)?;
        batches.submit(BATCH, &client, options).await?;
        anyhow::Ok(batches)
    })?;
    let before = transactions(server, &database.name)?;
    let (origin, seed) = (service.clock.origin().to_string(), fleet.seed.to_string());
    let options = ["--origin", &origin, "--seed", &seed];
    let began = Instant::now();
    let started = (0..workers).map(|_| WorkerProcess::start(&base_url, &database.url, &options));
    let started = started.collect::<Result<Vec<_>>>()?;
    let mut last = 0;
    let mut progressed = Instant::now();
    loop {
        thread::sleep(Duration::from_millis(500));
        let status = runtime.block_on(batches.status(BATCH))?;
        if status.state == BatchState::Done {
            ensure!(
                status.count(ItemState::Saved) == fleet.tasks as u64,
                "{status:?}"
            );
            break;
        }
        let saved = status.count(ItemState::Saved);
        if saved != last {
            (last, progressed) = (saved, Instant::now());
        }
        ensure!(
            progressed.elapsed() < Duration::from_secs(120) && status.state == BatchState::Running,
            "no progress: {status:?}"
        );
    }
    let seconds = began.elapsed().as_secs_f64();
    let transactions = transactions(server, &database.name)?.saturating_sub(before);
    let mut cpu = Duration::ZERO;
    for worker in started {
        cpu += worker.stop()?.cpu;
    }
    let tasks = service.sandbox.tasks();
    ensure!(
        tasks.len() == fleet.tasks,
        "{} tasks were paid for",
        tasks.len()
    );
    let count = fleet.tasks as f64;
    let mut by_operation = BTreeMap::new();
    let requests = service.sandbox.requests();
    for request in requests
        .iter()
        .filter(|request| request.host() == Host::Api)
    {
        let operation = request.operation_id().unwrap_or("unknown").to_owned();
        *by_operation.entry(operation).or_default() += 1.0 / count;
    }
    let load = Load {
        requests_per_task: by_operation.values().sum(),
        by_operation,
        most_in_flight: most_in_flight(&tasks),
        transactions_per_task: transactions as f64 / count,
        cpu_ms_per_task: cpu.as_secs_f64() * 1e3 / count,
    };
    eprintln!(
        "{workers} workers: {seconds:.0} s, {:.2} requests {:.2?}, {} in flight",
        load.requests_per_task, load.by_operation, load.most_in_flight
    );
    Ok(load)
}

/// The number of transactions of a database so far, as Postgres counts them.
pub fn transactions(server: &PostgresServer, database: &str) -> Result<u64> {
    // A connection reports its own at most once in a second.
    thread::sleep(Duration::from_secs(2));
    let count = format!(
        "select xact_commit + xact_rollback from pg_stat_database where datname = '{database}'"
    );
    Ok(server.query("postgres", &count).parse()?)
}
