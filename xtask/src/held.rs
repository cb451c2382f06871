//! The files that hold what the spec means: nobody writes them by hand, and a change of the spec is read in them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use similar::{ChangeTag, TextDiff};

use crate::codegen::{GENERATED, write};
use crate::spec::source::git;
use crate::{catalogue, surface};

/// What a file is about, in the order in which people read them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Snapshots of one kind, by the name of their folder below one of the folders of `SNAPSHOTS`.
    Snapshots(String),
    /// Listings of the public surface.
    Surface,
    /// What the program prints.
    Program,
    /// What the chores print.
    Chores,
    /// Pages of the documentation that come from the code.
    Docs,
    /// The generated crate.
    Generated,
}

/// Where snapshots lie in a folder for each kind.
const SNAPSHOTS: [&str; 2] = ["crates/kling-omni/tests/snapshots", "tests/snapshots"];

/// Folders of held files, each with the kind of those that lie in it.
const FOLDERS: [(&str, Kind); 5] = [
    (GENERATED, Kind::Generated),
    (surface::FOLDER, Kind::Surface),
    ("crates/kling-omni-cli/tests/it/snapshots", Kind::Program),
    ("crates/openapi-diff/tests/snapshots", Kind::Chores),
    ("xtask/tests/snapshots", Kind::Chores),
];

/// Pages that the code writes, all of them or a part.
const PAGES: [&str; 2] = [catalogue::PAGE, "docs/reliability.md"];

/// The held files by their path from the workspace's root.
pub type Held = BTreeMap<String, String>;

/// One file that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// What it is about.
    pub kind: Kind,
    /// Its path from the workspace's root.
    pub path: String,
    /// Lines that came.
    pub added: usize,
    /// Lines that went.
    pub removed: usize,
    /// Whether the file is new or gone.
    pub file: Change,
}

/// What happened to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was not there.
    Added,
    /// It is not there any more.
    Removed,
    /// It says something else.
    Changed,
}

impl Kind {
    /// What a file is about; `None` for one that is not held.
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
        let mut below = SNAPSHOTS
            .iter()
            .filter_map(|folder| path.strip_prefix(folder));
        let (kind, _) = below.next()?.strip_prefix('/')?.split_once('/')?;
        Some(Self::Snapshots(kind.to_owned()))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Snapshots(folder) => folder,
            Self::Surface => "public surface",
            Self::Program => "program",
            Self::Chores => "chores",
            Self::Docs => "docs",
            Self::Generated => "generated code",
        })
    }
}

impl Change {
    /// In one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}

/// The held files as they lie on disk.
pub fn on_disk(root: &Path) -> Result<Held> {
    let folders = FOLDERS.iter().map(|(folder, _)| *folder);
    let mut paths: BTreeSet<String> = PAGES.iter().map(|page| (*page).to_owned()).collect();
    for folder in folders.chain(SNAPSHOTS) {
        let below = write::list(&root.join(folder))?;
        paths.extend(below.into_iter().map(|path| format!("{folder}/{path}")));
    }
    let mut held = Held::new();
    for path in paths.into_iter().filter(|path| is_held(path)) {
        let place = root.join(&path);
        if place.exists() {
            let text = fs::read_to_string(&place)
                .with_context(|| format!("cannot read {}", place.display()))?;
            held.insert(path, text);
        }
    }
    Ok(held)
}

/// The held files as they were at a commit. Those that have not changed since are taken from `now`.
pub fn at_commit(root: &Path, commit: &str, now: &Held) -> Result<Held> {
    let list = |arguments: &[&str]| -> Result<BTreeSet<String>> {
        let text =
            git(root, arguments)?.with_context(|| format!("git cannot look into {commit}"))?;
        let paths = text.split('\0').filter(|path| is_held(path));
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
    let mut held = Held::new();
    for path in then {
        let text = match now.get(&path).filter(|_| !changed.contains(&path)) {
            Some(text) => text.clone(),
            None => git(root, &["show", &format!("{commit}:./{path}")])?
                .with_context(|| format!("git cannot show {path} at {commit}"))?,
        };
        held.insert(path, text);
    }
    Ok(held)
}

/// Whether a path is one of a held file. What lies beside a snapshot for somebody to look at is none.
pub fn is_held(path: &str) -> bool {
    Kind::of(path).is_some() && !path.ends_with(".snap.new")
}

/// What is not as it was, by kind and path.
pub fn moved(before: &Held, after: &Held) -> Vec<Moved> {
    let paths: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let mut moved: Vec<_> = paths
        .into_iter()
        .filter_map(|path| {
            let (old, new) = (before.get(path), after.get(path));
            if old == new {
                return None;
            }
            let file = match (old, new) {
                (None, _) => Change::Added,
                (_, None) => Change::Removed,
                _ => Change::Changed,
            };
            let text =
                |side: Option<&String>| side.map(String::as_str).unwrap_or_default().to_owned();
            let (added, removed) = lines(&text(old), &text(new));
            Some(Moved {
                kind: Kind::of(path)?,
                path: path.clone(),
                added,
                removed,
                file,
            })
        })
        .collect();
    moved.sort_by(|one, other| (&one.kind, &one.path).cmp(&(&other.kind, &other.path)));
    moved
}

/// How many lines came and went.
fn lines(old: &str, new: &str) -> (usize, usize) {
    let diff = TextDiff::from_lines(old, new);
    let count = |tag| {
        let changes = diff.iter_all_changes();
        changes.filter(|change| change.tag() == tag).count()
    };
    (count(ChangeTag::Insert), count(ChangeTag::Delete))
}
