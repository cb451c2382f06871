//! Builds the test binaries with cargo, and runs several of them at a time.

use std::collections::VecDeque;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::outcome::{self, Failure};
use crate::log::Log;

/// The package whose tests compare the spec, the generated code and the public types, and the modules that do. They take
/// a second and name the field, where the other tests fail at what follows from it.
const FIRST: (&str, &[&str]) = (
    "kling-omni-tests",
    &[
        "agreement::",
        "constraints::",
        "limits::",
        "schema::",
        "spec::",
    ],
);

/// A test binary.
#[derive(Clone, Debug)]
pub struct Binary {
    package: String,
    folder: PathBuf,
    path: PathBuf,
}

/// Some tests to run.
#[derive(Debug)]
pub struct Job {
    /// `None` for the doctests, which cargo runs.
    binary: Option<Binary>,
    arguments: Vec<String>,
}

/// How a job ended.
struct Ended {
    name: String,
    output: Output,
    took: Duration,
}

/// A line of `cargo test --message-format json`.
#[derive(Deserialize)]
struct Message {
    reason: String,
    executable: Option<PathBuf>,
    manifest_path: Option<PathBuf>,
    package_id: Option<String>,
    profile: Option<Profile>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

impl Job {
    /// All tests of `binaries`: the first that are worth a run of their own, and the rest, the slowest first.
    pub fn in_order(mut binaries: Vec<Binary>) -> (Vec<Self>, Vec<Self>) {
        // What is linked from more takes longer, as a rule.
        binaries.sort_by_key(|binary| {
            std::cmp::Reverse(fs::metadata(&binary.path).map_or(0, |data| data.len()))
        });
        let (package, modules) = FIRST;
        let mut first = Vec::new();
        let mut rest = vec![Self {
            binary: None,
            arguments: Vec::new(),
        }];
        for binary in binaries {
            let mut arguments = Vec::new();
            if binary.package == package {
                let modules: Vec<_> = modules.iter().map(|module| (*module).to_owned()).collect();
                arguments = modules
                    .iter()
                    .flat_map(|module| ["--skip".to_owned(), module.clone()])
                    .collect();
                first.push(Self {
                    binary: Some(binary.clone()),
                    arguments: modules,
                });
            }
            rest.push(Self {
                binary: Some(binary),
                arguments,
            });
        }
        (first, rest)
    }

    fn name(&self) -> String {
        match &self.binary {
            Some(binary) => {
                let file = binary.path.file_name().unwrap_or_default();
                format!("{} {}", binary.package, file.display())
            }
            None => "doctests".to_owned(),
        }
    }

    fn command(&self, root: &Path) -> Command {
        let cargo = cargo();
        match &self.binary {
            Some(binary) => {
                let mut command = Command::new(&binary.path);
                command
                    .current_dir(&binary.folder)
                    .env("CARGO", cargo)
                    .env("CARGO_MANIFEST_DIR", &binary.folder)
                    .args(&self.arguments);
                command
            }
            None => {
                let mut command = Command::new(cargo);
                command
                    .current_dir(root)
                    .args(["test", "--workspace", "--doc", "--no-fail-fast", "--quiet"])
                    .env("CARGO_TERM_COLOR", "never");
                command
            }
        }
    }
}

/// Builds every test of the workspace. `Err` has what the compiler said.
pub fn build(root: &Path, log: &mut Log) -> Result<Result<Vec<Binary>, String>> {
    let output = Command::new(cargo())
        .current_dir(root)
        // As `cargo test` builds it: without `--workspace`, features and so artifacts would be others.
        .args(["build", "--workspace"])
        // Without the examples, each of which would be linked and none of which is run.
        .arg("--tests")
        // Places in several crates are shown at once, whichever crate fails first. `cargo test` cannot do that.
        .args([
            "--keep-going",
            "--quiet",
            "--message-format",
            "json-render-diagnostics",
        ])
        .env("CARGO_TERM_COLOR", "never")
        .output()
        .context("cannot start cargo")?;
    let said = String::from_utf8_lossy(&output.stderr);
    log.details("cargo build --tests", &said)?;
    if !output.status.success() {
        return Ok(Err(said.into_owned()));
    }
    let mut binaries = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(message) = serde_json::from_str::<Message>(line) else {
            continue;
        };
        let is_test = message.profile.is_some_and(|profile| profile.test);
        if let ("compiler-artifact", true, Some(path), Some(manifest), Some(id)) = (
            message.reason.as_str(),
            is_test,
            message.executable,
            message.manifest_path,
            message.package_id,
        ) {
            let folder = manifest.parent().unwrap_or(root).to_owned();
            let package = package(&id, &folder);
            binaries.push(Binary {
                package,
                folder,
                path,
            });
        }
    }
    Ok(Ok(binaries))
}

/// The name of a package, from an id such as `path+file:///folder#name@0.1.0`; without a name, it is that of the folder.
fn package(id: &str, folder: &Path) -> String {
    let end = id.rsplit_once('#').map_or(id, |(_, end)| end);
    match end.split_once('@') {
        Some((name, _)) => name.to_owned(),
        None => folder.file_name().unwrap_or_default().display().to_string(),
    }
}

/// Runs jobs, as many at a time as there are processors. `room` is where they write which snapshots they use.
pub fn run(
    root: &Path,
    jobs: Vec<Job>,
    variables: &[(&str, &OsStr)],
    room: &Path,
    log: &mut Log,
) -> Result<Vec<Failure>> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let queue = Mutex::new(jobs.into_iter().enumerate().collect::<VecDeque<_>>());
    let ended = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().ok().and_then(|mut queue| queue.pop_front());
                    let Some((index, job)) = next else { return };
                    let used = room.join(format!("{index}-{}.used", job.name().replace(' ', "-")));
                    let mut command = job.command(root);
                    command
                        .env_remove("INSTA_FORCE_PASS")
                        .env_remove("INSTA_PENDING_DIR")
                        .envs(variables.iter().copied())
                        .env("INSTA_SNAPSHOT_REFERENCES_FILE", used)
                        .env("RUST_BACKTRACE", "0");
                    let begin = Instant::now();
                    let output = command.output();
                    let one = output.map(|output| Ended {
                        name: job.name(),
                        output,
                        took: begin.elapsed(),
                    });
                    if let Ok(mut ended) = ended.lock() {
                        ended.push(one.with_context(|| format!("cannot start {}", job.name())));
                    }
                }
            });
        }
    });
    let mut failures = Vec::new();
    for one in ended.into_inner().unwrap_or_default() {
        let Ended { name, output, took } = one?;
        let (stdout, stderr) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        log.details(
            &format!("{name}: {:.1} s", took.as_secs_f64()),
            &format!("{stdout}{stderr}"),
        )?;
        if output.status.success() {
            continue;
        }
        let found = outcome::failures(&stdout);
        match found.is_empty() {
            false => failures.extend(found),
            true => failures.push(Failure {
                test: name,
                message: format!("ended with {}\n{}", output.status, stderr.trim()),
            }),
        }
    }
    Ok(failures)
}

/// The snapshots that the jobs used, a path on each line.
pub fn used(room: &Path) -> Result<String> {
    let mut used = String::new();
    for entry in fs::read_dir(room).with_context(|| format!("cannot list {}", room.display()))? {
        let path = entry?.path();
        if path.extension() == Some(OsStr::new("used")) {
            used += &fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
        }
    }
    Ok(used)
}

/// The cargo that runs this program.
fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
