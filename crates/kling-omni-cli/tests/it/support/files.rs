//! Media files for requests.

use std::fs;
use std::path::{Path, PathBuf};

/// Videos and images that the service takes, and some that it does not: `dance.mp4` and `stage.png`, `long.mp4` of 12
/// seconds, and `slow.mp4`, which only the newer of the routes refuses.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/fixtures")
        .join(name)
}

/// Copies fixtures to a folder.
pub fn bring(folder: &Path, names: &[&str]) {
    for name in names {
        fs::copy(fixture(name), folder.join(name)).unwrap();
    }
}
