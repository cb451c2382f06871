//! Snapshots that cover less than before: a text that lost findings may say that a test no longer tries them.

use crate::tracked::{Kind, TrackedFiles};

/// A snapshot with fewer lines than it had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Narrowed {
    /// Its path from the workspace's root.
    pub path: String,
    /// The lines that it had.
    pub was: usize,
    /// The lines that it has; `None` where the file is gone.
    pub is: Option<usize>,
}

/// The snapshots of what is printed, to people or as errors, that lost lines.
pub fn narrowed(then: &TrackedFiles, now: &TrackedFiles) -> Vec<Narrowed> {
    let texts = then.iter().filter(|(path, _)| match Kind::of(path) {
        Some(Kind::Program | Kind::Xtask) => true,
        Some(Kind::Snapshots(folder)) => folder == "errors",
        _ => false,
    });
    texts
        .filter_map(|(path, text)| {
            let was = lines(text);
            let is = now.get(path).map(|text| lines(text));
            is.is_none_or(|is| is < was).then(|| Narrowed {
                path: path.clone(),
                was,
                is,
            })
        })
        .collect()
}

fn lines(text: &str) -> usize {
    text.lines().filter(|line| !line.trim().is_empty()).count()
}
