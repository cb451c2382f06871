//! Snapshots in files, all of a test compared before it fails.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::Once;
use std::{env, fs, thread};

use similar::{ChangeTag, TextDiff};

use crate::{fail, sources};

/// A longer difference is cut in the message; version control shows it whole once it is accepted.
const SHOWN_LINES: usize = 12;

const HOW_TO_ACCEPT: &str = "If that is what was meant, accept it: `cargo xtask accept`";

/// How insta's panic begins when a snapshot is not what it was.
const DIFFERS: &str = "snapshot assertion";

/// The snapshots of one test.
///
/// A bare `assert_snapshot!` ends the test at the first difference, so a change would show one file a run. This
/// compares them all and fails once, with a few lines for each.
#[must_use = "nothing fails before `finish`"]
pub struct Snapshots {
    folder: PathBuf,
    owns_folder: bool,
    settings: insta::Settings,
    names: BTreeSet<String>,
    differences: Vec<String>,
}

impl Snapshots {
    /// Some of the snapshots in a folder.
    pub fn some_of(folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        let mut settings = insta::Settings::new();
        settings.set_snapshot_path(&folder);
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        Self {
            folder,
            owns_folder: false,
            settings,
            names: BTreeSet::new(),
            differences: Vec::new(),
        }
    }

    /// All the snapshots in a folder: a file in it that nothing was compared with fails the test.
    pub fn all_of(folder: impl Into<PathBuf>) -> Self {
        Self {
            owns_folder: true,
            ..Self::some_of(folder)
        }
    }

    /// Compares `text` with the snapshot `name`.
    pub fn check(&mut self, name: &str, text: &str) {
        assert!(
            self.names.insert(format!("{name}.snap")),
            "two snapshots are called {name}"
        );
        // Read before insta may write it.
        let stored = fs::read_to_string(self.folder.join(format!("{name}.snap"))).ok();
        let compare = || self.settings.bind(|| insta::assert_snapshot!(name, text));
        if let Err(payload) = quietly(compare) {
            let lines = match payload.downcast_ref::<String>() {
                Some(message) if !message.starts_with(DIFFERS) => format!("  {message}\n"),
                _ => difference(stored.as_deref().map(contents), text),
            };
            self.differ(&format!("{name}.snap"), &lines);
        }
    }

    /// Fails if any snapshot differed.
    ///
    /// # Panics
    ///
    /// With the lines that differ, of all snapshots, and the way to accept them.
    pub fn finish(mut self) {
        // The collected names show the orphans of all packages.
        if self.owns_folder && env::var_os("INSTA_SNAPSHOT_REFERENCES_FILE").is_none() {
            for orphan in self.orphans() {
                self.differ(&orphan, "  is a snapshot of nothing any more\n");
            }
        }
        if self.differences.is_empty() {
            return;
        }
        fail(&format!("{}\n{HOW_TO_ACCEPT}", self.differences.join("\n")));
    }

    fn differ(&mut self, file: &str, lines: &str) {
        let path = self.folder.join(file);
        let path = path.strip_prefix(sources::root()).unwrap_or(&path);
        self.differences
            .push(format!("{}\n{lines}", path.display()));
    }

    fn orphans(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let files = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut orphans: Vec<_> = files
            .filter(|file| file.ends_with(".snap") && !self.names.contains(file))
            .collect();
        orphans.sort();
        orphans
    }
}

/// The text of a snapshot file, without insta's header.
pub fn contents(file: &str) -> &str {
    file.split_once("\n---\n")
        .map_or(file, |(_, contents)| contents)
        .trim_end()
}

/// The lines that differ, and nothing around them: each names what it is about.
fn difference(stored: Option<&str>, text: &str) -> String {
    let stored = stored.map_or_else(String::new, |stored| format!("{stored}\n"));
    let text = format!("{}\n", text.trim_end());
    let diff = TextDiff::from_lines(&stored, &text);
    let changes: Vec<_> = diff
        .iter_all_changes()
        .filter(|change| change.tag() != ChangeTag::Equal)
        .collect();
    let mut lines = String::new();
    for change in changes.iter().take(SHOWN_LINES) {
        // A `String` takes whatever is written.
        let _ = writeln!(lines, "  {} {}", change.tag(), change.value().trim_end());
    }
    if let Some(more @ 1..) = changes.len().checked_sub(SHOWN_LINES) {
        let _ = writeln!(lines, "  … and {more} more");
    }
    lines
}

/// Runs something without a word of its panic on stderr.
fn quietly(run: impl FnOnce()) -> thread::Result<()> {
    thread_local! {
        static QUIET: Cell<bool> = const { Cell::new(false) };
    }
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                loud(info);
            }
        }));
    });
    QUIET.set(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(run));
    QUIET.set(false);
    outcome
}
