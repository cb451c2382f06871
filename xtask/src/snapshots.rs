//! The snapshots of every package that has some, held against what the tests make of the code as it is.

pub mod outcome;

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::codegen::{Mode, write};
use outcome::Failure;

/// The folders that may hold packages, from the workspace's root; a `*` stands for each folder in it.
const MEMBERS: [&str; 3] = ["crates/*", "xtask", "tests"];

/// What a package with snapshots depends on: insta itself, or the crate that calls it for the tests of several packages.
const DEPENDENCIES: [&str; 2] = ["insta", "kling-omni-test-support"];

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

/// A package with snapshots.
#[derive(Debug, PartialEq, Eq)]
struct Package {
    name: String,
    /// From the workspace's root.
    folder: String,
}

/// Runs the tests of every package that has snapshots. With [`Mode::Write`] it brings the files up to date and takes the
/// orphans away, if all went well.
///
/// # Errors
///
/// When cargo cannot be started, or a file cannot be read or removed.
pub fn run(root: &Path, mode: Mode) -> Result<Outcome> {
    let packages = packages(root)?;
    let room = TempDir::new().context("no temporary folder")?;
    let (asked, pending) = (room.path().join("asked"), room.path().join("pending"));
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args(["test", "--no-fail-fast"]);
    for package in &packages {
        cargo.args(["--package", &package.name]);
    }
    cargo
        .env("INSTA_SNAPSHOT_REFERENCES_FILE", &asked)
        .env("RUST_BACKTRACE", "0")
        .env("CARGO_TERM_COLOR", "never");
    match mode {
        Mode::Write => cargo
            .env("INSTA_UPDATE", "always")
            .env_remove("INSTA_FORCE_PASS")
            .env_remove("INSTA_PENDING_DIR"),
        // What differs goes into a folder of its own, and no test ends at it.
        Mode::Check => cargo
            .env("INSTA_UPDATE", "new")
            .env("INSTA_FORCE_PASS", "1")
            .env("INSTA_PENDING_DIR", &pending),
    };
    let output = cargo.output().context("cannot start cargo")?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let failures = outcome::failures(&said(&output.stdout));
    let mut outcome = Outcome {
        differing: differing(&pending)?,
        ..Outcome::default()
    };
    if output.status.success() {
        outcome.orphans = orphans(root, &packages, &asked)?;
    } else if failures.is_empty() {
        outcome.unbuilt = Some(said(&output.stderr));
    } else {
        outcome.failures = failures;
    }
    if mode == Mode::Write {
        clear(root, &packages, &outcome.orphans)?;
    }
    Ok(outcome)
}

/// The packages whose tests may have snapshots.
fn packages(root: &Path) -> Result<Vec<Package>> {
    let mut folders = Vec::new();
    for member in MEMBERS {
        match member.strip_suffix("/*") {
            None => folders.push(member.to_owned()),
            Some(parent) => {
                for path in children(&root.join(parent))? {
                    let name = path.file_name().unwrap_or_default().to_string_lossy();
                    folders.push(format!("{parent}/{name}"));
                }
            }
        }
    }
    let mut packages = Vec::new();
    for folder in folders {
        let manifest = root.join(&folder).join("Cargo.toml");
        let Ok(text) = fs::read_to_string(&manifest) else {
            continue;
        };
        let name = text.lines().find_map(|line| line.strip_prefix("name = "));
        let depends = |line: &str| DEPENDENCIES.iter().any(|one| line.starts_with(one));
        if text.lines().any(depends)
            && let Some(name) = name
        {
            let name = name.trim_matches('"').to_owned();
            packages.push(Package { name, folder });
        }
    }
    Ok(packages)
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

/// The snapshots on disk that are not among those asked for.
fn orphans(root: &Path, packages: &[Package], asked: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(asked).unwrap_or_default();
    let asked: BTreeSet<PathBuf> = text
        .lines()
        .filter_map(|line| fs::canonicalize(root.join(line)).ok())
        .collect();
    let mut orphans = Vec::new();
    for path in snapshots(root, packages, "snap")? {
        let place = root.join(&path);
        let place =
            fs::canonicalize(&place).with_context(|| format!("cannot find {}", place.display()))?;
        if !asked.contains(&place) {
            orphans.push(path);
        }
    }
    Ok(orphans)
}

/// Removes orphans, and what other runs have put beside snapshots for somebody to look at.
fn clear(root: &Path, packages: &[Package], orphans: &[String]) -> Result<()> {
    for path in orphans.iter().chain(&snapshots(root, packages, "new")?) {
        let path = root.join(path);
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}

/// The files in the snapshot folders of the packages, by what their names end in.
fn snapshots(root: &Path, packages: &[Package], extension: &str) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for package in packages {
        let below = write::list(&root.join(&package.folder))?.into_iter();
        paths.extend(
            below
                .filter(|path| Path::new(path).extension() == Some(OsStr::new(extension)))
                .filter(|path| path.split('/').any(|step| step == "snapshots"))
                .map(|path| format!("{}/{path}", package.folder)),
        );
    }
    paths.sort();
    Ok(paths)
}

fn children(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}
