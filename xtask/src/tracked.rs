//! The tracked files: they follow from the spec and the code, are checked in, and are never edited by hand. A reviewer reads
//! a change of the spec in them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use similar::{ChangeTag, TextDiff};

use crate::codegen::{GENERATED, write};
use crate::spec::source::git;
use crate::{rules_page, surface};

/// What a file is about, in the order in which people read them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Snapshots of one kind, by the name of their folder below `SNAPSHOTS`.
    Snapshots(String),
    /// Listings of the public surface.
    Surface,
    /// What the program prints.
    Program,
    /// What the xtask and `openapi-diff` print.
    Xtask,
    /// Pages of the documentation that come from the code.
    Docs,
    /// The generated crate.
    Generated,
}

/// Where snapshots lie in a folder for each kind.
const SNAPSHOTS: &str = "tests/snapshots";

/// Folders of tracked files, each with the kind of those that lie in it.
const FOLDERS: [(&str, Kind); 5] = [
    (GENERATED, Kind::Generated),
    (surface::FOLDER, Kind::Surface),
    ("crates/kling-omni-cli/tests/it/snapshots", Kind::Program),
    ("crates/openapi-diff/tests/snapshots", Kind::Xtask),
    ("xtask/tests/snapshots", Kind::Xtask),
];

/// Pages that the code writes, all of them or a part.
const PAGES: [&str; 2] = [rules_page::PAGE, "docs/reliability.md"];

/// The tracked files by their path from the workspace's root.
pub type TrackedFiles = BTreeMap<String, String>;

/// How one tracked file changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDiff {
    /// What it is about.
    pub kind: Kind,
    /// Its path from the workspace's root.
    pub path: String,
    /// Lines added.
    pub added: usize,
    /// Lines removed.
    pub removed: usize,
    /// Whether the file was added, removed or changed.
    pub status: FileStatus,
}

/// What happened to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileStatus {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// Its content changed.
    Changed,
}

impl Kind {
    /// What a file is about; `None` for one that is not tracked.
    pub fn of(path: &str) -> Option<Self> {
        let folder = FOLDERS.iter().find(|(folder, _)| {
            path.strip_prefix(folder)
                .is_some_and(|rest| rest.starts_with('/'))
        });
        if let Some((_, kind)) = folder {
            return Some(kind.clone());
        }
        if PAGES.contains(&path) {
            return Some(Self::Docs);
        }
        let below = path.strip_prefix(SNAPSHOTS)?.strip_prefix('/')?;
        let (kind, _) = below.split_once('/')?;
        Some(Self::Snapshots(kind.to_owned()))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Snapshots(folder) => folder,
            Self::Surface => "public surface",
            Self::Program => "program",
            Self::Xtask => "xtask",
            Self::Docs => "docs",
            Self::Generated => "generated code",
        })
    }
}

impl FileStatus {
    /// In one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}

/// The tracked files on disk.
pub fn on_disk(root: &Path) -> Result<TrackedFiles> {
    let folders = FOLDERS.iter().map(|(folder, _)| *folder);
    let mut paths: BTreeSet<String> = PAGES.iter().map(|page| (*page).to_owned()).collect();
    for folder in folders.chain([SNAPSHOTS]) {
        let below = write::list(&root.join(folder))?;
        paths.extend(below.into_iter().map(|path| format!("{folder}/{path}")));
    }
    let mut files = TrackedFiles::new();
    for path in paths.into_iter().filter(|path| is_tracked(path)) {
        let place = root.join(&path);
        if place.exists() {
            let text = fs::read_to_string(&place)
                .with_context(|| format!("cannot read {}", place.display()))?;
            files.insert(path, text);
        }
    }
    Ok(files)
}

/// The tracked files at a commit. Those that have not changed since are taken from `now`.
pub fn at_commit(root: &Path, commit: &str, now: &TrackedFiles) -> Result<TrackedFiles> {
    let list = |arguments: &[&str]| -> Result<BTreeSet<String>> {
        let text =
            git(root, arguments)?.with_context(|| format!("git cannot look into {commit}"))?;
        let paths = text.split('\0').filter(|path| is_tracked(path));
        Ok(paths.map(str::to_owned).collect())
    };
    let then = list(&["ls-tree", "-r", "-z", "--name-only", commit])?;
    let changed = list(&[
        "diff",
        "-z",
        "--name-only",
        "--no-renames",
        "--relative",
        commit,
    ])?;
    let mut files = TrackedFiles::new();
    for path in then {
        let text = match now.get(&path).filter(|_| !changed.contains(&path)) {
            Some(text) => text.clone(),
            None => git(root, &["show", &format!("{commit}:./{path}")])?
                .with_context(|| format!("git cannot show {path} at {commit}"))?,
        };
        files.insert(path, text);
    }
    Ok(files)
}

/// Whether a path is that of a tracked file. A pending snapshot is not.
pub fn is_tracked(path: &str) -> bool {
    Kind::of(path).is_some() && !path.ends_with(".snap.new")
}

/// The files that changed, by kind and path.
pub fn diff(before: &TrackedFiles, after: &TrackedFiles) -> Vec<FileDiff> {
    let paths: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let mut diffs: Vec<_> = paths
        .into_iter()
        .filter_map(|path| {
            let (old, new) = (before.get(path), after.get(path));
            if old == new {
                return None;
            }
            let status = match (old, new) {
                (None, _) => FileStatus::Added,
                (_, None) => FileStatus::Removed,
                _ => FileStatus::Changed,
            };
            let text =
                |side: Option<&String>| side.map(String::as_str).unwrap_or_default().to_owned();
            let (added, removed) = lines(&text(old), &text(new));
            Some(FileDiff {
                kind: Kind::of(path)?,
                path: path.clone(),
                added,
                removed,
                status,
            })
        })
        .collect();
    diffs.sort_by(|one, other| (&one.kind, &one.path).cmp(&(&other.kind, &other.path)));
    diffs
}

/// How many lines were added and removed.
fn lines(old: &str, new: &str) -> (usize, usize) {
    let diff = TextDiff::from_lines(old, new);
    let count = |tag| {
        let changes = diff.iter_all_changes();
        changes.filter(|change| change.tag() == tag).count()
    };
    (count(ChangeTag::Insert), count(ChangeTag::Delete))
}
