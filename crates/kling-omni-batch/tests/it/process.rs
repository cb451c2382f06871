//! Processes that run a batch against a sandbox in this process, and the verdict from outside.

pub(crate) mod child;
mod running;
mod shared_clock;

use std::collections::BTreeMap;
use std::fs;
use std::future::IntoFuture as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use kling_omni::{ApiKey, Client};
use kling_omni_sandbox::{Sandbox, SandboxBuilder, TaskRecord};
use kling_omni_test_support::postgres::{PostgresDatabase, PostgresServer};
use kling_omni_test_support::setup::KEY;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::bench::text;
pub(crate) use crate::process::child::{COMMIT, ChildOptions, Failpoint, Stop, WorkerKind};
pub(crate) use crate::process::running::{Ended, Report, Running};
use crate::process::shared_clock::SharedClock;

const CLOCK: &str = "clock";
const IMAGE: &str = "cat.png";
const LEDGER: &str = "batch.db";
const REPORT: &str = "report.csv";
const RESULTS: &str = "results.jsonl";
const VIDEOS: &str = "videos";
const SPOOL: &str = ".kling-omni-spool";
/// The files that may be there at the end, apart from the videos. SQLite removes its own when it closes the ledger.
const FILES: [&str; 8] = [
    CLOCK,
    IMAGE,
    LEDGER,
    "batch.db-shm",
    "batch.db-wal",
    "batch.db.lock",
    REPORT,
    RESULTS,
];

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

fn prompt(number: usize) -> String {
    format!("A cat, take {number}")
}

/// Where the ledger of a test is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LedgerKind {
    /// In a file in the folder of the batch.
    Sqlite,
    /// In a database of the server that the tests share.
    Postgres,
}

impl LedgerKind {
    /// Those that this machine has.
    pub(crate) fn all() -> Vec<Self> {
        match PostgresServer::shared() {
            Some(_) => vec![Self::Sqlite, Self::Postgres],
            None => vec![Self::Sqlite],
        }
    }
}

/// A database of a server.
pub(crate) struct Database {
    pub(crate) server: &'static PostgresServer,
    pub(crate) database: PostgresDatabase,
}

/// A sandbox with an older task, and the folder of a batch.
pub(crate) struct Service {
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: SharedClock,
    pub(crate) folder: TempDir,
    pub(crate) options: ChildOptions,
    /// Whether the outcome of a create may be a question to a person.
    pub(crate) needs_person: bool,
    /// The database of the ledger, if it is not a file.
    pub(crate) database: Option<Database>,
    client: Client,
}

impl Service {
    pub(crate) fn start(
        ledger: LedgerKind,
        items: usize,
        settings: impl FnOnce(SandboxBuilder) -> SandboxBuilder,
    ) -> Self {
        let folder = TempDir::new().unwrap();
        let clock = SharedClock::create(&folder.path().join(CLOCK));
        let builder = Sandbox::builder()
            .api_key(KEY)
            .clock(clock.clone())
            .task_time(Duration::from_secs(60))
            // A process may be stopped for long, and the results are checked at the end.
            .result_lifetime(Duration::from_secs(30 * 24 * 3600))
            .rate_limit(1_000_000)
            .jitter(0.0);
        let sandbox = RUNTIME.block_on(settings(builder).start()).unwrap();
        let client = Client::builder()
            .api_key(ApiKey::new(KEY).unwrap())
            .base_url(sandbox.base_url())
            .clock(SharedClock::open(&folder.path().join(CLOCK)))
            .build()
            .unwrap();
        // Without any task, the service has no list, which proves nothing later.
        let older = client.create(text("An older task").build().unwrap());
        RUNTIME.block_on(older.into_future()).unwrap();
        fs::write(
            folder.path().join(IMAGE),
            kling_omni_test_support::media::png(640, 480),
        )
        .unwrap();
        let database = (ledger == LedgerKind::Postgres).then(|| {
            let server = PostgresServer::shared().unwrap();
            let database = server.new_database();
            Database { server, database }
        });
        Self {
            options: ChildOptions {
                ledger: match &database {
                    Some(database) => database.database.url.clone().into(),
                    None => folder.path().join(LEDGER),
                },
                waits_for_lease: false,
                worker: None,
                base_url: sandbox.base_url().to_owned(),
                folder: folder.path().to_owned(),
                items,
                in_flight: 2,
                has_files: false,
                retry_failed: 0,
                stop: None,
                max_pages: None,
                decisions: BTreeMap::new(),
                log: None,
            },
            needs_person: false,
            database,
            sandbox,
            clock,
            folder,
            client,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The number of tasks that were paid for since the start.
    pub(crate) fn charges(&self) -> usize {
        self.sandbox.charges() - 1
    }

    /// Lets the time of a lease pass at the database, which ends transactions that were idle for as long, too.
    pub(crate) fn end_lease(&self) {
        let Some(Database { server, database }) = &self.database else {
            return;
        };
        let idle = "select count(pg_terminate_backend(pid, 60000)) from pg_stat_activity
            where datname = current_database() and state like 'idle in transaction%'";
        server.query(&database.name, idle);
        // Without the tables, there is no lease.
        let end = "do $$ begin if to_regclass('account') is not null then
            update account set lease_until = 0 where lease_until is not null; end if; end $$";
        server.query(&database.name, end);
    }

    /// Lets the lease of a process that is stopped last for an hour. A busy machine starts others before it ends.
    pub(crate) fn extend_lease(&self) {
        if let Some(Database { server, database }) = &self.database {
            let extend = "update account set lease_until = lease_until + 3600000";
            server.query(&database.name, extend);
        }
    }

    /// Lets the jobs of workers that are gone be delivered to others, which the living ones prevent by their next heartbeat.
    pub(crate) fn expire_workers(&self) {
        if let Some(Database { server, database }) = &self.database {
            let expire = "do $$ begin if to_regclass('apalis.workers') is not null then
                update apalis.workers set last_seen = now() - interval '1 hour'; end if; end $$";
            server.query(&database.name, expire);
        }
    }

    /// Waits until no process is in a transaction. A process that is stopped in one keeps a file locked.
    pub(crate) fn until_no_transaction(&self) {
        if self.database.is_some() {
            return;
        }
        let ledger = rusqlite::Connection::open(self.path(LEDGER)).unwrap();
        ledger.busy_timeout(Duration::from_secs(60)).unwrap();
        ledger.execute_batch("begin immediate; rollback").unwrap();
    }

    /// Starts a worker, which stops where it is told to.
    pub(crate) fn work(&self, kind: WorkerKind, stop: Option<Stop>) -> Running {
        let options = ChildOptions {
            stop,
            worker: Some(kind),
            ..self.options.clone()
        };
        Running::start(&options)
    }

    /// Starts a process that continues the batch, and stops where it is told to.
    pub(crate) fn run(&self, stop: Option<Stop>) -> Running {
        let options = ChildOptions {
            stop,
            ..self.options.clone()
        };
        Running::start(&options)
    }

    /// Runs processes, each to its end, until all items are saved. Faults end after the first one. Returns the steps of the first
    /// one.
    pub(crate) fn finish(&self, at: &str) -> Vec<String> {
        let mut reached = Vec::new();
        let mut last = String::new();
        let mut options = self.options.clone();
        for run in 0..4 {
            self.end_lease();
            let mut running = Running::start(&options);
            let ended = running.end();
            if reached.is_empty() {
                reached = std::mem::take(&mut running.reached);
            }
            if ended.is_saved(self.options.items) {
                return reached;
            }
            last = format!("{ended:?}");
            if self.needs_person && run > 0 {
                options.decisions = self.decisions();
            }
            self.sandbox.clear_faults();
        }
        panic!("{at}: not all items are saved: {last}");
    }

    /// What a person sees who looks at the account.
    fn decisions(&self) -> BTreeMap<String, Option<String>> {
        let decision = |number| {
            let task = self.tasks_of(number).pop();
            (number.to_string(), task.map(|task| task.id().to_owned()))
        };
        (0..self.options.items).map(decision).collect()
    }

    /// The tasks of an item, in the order of their creation.
    fn tasks_of(&self, number: usize) -> Vec<TaskRecord> {
        let mut tasks = self.sandbox.tasks();
        let prompt = prompt(number);
        tasks.retain(|task| task.request()["prompt"].as_str() == Some(prompt.as_str()));
        tasks.sort_by_key(TaskRecord::created_at);
        tasks
    }

    /// Each item was paid once, its file is whole, the results have it once, and no other file is left.
    pub(crate) fn check(&self, at: &str, failed: usize) {
        self.sandbox.clear_faults();
        // What a process without a lease could not record stays until the next run.
        if self.path(SPOOL).exists() {
            self.finish(at);
        }
        assert_eq!(self.charges(), self.options.items + failed, "{at}: charges");
        let results = fs::read_to_string(self.path(RESULTS)).unwrap();
        let results: Vec<Value> = results
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .filter(|line: &Value| line["state"] == "saved")
            .collect();
        assert_eq!(results.len(), self.options.items, "{at}: {results:?}");
        let lines: BTreeMap<&str, &Value> = results
            .iter()
            .map(|line| (line["key"].as_str().unwrap(), line))
            .collect();
        let csv = fs::read_to_string(self.path(REPORT)).unwrap();
        assert_eq!(csv.lines().count(), self.options.items + 1, "{at}");
        for number in 0..self.options.items {
            // A task that failed was replaced by a later one.
            let task = self.tasks_of(number).pop().unwrap();
            let saved = fs::read(self.path(VIDEOS).join(format!("{number}.mp4")));
            let saved = sha256(&saved.unwrap_or_else(|error| panic!("{at}: {number}: {error}")));
            let line = lines[number.to_string().as_str()];
            assert_eq!(line["task_id"], task.id(), "{at}: {line}");
            assert_eq!(line["file"]["sha256"], saved.as_str(), "{at}: {line}");
            assert_eq!(saved, self.sha256_of_result(task.id()), "{at}: {number}");
        }
        self.check_files(at);
    }

    fn check_files(&self, at: &str) {
        for (folder, count) in [("", 0), (VIDEOS, self.options.items)] {
            let mut videos = 0;
            for entry in fs::read_dir(self.path(folder)).unwrap() {
                let entry = entry.unwrap();
                let name = entry.file_name().into_string().unwrap();
                match name.strip_suffix(".mp4") {
                    Some(number) if number.parse::<usize>().is_ok() => videos += 1,
                    _ if entry.file_type().unwrap().is_dir() && name == VIDEOS => {}
                    _ => assert!(
                        FILES.contains(&name.as_str()),
                        "{at}: {folder}/{name} is left"
                    ),
                }
            }
            assert_eq!(videos, count, "{at}: videos in {folder:?}");
        }
    }

    /// Downloads the result of a task from the sandbox.
    fn sha256_of_result(&self, task: &str) -> String {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("result.mp4");
        let task = self.client.task(task);
        let saved = RUNTIME.block_on(async {
            let video = task.wait().await.unwrap();
            video.save(&path).await.unwrap()
        });
        saved.sha256
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest as _, Sha256};
    let hash: [u8; 32] = Sha256::digest(bytes).into();
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a temporary file of a download has bytes.
pub(crate) fn is_downloading(folder: &Path) -> bool {
    let entries = fs::read_dir(folder.join(VIDEOS)).into_iter().flatten();
    let mut sizes = entries.flatten().filter_map(|entry| {
        let is_part = entry.file_name().to_string_lossy().ends_with(".part");
        is_part.then(|| entry.metadata().map_or(0, |file| file.len()))
    });
    sizes.any(|size| size > 0)
}
