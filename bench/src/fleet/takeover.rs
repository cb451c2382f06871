//! How long it takes until another worker does what a killed one did, in real time.

use std::future;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use kling_omni::TextToVideo;
use kling_omni::request::Request;
use kling_omni_api::{Operation, Role};
use kling_omni_batch::ledger::NewItem;
use kling_omni_batch::{Batches, ItemState, RunOptions};
use kling_omni_sandbox::{Host, Sandbox};
use kling_omni_test_support::postgres::PostgresServer;
use tokio::runtime::Runtime;

use super::worker::{WorkerProcess, open, real_client};
use crate::batch::BATCH;

/// The parts: their names, what they measure, and their targets.
pub const PARTS: [(&str, &str, &str); 3] = [
    (
        "conductor",
        "conductor killed, until another one creates",
        "15 s",
    ),
    (
        "open create",
        "conductor killed during a create whose task exists, until another one has found it and creates",
        "30 s",
    ),
    (
        "fetch",
        "worker killed during a download, until another one downloads the video",
        "20 s",
    ),
];

const ITEMS: usize = 60;
/// Far longer than a takeover.
const PATIENCE: Duration = Duration::from_secs(120);

pub fn measure(server: &PostgresServer, part: &str, seed: u64) -> Result<Duration> {
    let database = server.new_database();
    let folder = tempfile::tempdir()?;
    let scene = Scene::new(&database.url, folder.path(), seed)?;
    match part {
        "conductor" => scene.conductor(None),
        "open create" => scene.conductor(Some("create:hang@10")),
        _ => scene.fetch(),
    }
}

/// A sandbox in real time, and a batch that was submitted.
struct Scene {
    runtime: Runtime,
    sandbox: Sandbox,
    batches: Batches,
    url: String,
}

impl Scene {
    fn new(url: &str, folder: &Path, seed: u64) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let sandbox = Sandbox::builder()
            .seed(seed)
            .task_time(Duration::from_secs(4))
            .rate_limit(u32::MAX)
            .record_limit(usize::MAX)
            .start();
        let sandbox = runtime.block_on(sandbox)?;
        thread::spawn(move || runtime.block_on(future::pending::<()>()));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let mut items = Vec::new();
        for number in 0..ITEMS {
            let prompt = format!("A cat, take {number}");
            let request = TextToVideo::builder().prompt(prompt).build()?;
            let path = folder.join(format!("{number}.mp4"));
            items.push(NewItem::new(
                number.to_string(),
                &Request::from(request),
                path,
            ));
        }
        let batches = runtime.block_on(async {
            let batches = open(url).await?;
            batches.import(BATCH, items).await?;
            // One create in a second: the rest of the batch outlives a takeover.
            let options = RunOptions::default()
                .in_flight(ITEMS)
                .create_interval(Duration::from_secs(1));
            let client = real_client(sandbox.base_url())?;
            batches.submit(BATCH, &client, options).await?;
            anyhow::Ok(batches)
        })?;
        Ok(Self {
            runtime,
            sandbox,
            batches,
            url: url.to_owned(),
        })
    }

    fn start(&self, options: &[&str]) -> Result<WorkerProcess> {
        WorkerProcess::start(self.sandbox.base_url(), &self.url, options)
    }

    fn creates(&self) -> usize {
        let requests = self.sandbox.requests();
        let is_create = |id: &str| {
            Operation::by_id(id).is_some_and(|found| matches!(found.role, Role::Create(_)))
        };
        requests
            .iter()
            .filter(|request| request.operation_id().is_some_and(is_create))
            .count()
    }

    fn downloads(&self) -> usize {
        let requests = self.sandbox.requests();
        requests
            .iter()
            .filter(|request| request.host() == Host::Results)
            .count()
    }

    /// Waits until something is true. Returns how long it took.
    fn wait(&self, what: &str, mut is_true: impl FnMut(&Self) -> Result<bool>) -> Result<Duration> {
        let began = Instant::now();
        while !is_true(self)? {
            if began.elapsed() > PATIENCE {
                let status = self.runtime.block_on(self.batches.status(BATCH))?;
                bail!("{what}: not within {PATIENCE:?}; {status:?}");
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(began.elapsed())
    }

    /// Kills the conductor after some creates, or during one that never ends.
    fn conductor(&self, fault: Option<&str>) -> Result<Duration> {
        if let Some(fault) = fault {
            self.sandbox.inject(fault.parse()?);
        }
        let mut workers = [self.start(&[])?, self.start(&[])?];
        self.wait("ten creates", |scene| Ok(scene.creates() >= 10))?;
        if fault.is_none() {
            // The response is recorded.
            let open = |scene: &Self| {
                let status = scene.runtime.block_on(scene.batches.status(BATCH))?;
                Ok(status.count(ItemState::Sending) == 0)
            };
            self.wait("no open create", open)?;
        }
        let accounts = self.runtime.block_on(self.batches.ledger().accounts())?;
        let holder = accounts[0].holder.clone().context("no holder")?;
        let conductor = workers
            .iter_mut()
            .find(|worker| holder.split([' ', ',']).nth(1) == Some(&worker.id().to_string()));
        conductor.context("no worker conducts")?.kill()?;
        let before = self.creates();
        let passed = self.wait("a create", |scene| Ok(scene.creates() > before))?;
        if fault.is_some() {
            let item = |scene: &Self| {
                let status = scene.runtime.block_on(scene.batches.status(BATCH))?;
                Ok(status.count(ItemState::Saved) >= 10)
            };
            self.wait("ten saved videos", item)?;
            ensure!(
                self.sandbox.charges() <= self.creates(),
                "a task was paid for twice"
            );
        }
        Ok(passed)
    }

    /// Kills a worker whose downloads never end.
    fn fetch(&self) -> Result<Duration> {
        self.sandbox.inject("result:slow-headers=1h@1".parse()?);
        let _conductor = self.start(&["--conducts"])?;
        let _prepares = self.start(&["--only", "prepare"])?;
        let mut first = self.start(&["--only", "fetch"])?;
        self.wait("a download", |scene| Ok(scene.downloads() > 0))?;
        let second = self.start(&["--only", "fetch"])?;
        thread::sleep(Duration::from_secs(2));
        first.kill()?;
        // Those of other items are no takeover.
        let slow = |scene: &Self| {
            let requests = scene.sandbox.requests();
            let mut results = requests
                .iter()
                .filter(|request| request.host() == Host::Results);
            let Some(first) = results.next() else {
                return Ok(false);
            };
            let path = first.path().to_owned();
            Ok(results.any(|request| request.path() == path))
        };
        let passed = self.wait("another download", slow)?;
        drop(second);
        Ok(passed)
    }
}
