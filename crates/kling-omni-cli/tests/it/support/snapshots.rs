//! Snapshots of the output, without the parts that differ in each run.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Display;
use std::path::Path;
use std::sync::LazyLock;
use std::thread;

use kling_omni_test_support::snapshots;
use regex::Regex;

/// The parts that differ in each run, and their placeholders.
const PATTERNS: [(&str, &str); 12] = [
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "[task]"),
    (r"ak-[0-9a-f]{32}", "[request]"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:[port]"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "[time]"),
    (r"after [0-9.]+s", "after [span]"),
    (r"retrying in [0-9.]+ s", "retrying in [span]"),
    (r"within [0-9hms]+", "within [span]"),
    (r"expired [0-9][0-9hms ]* ago", "expired [span] ago"),
    (r"saved [0-9.]+ [kM]?B", "saved [size]"),
    (r"[0-9.]+ [kMGT]?B are free", "[size] are free"),
    (r#""bytes":\d+"#, r#""bytes":[size]"#),
    (r"[0-9a-f]{64}", "[hash]"),
];

static FILTERS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let filters = PATTERNS.iter();
    filters
        .map(|(pattern, shown)| (Regex::new(pattern).unwrap(), *shown))
        .collect()
});

/// The snapshots of one test. All are compared before the test fails.
pub struct Snapshots {
    snapshots: Option<snapshots::Snapshots>,
    checked: BTreeMap<String, String>,
}

impl Snapshots {
    /// Compares `shown`, without the parts that differ in each run, with the snapshot `name`. A test may check several outputs
    /// against one snapshot.
    pub fn check(&mut self, name: impl AsRef<str>, shown: impl Display) {
        let mut shown = shown.to_string();
        for (pattern, replacement) in &*FILTERS {
            shown = pattern.replace_all(&shown, *replacement).into_owned();
        }
        match self.checked.entry(name.as_ref().to_owned()) {
            Entry::Occupied(before) => assert_eq!(before.get(), &shown, "{}", before.key()),
            Entry::Vacant(first) => {
                let snapshots = self.snapshots.as_mut();
                let snapshots = snapshots.expect("present until drop");
                snapshots.check(first.key(), &shown);
                first.insert(shown);
            }
        }
    }
}

impl Default for Snapshots {
    fn default() -> Self {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = package.join("tests/it/snapshots");
        Self {
            snapshots: Some(snapshots::Snapshots::some_of(folder)),
            checked: BTreeMap::new(),
        }
    }
}

impl Drop for Snapshots {
    fn drop(&mut self) {
        if let Some(snapshots) = self.snapshots.take()
            && !thread::panicking()
        {
            snapshots.finish();
        }
    }
}
