//! What a durable batch costs: time, memory, requests and space.

mod attribution;
mod disk;
pub mod import;
pub mod ledger_file;
pub mod resume;
pub mod run_load;
pub mod transitions;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use kling_omni_sandbox::{Host, TaskRecord};

use self::import::ImportCost;
use self::ledger_file::LedgerFile;
use self::run_load::RunCost;
use crate::build::{PROGRAM, crates, program};
use crate::child;
use crate::cost::Service;
use crate::report::Report;
use crate::sample::median;

/// The name of the batch in each ledger.
pub const BATCH: &str = "bench";

/// The number of tasks that are in flight at once.
const IN_FLIGHT: usize = 1_000;

const MIB: f64 = 1024.0 * 1024.0;

#[derive(Args)]
pub struct Batch {
    /// The number of rows that are imported, and of items in the ledger that is resumed.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1_000..=10_000_000))]
    items: u32,
    /// The number of tasks that a run creates.
    #[arg(long, default_value_t = 3_000)]
    tasks: usize,
    /// Seed of the tasks' times, and of all that the client leaves to chance.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How often each short figure is taken; the median counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Takes only the figures of the parts whose names contain this: import, transitions, run, attribution, resume, crates.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// The folder for ledgers and videos, on the disk to measure [default: the system's temporary folder].
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl Batch {
    pub fn run(&self) -> Result<Report> {
        let mut report = Report::new(
            "batch",
            "Durable batches",
            "A run of `kling-omni-batch` on one machine, with its ledger in SQLite and `synchronous = full`. The run of many tasks is measured as in the table above: the client in a process and a thread of its own, the sandbox in another process, and clocks that run ten times as fast as time. The download of the videos and the writing of their files are subtracted from the processor time: the same videos are downloaded again at the same pace, without a batch.",
        );
        report.command(&format!(
            "cargo xtask bench batch --items {} --tasks {} --seed {} --runs {}",
            self.items, self.tasks, self.seed, self.runs
        ));
        report.header(["", "measured", "target"]);
        let folder = match &self.folder {
            Some(folder) => tempfile::tempdir_in(folder)?,
            None => tempfile::tempdir()?,
        };
        if self.is_wanted("import") {
            self.import(folder.path(), &mut report)?;
        }
        if self.is_wanted("transitions") {
            self.transitions(folder.path(), &mut report)?;
        }
        if self.is_wanted("run") {
            self.run_many(folder.path(), &mut report)?;
        }
        if self.is_wanted("attribution") {
            attribution::measure(self.seed, folder.path(), &mut report)?;
        }
        if self.is_wanted("resume") {
            self.resume(folder.path(), &mut report)?;
        }
        if self.is_wanted("crates") {
            crates_gained(&mut report)?;
        }
        Ok(report)
    }

    fn is_wanted(&self, part: &str) -> bool {
        self.only.as_ref().is_none_or(|only| part.contains(only))
    }

    fn repeat<T>(&self, one: impl FnMut(u32) -> Result<T>) -> Result<Vec<T>> {
        (0..self.runs).map(one).collect()
    }

    fn import(&self, folder: &Path, report: &mut Report) -> Result<()> {
        let manifest = folder.join("rows.jsonl");
        import::write_manifest(&manifest, self.items)?;
        let runs = self.repeat(|run| {
            let folder = folder.join(format!("import-{run}"));
            fs::create_dir(&folder)?;
            let cost: ImportCost =
                child::run(["import".as_ref(), manifest.as_os_str(), folder.as_os_str()])?;
            eprintln!("import: {:.2} s", cost.seconds);
            fs::remove_dir_all(folder)?;
            Ok(cost)
        })?;
        let seconds = median(runs.iter().map(|run| run.seconds));
        let peak = runs.iter().filter_map(|run| run.peak_kib).max();
        let peak = peak.context("the system does not report peak memory")?;
        report.row([
            &format!("check and import of {} rows", grouped(self.items.into())),
            &format!("**{seconds:.2} s**, {:.0} MB", peak as f64 * 1.024e-3),
            "10 s, 200 MB",
        ]);
        Ok(())
    }

    fn transitions(&self, folder: &Path, report: &mut Report) -> Result<()> {
        const ITEMS: u32 = 300;
        let folder = folder.join("transitions");
        let sync = disk::sync_time(folder.parent().unwrap_or(&folder))?;
        let recorded = transitions::record(self.seed, &folder)?;
        let runs = self.repeat(|run| {
            let path = folder.join(format!("{run}.db"));
            let ledger = LedgerFile::new(&path, ITEMS, "http://127.0.0.1:9")?;
            let began = Instant::now();
            ledger.end(&recorded, 0..ITEMS.into())?;
            let each = began.elapsed().as_secs_f64() * 1e3 / f64::from(ITEMS);
            eprintln!("transitions: {each:.2} ms per task");
            Ok(each)
        })?;
        fs::remove_dir_all(&folder)?;
        report.row([
            &format!(
                "bookkeeping per task: {} transactions from import to saved video, of which {} wait for a sync of the disk ({:.2} ms here)",
                recorded.transactions(),
                recorded.syncs(),
                sync.as_secs_f64() * 1e3
            ),
            &format!("**{:.2} ms**", median(runs)),
            "5 ms",
        ]);
        Ok(())
    }

    fn run_many(&self, folder: &Path, report: &mut Report) -> Result<()> {
        let folder = folder.join("run");
        fs::create_dir(&folder)?;
        let service = Service::start(self.seed)?;
        let mut arguments = service.arguments("run-load");
        arguments.extend([
            folder
                .to_str()
                .context("the path is not Unicode")?
                .to_owned(),
            self.tasks.to_string(),
            IN_FLIGHT.to_string(),
            self.seed.to_string(),
        ]);
        let cost: RunCost = child::run(arguments)?;
        fs::remove_dir_all(&folder)?;
        let tasks = service.sandbox.tasks();
        ensure!(
            tasks.len() == self.tasks,
            "{} tasks were paid for",
            tasks.len()
        );
        let in_flight = most_in_flight(&tasks);
        let count = tasks.len() as f64;
        let requests = service.sandbox.requests();
        let requests = requests
            .iter()
            .filter(|request| request.host() == Host::Api);
        let requests = requests.count() as f64 / count;
        eprintln!("run: {:.1} s, {in_flight} in flight", cost.seconds);
        let name = format!(
            "{} tasks, at most {in_flight} in flight",
            grouped(self.tasks as u64)
        );
        report.row([
            &format!("{name}: requests to the API per task"),
            &format!("**{requests:.2}**"),
            "3.0",
        ]);
        report.row([
            &format!(
                "processor time per task, from import to report, without the download of its {:.0} kB",
                cost.video_bytes as f64 / count / 1e3
            ),
            &format!("**{:.2} ms**", cost.cpu_ms(self.tasks)),
            "1 ms",
        ]);
        report.row([
            "ledger per item, without its request",
            &format!(
                "**{:.1} kB**",
                cost.ledger_bytes.saturating_sub(cost.request_bytes) as f64 / count / 1e3
            ),
            "4 kB",
        ]);
        let peak = cost
            .peak_kib
            .context("the system does not report peak memory")?;
        report.row([
            "memory",
            &format!("**{:.1} MiB**", peak as f64 / 1024.0),
            &format!("{:.0} MiB", 64.0 + 2.0 * IN_FLIGHT as f64 / 1024.0),
        ]);
        Ok(())
    }

    fn resume(&self, folder: &Path, report: &mut Report) -> Result<()> {
        let folder = folder.join("resume");
        let prepared = resume::prepare(&folder, self.items, self.seed)?;
        let items = grouped(self.items.into());
        let program = program()?;
        let status = self.repeat(|_| {
            let began = Instant::now();
            let ended = Command::new(&program)
                .args(["batch", "status", "--db"])
                .arg(prepared.ledger())
                .stdout(Stdio::null())
                .status()?;
            ensure!(ended.success(), "the status ended with {ended}");
            Ok(began.elapsed().as_secs_f64() * 1e3)
        })?;
        report.row([
            &format!(
                "`kling-omni batch status` of {items} items, from the start of the program to its end"
            ),
            &format!("**{:.0} ms**", median(status)),
            "100 ms",
        ]);
        let first = self.repeat(|_| {
            let first = prepared.time_to_first_request()?;
            eprintln!("resume: {:.2} s", first.as_secs_f64());
            Ok(first.as_secs_f64())
        })?;
        report.row([
            &format!(
                "resume of {items} items, half of them saved and {IN_FLIGHT} in flight, until the first request"
            ),
            &format!("**{:.2} s**", median(first)),
            "2 s",
        ]);
        let size = fs::metadata(prepared.ledger())?.len() as f64 / MIB;
        eprintln!("resume: a ledger of {size:.0} MiB");
        fs::remove_dir_all(&folder)?;
        Ok(())
    }
}

/// The largest number of tasks that were in progress at the same time.
pub fn most_in_flight(tasks: &[TaskRecord]) -> usize {
    let begins = tasks.iter().map(|task| (task.created_at(), 1));
    let ends = tasks.iter().map(|task| (task.ends_at(), -1));
    let mut changes: Vec<_> = begins.chain(ends).collect();
    changes.sort();
    let mut now = 0_i64;
    let counts = changes.into_iter().map(|(_, change)| {
        now += change;
        now.unsigned_abs() as usize
    });
    counts.max().unwrap_or_default()
}

fn crates_gained(report: &mut Report) -> Result<()> {
    let with = crates::crates(&["--package", PROGRAM])?;
    let without = crates::crates(&["--package", PROGRAM, "--prune", "kling-omni-batch"])?;
    let gained: Vec<_> = with.difference(&without).map(String::as_str).collect();
    report.row([
        &format!(
            "crates that the program has for batches: {}",
            gained.join(", ")
        ),
        &format!("**{}**", gained.len()),
        "12",
    ]);
    Ok(())
}

/// A number with a comma after each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && place % 3 == first {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Waits until something is true of a process that runs, at most a minute.
fn wait_for(process: &mut Child, mut is_true: impl FnMut() -> Result<bool>) -> Result<()> {
    let began = Instant::now();
    while !is_true()? {
        if let Some(ended) = process.try_wait()? {
            anyhow::bail!("the client's process ended with {ended}");
        }
        ensure!(
            began.elapsed() < Duration::from_secs(60),
            "nothing happened for a minute"
        );
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
