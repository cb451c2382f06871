//! The names of the files of the videos: patterns, safety, and collisions.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

/// Files that a batch keeps in the output folder itself.
const RESERVED: [&str; 7] = [
    "batch.db",
    "batch.db-wal",
    "batch.db-shm",
    "batch.db.lock",
    "results.jsonl",
    "report.csv",
    "report.html",
];

/// The maximum length of a name on common file systems, in bytes.
const MAX_NAME: usize = 255;
/// The maximum length of a path on Windows, in characters, without the output folder.
const MAX_PATH: usize = 200;

/// Fails for an unknown name in braces.
pub(super) fn check_pattern(pattern: &str) -> Result<(), String> {
    expand(pattern, &[("id", ""), ("row", ""), ("stem", "")]).map(|_| ())
}

/// Replaces the names in braces by their values.
pub(super) fn expand(pattern: &str, values: &[(&str, &str)]) -> Result<String, String> {
    let mut output = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        output.push_str(before);
        let (name, after) = after
            .split_once('}')
            .ok_or_else(|| format!("{pattern:?} has a brace that is not closed"))?;
        let value = values.iter().find(|(known, _)| *known == name);
        let (_, value) = value.ok_or_else(|| {
            format!("{pattern:?} has {{{name}}}, which is not {{id}}, {{row}} or {{stem}}")
        })?;
        output.push_str(value);
        rest = after;
    }
    output.push_str(rest);
    Ok(output)
}

/// Returns the path if it stays in the output folder and can be a file name on any system.
pub(super) fn check(text: &str) -> Result<PathBuf, String> {
    let invalid = |problem: &str| Err(format!("{text:?} {problem}"));
    if text
        .chars()
        .any(|c| c.is_control() || matches!(c, '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|'))
    {
        return invalid("has a character that not every file system allows");
    }
    let path = Path::new(text);
    let components: Vec<_> = path.components().collect();
    if components
        .iter()
        .any(|part| !matches!(part, Component::Normal(_)))
    {
        return invalid("is outside of the output folder");
    }
    let is_file = path.file_name().is_some() && !text.ends_with('/');
    if !is_file {
        return invalid("is not the name of a file");
    }
    if text.chars().count() > MAX_PATH {
        return Err(format!("has more than {MAX_PATH} characters"));
    }
    for part in text.split('/').filter(|part| !part.is_empty()) {
        if part.len() > MAX_NAME {
            return Err(format!("has a name of more than {MAX_NAME} bytes"));
        }
        if part.ends_with(['.', ' ']) {
            return invalid("has a name that ends with a dot or a space");
        }
    }
    if RESERVED.contains(&&*text.to_lowercase()) {
        return invalid("is a file of the batch itself");
    }
    Ok(components.iter().collect())
}

/// The outputs of the rows so far, without regard to case.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    files: HashMap<String, u64>,
    /// The folders that contain them.
    folders: HashMap<String, u64>,
}

impl Outputs {
    /// Adds the output of a row. Fails if it is that of another row, or the folder of one.
    pub(super) fn add(&mut self, output: &Path, row: u64) -> Result<(), String> {
        let name = output.to_string_lossy().to_lowercase();
        if let Some(other) = self.files.get(&name) {
            return Err(format!("{output:?} is the output of row {other}, too"));
        }
        if let Some(other) = self.folders.get(&name) {
            return Err(format!(
                "{output:?} is the folder of the output of row {other}"
            ));
        }
        let folders = Path::new(&name).ancestors().skip(1);
        let folders: Vec<_> = folders
            .map(|folder| folder.to_string_lossy().into_owned())
            .collect();
        if let Some(other) = folders.iter().find_map(|folder| self.files.get(folder)) {
            return Err(format!("{output:?} is below the output of row {other}"));
        }
        for folder in folders {
            self.folders.entry(folder).or_insert(row);
        }
        self.files.insert(name, row);
        Ok(())
    }
}
