//! The ids of tasks, which are text of the service: which ids are valid, and how they are printed and used as file names.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::digest;

/// The maximum length of an id, in bytes.
const MAX_LENGTH: usize = 1024;

/// The id of a task: a text of 1 to 1024 bytes. The service documents nothing else about the form of its ids.
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
        (1..=MAX_LENGTH).contains(&text.len())
    }

    /// Whether the id can be a segment of a path: `.` and `..` are special in URLs, escaped or not.
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
    /// The invalid text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InvalidTaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.0.len();
        write!(
            f,
            "invalid task id ({length} bytes): an id has 1 to {MAX_LENGTH} bytes"
        )
    }
}

/// Returns a file name without extension for the id of a task. It is safe on every system, and differs for different ids.
///
/// Ids are text of the service. An id of ASCII letters, digits, `-` and `_` is returned unchanged. In any other id, and in
/// one that is longer than 100 bytes, begins with `-`, or is a Windows device name such as `aux`, other characters are
/// replaced by `_`, and a part of the hash of the id is appended.
///
/// ```
/// assert_eq!(kling_omni::download::file_stem("046b6c7f-0b8a"), "046b6c7f-0b8a");
/// assert_eq!(kling_omni::download::file_stem("../a"), "___a-61b4c98b");
/// ```
pub fn file_stem(id: &str) -> String {
    const MAX_STEM_LENGTH: usize = 100;
    let is_safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !id.is_empty()
        && id.len() <= MAX_STEM_LENGTH
        && !id.starts_with('-')
        && id.chars().all(is_safe)
        && !is_device(id)
    {
        return id.to_owned();
    }
    let replaced = id.chars().map(|c| if is_safe(c) { c } else { '_' });
    let mut stem: String = replaced.take(MAX_STEM_LENGTH).collect();
    if stem.is_empty() || stem.starts_with('-') {
        stem.insert(0, '_');
    }
    let hash = digest::hex(Sha256::new_with_prefix(id));
    format!("{stem}-{}", &hash[..8])
}

/// Whether a name is a device on Windows, with any extension.
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
