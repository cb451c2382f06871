//! The files of this workspace, by their path from its root.

use std::fs;
use std::path::{Path, PathBuf};

const OUR_HIDDEN_FOLDERS: [&str; 4] = [".cargo", ".ci", ".config", ".github"];

/// The root of the workspace.
pub fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package
        .ancestors()
        .nth(2)
        .expect("the package lies in a folder of the workspace")
}

/// The text of a file.
pub fn read(path: &str) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files below a folder, sorted, without those that are built or belong to a person's own tools.
pub fn files_below(folder: &str) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for path in entries(&folder) {
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.unwrap_or_default();
            let is_foreign = name.starts_with('.') && !OUR_HIDDEN_FOLDERS.contains(&name);
            if path.is_dir() {
                if name != "target" && !is_foreign {
                    folders.push(path);
                }
            } else if let Some(path) = path.strip_prefix(root()).ok().and_then(Path::to_str) {
                files.push(path.replace('\\', "/"));
            }
        }
    }
    files.sort();
    files
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.flatten().map(|entry| entry.path()).collect()
}
