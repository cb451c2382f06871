//! What the spec has and the ergonomic crate has not, from the snapshots of their agreement.

use crate::tracked::TrackedFiles;

/// The folder of the snapshots.
const AGREEMENT: &str = "tests/snapshots/agreement/";

/// How the line of such a thing ends.
const NOT_OFFERED: &str = "only the spec: not offered yet";

/// Something that is not offered yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// The schema with the field, the enum with the value, or the operation.
    pub what: String,
    /// Whether it has come with this change.
    pub is_new: bool,
}

/// Everything that is not offered yet.
pub fn list(then: &TrackedFiles, now: &TrackedFiles) -> Vec<Open> {
    let before = all(then);
    all(now)
        .into_iter()
        .map(|what| Open {
            is_new: !before.contains(&what),
            what,
        })
        .collect()
}

fn all(files: &TrackedFiles) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in files {
        let Some(of) = path
            .strip_prefix(AGREEMENT)
            .and_then(|name| name.strip_suffix(".snap"))
        else {
            continue;
        };
        for line in text.lines() {
            if let Some(what) = line.strip_suffix(NOT_OFFERED) {
                let what = what.trim_end();
                found.push(match what.strip_prefix('.') {
                    Some(field) => format!("the field {of}.{field}"),
                    None if of == "operations" => format!("the operation {what}"),
                    None => format!("the value {what}"),
                });
            }
        }
    }
    found
}
