//! The ids of tasks, which are the service's text: what is taken for one, and how it is shown and named on disk.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::digest;

/// The longest id that is kept, in bytes.
const LONGEST_ID: usize = 1024;

/// The id of a task: a text of 1 to 1024 bytes. The service promises nothing else about the form of its ids.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TaskId(Arc<str>);

/// A text that is too short or too long for the id of a task.
#[derive(Clone, Debug)]
pub(crate) struct InvalidTaskId(Arc<str>);

impl TaskId {
    pub(crate) fn parse(text: impl Into<Arc<str>>) -> Result<Self, InvalidTaskId> {
        let text = text.into();
        match Self::is_valid(&text) {
            true => Ok(Self(text)),
            false => Err(InvalidTaskId(text)),
        }
    }

    pub(crate) fn is_valid(text: &str) -> bool {
        (1..=LONGEST_ID).contains(&text.len())
    }

    /// Whether the id can be a segment of a path: URLs take these two for steps in it, escaped or not.
    pub(crate) fn is_path_segment(&self) -> bool {
        !matches!(&*self.0, "." | "..")
    }
}

impl Deref for TaskId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for TaskId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl InvalidTaskId {
    /// The text, which is no id.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InvalidTaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.0.len();
        write!(
            f,
            "a task id must have 1 to {LONGEST_ID} bytes, this one has {length}"
        )
    }
}

/// The id of a task as a file name without its extension: safe on every system, and different for different ids.
///
/// Ids are the service's text. One of ASCII letters, digits, `-` and `_` is kept. In any other, one that is longer than
/// 100 bytes, begins with `-`, or is a device on Windows such as `aux`, the rest is replaced by `_`, and a part of its hash
/// is added.
///
/// ```
/// assert_eq!(kling_omni::download::file_stem("046b6c7f-0b8a"), "046b6c7f-0b8a");
/// assert_eq!(kling_omni::download::file_stem("../a"), "___a-61b4c98b");
/// ```
pub fn file_stem(id: &str) -> String {
    const LONGEST: usize = 100;
    let is_safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !id.is_empty()
        && id.len() <= LONGEST
        && !id.starts_with('-')
        && id.chars().all(is_safe)
        && !is_device(id)
    {
        return id.to_owned();
    }
    let replaced = id.chars().map(|c| if is_safe(c) { c } else { '_' });
    let mut stem: String = replaced.take(LONGEST).collect();
    if stem.is_empty() || stem.starts_with('-') {
        stem.insert(0, '_');
    }
    let hash = digest::hex(Sha256::new_with_prefix(id));
    format!("{stem}-{}", &hash[..8])
}

/// Whether Windows takes a name, with any extension, for a device.
fn is_device(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is_port = |port: &str| matches!(port.as_bytes(), [b'0'..=b'9']);
    matches!(&*name, "con" | "prn" | "aux" | "nul" | "conin$" | "conout$")
        || ["com", "lpt"]
            .iter()
            .any(|kind| name.strip_prefix(kind).is_some_and(is_port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_stems_are_safe_and_differ() {
        for (id, stem) in [
            ("046b6c7f-0b8a_43B9", "046b6c7f-0b8a_43B9"),
            ("com10", "com10"),
            ("nul-1", "nul-1"),
        ] {
            assert_eq!(file_stem(id), stem);
        }
        let long = "a".repeat(500);
        let mut stems = Vec::new();
        for id in [
            "",
            ".",
            "..",
            "../a",
            "..\\a",
            "a/b",
            "a\\b",
            "a:b",
            "a.b",
            "aux.",
            "aux",
            "AUX",
            "Com1",
            "LPT9",
            "con",
            "-rf",
            "--force",
            "a b",
            "a\nb",
            "a\u{202e}b",
            "ä",
            "\0",
            &long,
        ] {
            let stem = file_stem(id);
            assert!(stem.len() <= 110, "{id:?}: {stem}");
            assert!(
                !stem.starts_with('-') && !is_device(&stem),
                "{id:?}: {stem}"
            );
            let is_safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            assert!(stem.chars().all(is_safe), "{id:?}: {stem}");
            assert!(!stems.contains(&stem), "{id:?}: {stem}");
            stems.push(stem);
        }
    }
}
