//! Media files for requests.

use std::fs;
use std::path::{Path, PathBuf};

/// Returns the path of a fixture: `dance.mp4` and `stage.png` are valid, `long.mp4` has 12 seconds, and only the successor
/// route rejects `slow.mp4`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/fixtures")
        .join(name)
}

/// Copies fixtures to a folder.
pub fn copy_fixtures(folder: &Path, names: &[&str]) {
    for name in names {
        fs::copy(fixture(name), folder.join(name)).unwrap();
    }
}
