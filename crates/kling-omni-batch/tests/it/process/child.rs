//! The process that runs a batch. It reports each step that it reaches, and stops where the test wants it to.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kling_omni::request::Request;
use kling_omni::{ApiKey, Client, TextToVideo};
use kling_omni_batch::ledger::{NewItem, PostgresLedger, SqliteLedger, Step};
use kling_omni_batch::{
    BatchError, BatchResult, BatchState, BatchStatus, Batches, Decision, ItemState, RetrySelection,
    RunOptions, WorkerEvent, WorkerOptions,
};
use kling_omni_test_support::setup::KEY;
use serde::{Deserialize, Serialize};

use super::shared_clock::SharedClock;
use super::{CLOCK, REPORT, RESULTS, VIDEOS};
use crate::bench::BATCH;

/// The environment variable with the [`ChildOptions`].
pub(super) const OPTIONS: &str = "KLING_OMNI_BATCH_CHILD";
/// What a line for the test begins with.
pub(super) const MARK: &str = "@ ";
/// The step inside of each transaction of the ledger, when all is written and nothing is committed.
pub(crate) const COMMIT: &str = "commit";

/// What the process is asked to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ChildOptions {
    /// A file, or a URL of Postgres.
    pub(crate) ledger: PathBuf,
    /// Whether it waits while another process has the account.
    pub(crate) waits_for_lease: bool,
    /// Whether it is a worker, and which.
    pub(crate) worker: Option<WorkerKind>,
    pub(crate) base_url: String,
    pub(crate) folder: PathBuf,
    pub(crate) items: usize,
    pub(crate) in_flight: usize,
    /// Whether each item has a local file, which is uploaded.
    pub(crate) has_files: bool,
    pub(crate) retry_failed: u32,
    pub(crate) stop: Option<Stop>,
    /// The most pages that the ledger may have.
    pub(crate) max_pages: Option<u32>,
    /// What a person decides about items whose outcome is unknown: their tasks, or that they have none.
    pub(crate) decisions: BTreeMap<String, Option<String>>,
    /// Whether everything that is logged is appended to a file.
    pub(crate) log: Option<PathBuf>,
}

/// What a worker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum WorkerKind {
    /// It conducts, and runs steps.
    All,
    /// It only conducts.
    Conducts,
    /// It only runs steps.
    RunsSteps,
}

/// A step of a run, by its name and how often the name was reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Failpoint {
    pub(crate) name: String,
    pub(crate) count: usize,
}

impl std::fmt::Display for Failpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} #{}", self.name, self.count)
    }
}

/// Where the process stops, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Stop {
    pub(crate) place: Failpoint,
    /// Whether it aborts by itself. Otherwise it waits for a line of input.
    pub(crate) aborts: bool,
}

/// The steps that were reached.
struct Steps {
    stop: Option<Stop>,
    counts: Mutex<HashMap<String, usize>>,
    /// Whether a create was announced and its response has not arrived.
    is_creating: AtomicBool,
}

impl Steps {
    fn new(stop: Option<Stop>) -> Self {
        Self {
            stop,
            counts: Mutex::default(),
            is_creating: AtomicBool::new(false),
        }
    }

    /// Reaches a step of an item. A stop is a stop of all tasks of the process, so it waits until no other item is between the last
    /// look at the clock and the write to the socket: no process is stopped there, the guarantee assumes.
    async fn reach_step(&self, name: &str) {
        if ["before created", "before unconfirmed", "before rejected"].contains(&name) {
            self.is_creating.store(false, Ordering::SeqCst);
        }
        let may_stop = self
            .stop
            .as_ref()
            .is_some_and(|stop| stop.place.name == name);
        while may_stop && self.is_creating.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.reach(name);
        if name == "after sending" {
            self.is_creating.store(true, Ordering::SeqCst);
        }
    }

    fn reach(&self, name: &str) {
        let count = {
            let mut counts = self.counts.lock().unwrap();
            let count = counts.entry(name.to_owned()).or_default();
            *count += 1;
            *count
        };
        say("reached", name);
        let place = Failpoint {
            name: name.to_owned(),
            count,
        };
        if let Some(stop) = self.stop.as_ref().filter(|stop| stop.place == place) {
            if stop.aborts {
                std::process::abort();
            }
            say("stopped", name);
            // The end of the input is the end of the test.
            let _ = std::io::stdin().read_line(&mut String::new());
        }
    }
}

fn say(what: &str, detail: &str) {
    println!("{MARK}{what} {detail}");
}

#[test]
#[ignore = "the process of other tests"]
fn child_process() {
    let Ok(options) = std::env::var(OPTIONS) else {
        return;
    };
    let options: ChildOptions = serde_json::from_str(&options).unwrap();
    if let Some(log) = &options.log {
        let log = OpenOptions::new().create(true).append(true).open(log);
        let log: File = log.unwrap();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(Mutex::new(log))
            .finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    match runtime.block_on(run(options)) {
        Ok(status) => say("ended", &serde_json::to_string(&status).unwrap()),
        Err(error) => say("failed", &error.to_string()),
    }
    // As a program that is interrupted: nothing waits for what still runs.
    let _ = std::io::stdout().flush();
    std::process::exit(0);
}

/// Imports the items, runs the batch and writes the report: the same again continues it.
async fn run(options: ChildOptions) -> BatchResult<BatchStatus> {
    let steps = Arc::new(Steps::new(options.stop.clone()));
    let in_commit = Arc::clone(&steps);
    let on_commit = move || in_commit.reach(COMMIT);
    let batches = match options.ledger.to_str() {
        Some(url) if url.starts_with("postgres://") => {
            let ledger = PostgresLedger::open(url).await?.on_commit(on_commit);
            Batches::new(match options.worker {
                Some(_) => ledger.with_queue().await?,
                None => ledger,
            })
        }
        _ => {
            let ledger = SqliteLedger::open(&options.ledger)
                .await?
                .on_commit(on_commit);
            if let Some(pages) = options.max_pages {
                ledger.limit_pages(pages).await?;
            }
            Batches::new(ledger)
        }
    };
    let client = Client::builder()
        .api_key(ApiKey::new(KEY)?)
        .base_url(&options.base_url)
        .clock(SharedClock::open(&options.folder.join(CLOCK)))
        .max_retries(0)
        .build()?;
    let items: Vec<_> = (0..options.items)
        .map(|number| item(&options, number))
        .collect();
    batches.import(BATCH, items).await?;
    for (key, task) in &options.decisions {
        let decision = match task.clone() {
            Some(task) => Decision::Task(task),
            None => Decision::NotCreated,
        };
        if batches.show(BATCH, key).await?.state == ItemState::Unknown {
            batches.settle(BATCH, key, decision).await?;
        }
    }
    // What was paid for and could not be fetched in time is fetched now, at no cost.
    let failed = RetrySelection::States(vec![ItemState::Failed]);
    if batches.plan_retry(BATCH, &failed).await?.creates == 0 {
        batches.retry(BATCH, &failed).await?;
    }
    let on_step = Arc::clone(&steps);
    if let Some(kind) = options.worker {
        let submitted = RunOptions::default().in_flight(options.in_flight);
        batches.submit(BATCH, &client, submitted).await?;
        let worker = worker_options(&options, kind).on_step(move |step| {
            let steps = Arc::clone(&on_step);
            async move { steps.reach_step(&step).await }
        });
        return run_worker(&batches, &client, worker).await;
    }
    let run_options = RunOptions::default()
        .in_flight(options.in_flight)
        .retry_failed(options.retry_failed)
        .results(options.folder.join(RESULTS))
        .lease_wait(Duration::ZERO)
        .on_step(move |step| {
            let steps = Arc::clone(&on_step);
            async move { steps.reach_step(&step).await }
        });
    let run = loop {
        match batches.run(BATCH, &client, run_options.clone()).await {
            Err(BatchError::InUse { .. }) if options.waits_for_lease => {
                say("waiting", "");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            run => break run?,
        }
    };
    say("running", "");
    let status = run.await?;
    batches
        .write_csv(BATCH, options.folder.join(REPORT))
        .await?;
    Ok(status)
}

fn worker_options(options: &ChildOptions, kind: WorkerKind) -> WorkerOptions {
    let worker = WorkerOptions::default().spool(options.folder.join(super::SPOOL));
    match kind {
        WorkerKind::All => worker,
        WorkerKind::Conducts => worker.without_steps(),
        WorkerKind::RunsSteps => worker.only(Step::ALL.iter().copied()),
    }
}

/// Runs a worker until the batch is done.
async fn run_worker(
    batches: &Batches,
    client: &Client,
    options: WorkerOptions,
) -> BatchResult<BatchStatus> {
    let mut run = batches.worker(client, options).start().await?;
    say("running", "");
    let mut look = tokio::time::interval(Duration::from_millis(50));
    let status = loop {
        tokio::select! {
            event = run.next_event() => if let Some(WorkerEvent::Conducting { .. }) = event {
                say("conducting", "");
            },
            _ = look.tick() => {
                let status = batches.status(BATCH).await?;
                if status.state == BatchState::Done {
                    break status;
                }
            }
        }
    };
    run.stop();
    run.await?;
    Ok(status)
}

fn item(options: &ChildOptions, number: usize) -> BatchResult<NewItem> {
    let mut request = TextToVideo::builder()
        .prompt(super::prompt(number))
        .duration(3);
    if options.has_files {
        request = request.start_frame(options.folder.join(super::IMAGE).as_path());
    }
    let request = request.build().map_err(kling_omni::Error::from)?;
    let path = options.folder.join(VIDEOS).join(format!("{number}.mp4"));
    NewItem::new(number.to_string(), &Request::from(request), path)
}
