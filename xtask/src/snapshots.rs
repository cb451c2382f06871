//! Runs the tests of the workspace, each once, and finds the snapshots that differ or that no test uses.

pub mod outcome;
pub mod run;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::codegen::{Mode, write};
use crate::log::Log;
use outcome::Failure;
use run::Job;

/// The folders below which snapshots are, from the workspace's root.
const FOLDERS: [&str; 3] = ["crates", "xtask", "tests"];

/// What a run of the tests showed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Snapshot files that are not what the tests make, from the workspace's root. Empty after a run that wrote them.
    pub differing: Vec<String>,
    /// Snapshot files that no test asked for. Empty unless every test passed: one that ended early asks for less.
    pub orphans: Vec<String>,
    /// Tests that failed for another reason than a snapshot.
    pub failures: Vec<Failure>,
    /// What the compiler said, when the tests could not be built.
    pub unbuilt: Option<String>,
}

/// Builds all tests and runs each once. With [`Mode::Write`] it updates the snapshots, removes the orphans if every test
/// passed, and stops after the tests of the agreement with the spec if one of these fails.
///
/// # Errors
///
/// When cargo or a test cannot be started, or a file cannot be read or removed.
pub fn run(root: &Path, mode: Mode, log: &mut Log) -> Result<Outcome> {
    let room = TempDir::new().context("no temporary folder")?;
    let pending = room.path().join("pending");
    let variables = match mode {
        Mode::Write => vec![("INSTA_UPDATE", OsStr::new("always"))],
        // What differs goes into a folder of its own, and no test ends at it.
        Mode::Check => vec![
            ("INSTA_UPDATE", OsStr::new("new")),
            ("INSTA_FORCE_PASS", OsStr::new("1")),
            ("INSTA_PENDING_DIR", pending.as_os_str()),
        ],
    };
    log.step("building the tests")?;
    let binaries = match run::build(root, log)? {
        Ok(binaries) => binaries,
        Err(said) => {
            return Ok(Outcome {
                unbuilt: Some(said),
                ..Outcome::default()
            });
        }
    };
    let (first, rest) = Job::in_order(binaries);
    let mut outcome = Outcome::default();
    for (title, jobs) in [
        ("testing the agreement with the spec", first),
        ("running the other tests", rest),
    ] {
        log.step(title)?;
        let failures = run::run(root, jobs, &variables, room.path(), log)?;
        outcome.failures.extend(failures);
        if mode == Mode::Write && !outcome.failures.is_empty() {
            break;
        }
    }
    outcome.differing = differing(&pending)?;
    if outcome.failures.is_empty() {
        outcome.orphans = orphans(root, &run::used(room.path())?)?;
    }
    if mode == Mode::Write {
        clear(root, &outcome.orphans)?;
    }
    Ok(outcome)
}

/// The snapshots that differ: each lies in the folder for them as it lies in the workspace.
fn differing(pending: &Path) -> Result<Vec<String>> {
    let paths = write::list(pending)?;
    let mut paths: Vec<_> = paths
        .iter()
        .filter_map(|path| path.strip_suffix(".new").map(str::to_owned))
        .collect();
    paths.sort();
    Ok(paths)
}

/// The snapshots on disk that are not among those in `used`, which insta wrote: a path on each line.
pub fn orphans(root: &Path, used: &str) -> Result<Vec<String>> {
    let used: BTreeSet<PathBuf> = used
        .lines()
        .filter_map(|line| fs::canonicalize(root.join(line)).ok())
        .collect();
    let mut orphans = Vec::new();
    for path in snapshots(root, "snap")? {
        let place = root.join(&path);
        let place =
            fs::canonicalize(&place).with_context(|| format!("cannot find {}", place.display()))?;
        if !used.contains(&place) {
            orphans.push(path);
        }
    }
    Ok(orphans)
}

/// Removes orphans, and the pending snapshots of other runs.
fn clear(root: &Path, orphans: &[String]) -> Result<()> {
    for path in orphans.iter().chain(&snapshots(root, "new")?) {
        let path = root.join(path);
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}

/// The files in folders of snapshots, by what their names end in.
fn snapshots(root: &Path, extension: &str) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for folder in FOLDERS {
        let below = write::list(&root.join(folder))?.into_iter();
        paths.extend(
            below
                .filter(|path| Path::new(path).extension() == Some(OsStr::new(extension)))
                .filter(|path| path.split('/').any(|step| step == "snapshots"))
                .map(|path| format!("{folder}/{path}")),
        );
    }
    paths.sort();
    Ok(paths)
}
