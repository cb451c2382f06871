//! The same rows with a shell loop, with a short program, and with a batch, under the same kills.

use std::fs;
use std::future;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Args;
use fastrand::Rng;
use kling_omni::{ApiKey, Client, TextToVideo};
use kling_omni_sandbox::{Host, Sandbox};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::json;

use crate::build::{build_beside, program};
use crate::report::Report;

/// How long the service takes to respond to a create.
const CREATE_TIME: &str = "create:slow-headers=300ms";

/// How often a program is started again that ends by itself before all videos are saved.
const MAX_STARTS: u32 = 20;

#[derive(Args)]
pub struct Alternatives {
    /// The number of rows.
    #[arg(long, default_value_t = 300)]
    rows: usize,
    /// How long a task takes, in seconds, with a fifth more or less.
    #[arg(long, default_value_t = 20)]
    task_seconds: u64,
    /// How often the program is killed.
    #[arg(long, default_value_t = 5)]
    kills: u32,
    /// Seed of the kills and of the tasks' times.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Runs only those whose names contain this.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

/// A way to make many videos.
struct Alternative {
    name: &'static str,
    /// What a user writes, in `bench/alternatives`.
    file: &'static str,
    text: &'static str,
}

const ALTERNATIVES: [Alternative; 4] = [
    Alternative {
        name: "a shell loop around `kling-omni generate`",
        file: "loop.sh",
        text: include_str!("../alternatives/loop.sh"),
    },
    Alternative {
        name: "the same with `--journal` and `--resume`",
        file: "journal.sh",
        text: include_str!("../alternatives/journal.sh"),
    },
    Alternative {
        name: "a program with `as_completed`",
        file: "as_completed.rs",
        text: include_str!("../alternatives/as_completed.rs"),
    },
    Alternative {
        name: "`kling-omni batch run`",
        file: "batch.sh",
        text: include_str!("../alternatives/batch.sh"),
    },
];

/// What one of them took.
struct Made {
    charges: usize,
    requests: usize,
    seconds: f64,
    starts: u32,
    videos: usize,
}

impl Alternatives {
    pub fn run(&self) -> Result<Report> {
        let mut report = Report::new(
            "alternatives",
            "Many videos: a shell loop, a program, a batch",
            "The same rows, 20 tasks at a time, against the sandbox. All processes of an alternative are killed with SIGKILL at the same times, and the same command is started again at once. The service takes 0.3 s to respond to a create. Each file is complete; lines are counted without comments.",
        );
        report.command(&format!(
            "cargo xtask bench alternatives --rows {} --task-seconds {} --kills {} --seed {}",
            self.rows, self.task_seconds, self.kills, self.seed
        ));
        report.header([
            "",
            "lines",
            "tasks paid for",
            "videos saved",
            "requests per video",
            "time",
            "starts",
        ]);
        let program = program()?;
        let folder = program.parent().context("the program has no folder")?;
        build_beside("kling-omni-bench", "as_completed")?;
        let wanted: Vec<_> = ALTERNATIVES
            .iter()
            .filter(|one| {
                self.only
                    .as_ref()
                    .is_none_or(|only| one.name.contains(only))
            })
            .collect();
        let made: Vec<_> = thread::scope(|scope| {
            let runs = wanted
                .iter()
                .map(|one| scope.spawn(|| self.make(one, folder)));
            let runs: Vec<_> = runs.collect();
            runs.into_iter().map(|run| run.join()).collect()
        });
        for (one, made) in wanted.iter().zip(made) {
            let Ok(made) = made else {
                anyhow::bail!("{} panicked", one.name)
            };
            let made = made.with_context(|| one.name)?;
            report.row([
                &format!("[{}](../bench/alternatives/{})", one.name, one.file),
                &one.lines().to_string(),
                &format!("**{}**", made.charges),
                &made.videos.to_string(),
                &format!("{:.1}", made.requests as f64 / made.videos.max(1) as f64),
                &format!("{:.0} s", made.seconds),
                &made.starts.to_string(),
            ]);
        }
        report.figure(&format!(
            "{} rows, tasks of {} s, {} kills",
            self.rows, self.task_seconds, self.kills
        ));
        Ok(report)
    }

    /// When to kill, since the first start.
    fn kill_times(&self) -> Vec<Duration> {
        let mut random = Rng::with_seed(self.seed);
        let mut time = 0.0;
        let times = (0..self.kills).map(|_| {
            // On average once in one and a half tasks.
            time += self.task_seconds as f64 * (0.5 + 2.0 * random.f64());
            Duration::from_secs_f64(time)
        });
        times.collect()
    }

    fn make(&self, one: &Alternative, programs: &Path) -> Result<Made> {
        let folder = tempfile::tempdir()?;
        let rows = folder.path().join("rows.jsonl");
        let text: String = (0..self.rows)
            .map(|row| {
                format!(
                    "{}\n",
                    json!({"prompt": format!("A cat by the window, take {row}"), "duration": "3"})
                )
            })
            .collect();
        fs::write(&rows, text)?;
        let sandbox = self.start_sandbox()?;
        let (older, before) = (sandbox.charges(), sandbox.requests().len());
        let out = folder.path().join("out");
        let start = || {
            let mut command = one.command(programs, folder.path())?;
            command
                .arg(&rows)
                .arg(&out)
                .env("FREEPIK_API_KEY", sandbox.api_key())
                .env("KLING_OMNI_BASE_URL", sandbox.base_url())
                .env("HOME", folder.path())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(
                    fs::File::options()
                        .create(true)
                        .append(true)
                        .open(folder.path().join("log"))?,
                )
                .process_group(0);
            Ok::<_, anyhow::Error>(command.spawn()?)
        };
        let began = Instant::now();
        let mut kills = self.kill_times().into_iter().peekable();
        let mut starts = 1;
        let mut process = start()?;
        loop {
            let ended = process.try_wait()?;
            if let Some(ended) = ended {
                if videos(&out)? >= self.rows || starts >= MAX_STARTS {
                    break;
                }
                eprintln!("{}: ended with {ended}", one.file);
            } else if kills.next_if(|time| *time <= began.elapsed()).is_some() {
                kill(&mut process)?;
            } else {
                thread::sleep(Duration::from_millis(20));
                continue;
            }
            process = start()?;
            starts += 1;
        }
        let seconds = began.elapsed().as_secs_f64();
        let requests = sandbox.requests();
        let requests = requests[before..]
            .iter()
            .filter(|request| request.host() == Host::Api);
        let made = Made {
            charges: sandbox.charges() - older,
            requests: requests.count(),
            seconds,
            starts,
            videos: videos(&out)?,
        };
        if made.videos < self.rows {
            let log = fs::read_to_string(folder.path().join("log"))?;
            let lines: Vec<_> = log.lines().collect();
            eprintln!("{}", lines[lines.len().saturating_sub(20)..].join("\n"));
        }
        eprintln!("{}: {} paid, {seconds:.0} s", one.file, made.charges);
        Ok(made)
    }

    fn start_sandbox(&self) -> Result<Sandbox> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let sandbox = Sandbox::builder()
            .seed(self.seed)
            .task_time(Duration::from_secs(self.task_seconds))
            .jitter(0.2)
            .rate_limit(u32::MAX)
            .record_limit(usize::MAX)
            .fault(CREATE_TIME.parse()?)
            .start();
        let sandbox = runtime.block_on(async {
            let sandbox = sandbox.await?;
            // An account without any task has no list, which proves nothing about a lost create.
            let client = Client::builder()
                .api_key(ApiKey::new(sandbox.api_key())?)
                .base_url(sandbox.base_url())
                .build()?;
            let older = TextToVideo::builder().prompt("An older task").build()?;
            client.create(older).await?;
            anyhow::Ok(sandbox)
        })?;
        // It ends with the process, and idles once its sandbox is dropped.
        thread::spawn(move || runtime.block_on(future::pending::<()>()));
        Ok(sandbox)
    }
}

impl Alternative {
    /// The lines that a user writes, without empty ones and comments.
    fn lines(&self) -> usize {
        let lines = self.text.lines().map(str::trim);
        let written = lines
            .filter(|line| !line.is_empty() && !line.starts_with("//") && !line.starts_with('#'));
        written.count()
    }

    fn command(&self, programs: &Path, folder: &Path) -> Result<Command> {
        if self.file.ends_with(".rs") {
            return Ok(Command::new(programs.join(self.file).with_extension("")));
        }
        let script = folder.join(self.file);
        fs::write(&script, self.text)?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        let paths = [programs.to_owned()].into_iter();
        let path = std::env::join_paths(paths.chain(std::env::split_paths(&path)))?;
        let mut command = Command::new("sh");
        command.arg(script).env("PATH", path);
        Ok(command)
    }
}

/// Kills a process and those that it started.
fn kill(process: &mut Child) -> Result<()> {
    let group = Pid::from_raw(i32::try_from(process.id())?).context("no process id")?;
    kill_process_group(group, Signal::KILL)?;
    process.wait()?;
    Ok(())
}

/// The number of videos in a folder.
fn videos(folder: &Path) -> Result<usize> {
    let mut count = 0;
    for file in fs::read_dir(folder).into_iter().flatten() {
        let path: PathBuf = file?.path();
        let is_hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        count += usize::from(path.extension().is_some_and(|end| end == "mp4") && !is_hidden);
    }
    Ok(count)
}
