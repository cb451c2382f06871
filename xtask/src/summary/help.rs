//! What a user of the program sees differently: the lines of its help that changed.

use similar::{ChangeTag, TextDiff};

use crate::tracked::TrackedFiles;

/// How the snapshots of help texts begin.
const HELP: &str = "crates/kling-omni-cli/tests/it/snapshots/help-";

/// The help of one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Help {
    /// The command.
    pub command: String,
    /// The lines that changed, each after a sign as in a diff.
    pub lines: Vec<String>,
}

/// The commands whose help changed.
pub fn diff(then: &TrackedFiles, now: &TrackedFiles) -> Vec<Help> {
    let mut paths: Vec<_> = then.keys().chain(now.keys()).collect();
    paths.sort();
    paths.dedup();
    let helps = paths.into_iter().filter_map(|path| {
        let command = path.strip_prefix(HELP)?.strip_suffix(".snap")?;
        let text = |files: &TrackedFiles| files.get(path).cloned().unwrap_or_default();
        let (then, now) = (text(then), text(now));
        let diff = TextDiff::from_lines(&then, &now);
        let changes = diff
            .iter_all_changes()
            .filter(|change| change.tag() != ChangeTag::Equal);
        Some(Help {
            command: command.to_owned(),
            lines: changes
                .map(|change| format!("{}{}", change.tag(), change.value().trim_end()))
                .collect(),
        })
    });
    helps.filter(|help| !help.lines.is_empty()).collect()
}
