//! Exactly what CI runs, step by step.

pub mod steps;

use std::env;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::exit::Exit;
use steps::{STEPS, Step};

/// Where the tools are installed, from the workspace's root.
const TOOLS: &str = "target/ci-tools";

/// What every step needs to know.
#[derive(Debug)]
pub struct Ci {
    /// The root of the workspace.
    pub root: PathBuf,
    /// This program.
    pub program: PathBuf,
}

/// How a step ended.
#[derive(Debug)]
pub struct Ended {
    /// The step.
    pub step: &'static Step,
    /// How long it took.
    pub took: Duration,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
}

/// Why a step failed.
#[derive(Debug)]
pub enum Failure {
    /// It found something.
    Found(String),
    /// It was not tried, for want of the tools.
    NoTools,
}

/// The steps with these names in the order of all; all of them for no names.
///
/// # Errors
///
/// When there is no step of such a name.
pub fn choose(names: &[String]) -> Result<Vec<&'static Step>> {
    if let Some(name) = names
        .iter()
        .find(|name| !STEPS.iter().any(|step| step.name == **name))
    {
        let known: Vec<_> = STEPS.iter().map(|step| step.name).collect();
        bail!("there is no step {name}; there are {}", known.join(", "));
    }
    let is_named = |step: &Step| names.iter().any(|name| *name == step.name);
    let is_chosen = |step: &&Step| is_named(step) || (names.is_empty() && !step.on_request);
    Ok(STEPS.iter().filter(is_chosen).collect())
}

/// The steps, a line each.
pub fn list() -> String {
    let width = STEPS.iter().map(|step| step.name.len()).max();
    let width = width.unwrap_or_default();
    STEPS
        .iter()
        .map(|step| format!("{:width$}  {}\n", step.name, step.title))
        .collect()
}

impl Ci {
    /// Runs steps. After a failed step, the next ones still run, and one run shows every failure. Steps that
    /// need a tool are skipped if the tools could not be installed.
    pub fn run(&self, steps: &[&'static Step]) -> Vec<Ended> {
        let mut all: Vec<Ended> = Vec::new();
        for step in steps {
            println!("\n=== {}", step.title);
            let begin = Instant::now();
            let lacks_tools = all
                .iter()
                .any(|ended| ended.step.name == steps::TOOLS && ended.failure.is_some());
            let failure = match step.needs_tools && lacks_tools {
                true => Some(Failure::NoTools),
                false => (step.run)(self)
                    .err()
                    .map(|error| Failure::Found(format!("{error:#}"))),
            };
            match &failure {
                Some(Failure::Found(error)) => println!("{error}"),
                Some(Failure::NoTools) => println!("not tried: its tool could not be installed"),
                None => {}
            }
            let took = begin.elapsed();
            println!("--- {} s", took.as_secs());
            // Steps write to the same place on their own.
            let _ = io::stdout().flush();
            all.push(Ended {
                step,
                took,
                failure,
            });
        }
        all
    }

    /// A program of a step, in the workspace, with the tools before all else.
    pub fn command(&self, program: &str) -> Command {
        let mut command = match program {
            "cargo" => Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into())),
            program => Command::new(self.find(program)),
        };
        command
            .current_dir(&self.root)
            .env("PATH", self.path())
            // Everything is built once.
            .env("CARGO_INCREMENTAL", "0")
            .env("INSTA_UPDATE", "no");
        if env::var_os("CARGO_TERM_COLOR").is_none() {
            command.env("CARGO_TERM_COLOR", "always");
        }
        command
    }

    /// Runs a command, which writes for itself.
    ///
    /// # Errors
    ///
    /// When it cannot be started or does not succeed.
    pub fn succeed(&self, command: &mut Command) -> Result<()> {
        let program = command.get_program().to_string_lossy().into_owned();
        let status = command
            .status()
            .with_context(|| format!("cannot start {program}"))?;
        if !status.success() {
            let arguments: Vec<_> = command
                .get_args()
                .map(|one| one.to_string_lossy())
                .collect();
            let name = Path::new(&program).file_name().unwrap_or_default();
            bail!(
                "`{} {}` ended with {status}",
                name.display(),
                arguments.join(" ")
            );
        }
        Ok(())
    }

    /// Where the tools are installed.
    pub fn tools(&self) -> PathBuf {
        self.root.join(TOOLS)
    }

    /// An installed tool, or the program of that name.
    fn find(&self, program: &str) -> PathBuf {
        let installed = self.tools().join("bin").join(program);
        match installed.exists() {
            true => installed,
            false => PathBuf::from(program),
        }
    }

    fn path(&self) -> OsString {
        let before = env::var_os("PATH").unwrap_or_default();
        let all = [self.tools().join("bin")]
            .into_iter()
            .chain(env::split_paths(&before));
        env::join_paths(all).unwrap_or(before)
    }
}

/// What a person reads after the last step.
pub fn report(all: &[Ended]) -> String {
    let mut text = String::from("\n");
    let width = all.iter().map(|ended| ended.step.title.len()).max();
    let width = width.unwrap_or_default();
    for ended in all {
        let verdict = match (&ended.failure, ended.step.fix) {
            (None, _) => "passed".to_owned(),
            (Some(Failure::NoTools), _) => "not tried".to_owned(),
            (Some(Failure::Found(_)), Some(fix)) => format!("FAILED; run `{fix}`"),
            (Some(Failure::Found(_)), None) => "FAILED".to_owned(),
        };
        let seconds = ended.took.as_secs();
        text.push_str(&format!(
            "{:width$}  {seconds:>4} s  {verdict}\n",
            ended.step.title
        ));
    }
    let failed = all.iter().filter(|ended| ended.failure.is_some()).count();
    let seconds: u64 = all.iter().map(|ended| ended.took.as_secs()).sum();
    let verdict = match failed {
        0 => "All passed".to_owned(),
        count => format!("{count} of {} failed", all.len()),
    };
    text.push_str(&format!(
        "{verdict} in {} min {} s.\n",
        seconds / 60,
        seconds % 60
    ));
    text
}

/// How a run ends: with [`Exit::Stale`] when commands fix all that failed.
pub fn exit(all: &[Ended]) -> Exit {
    let failed: Vec<_> = all.iter().filter(|ended| ended.failure.is_some()).collect();
    match failed.iter().all(|ended| ended.step.fix.is_some()) {
        true if failed.is_empty() => Exit::Done,
        true => Exit::Stale,
        false => Exit::NeedsHuman,
    }
}
