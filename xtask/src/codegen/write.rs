//! Generated files on disk.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use similar::TextDiff;
use tempfile::NamedTempFile;

use openapi_codegen::Files;

/// One file on disk that is not what would be generated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Path below the generated folder, with `/`.
    pub path: String,
    /// What is on disk; `None` when the file is missing.
    pub old: Option<String>,
    /// What belongs there; `None` when the file belongs nowhere.
    pub new: Option<String>,
}

/// Compares the folder with the files that belong there.
pub fn compare(folder: &Path, files: &Files) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    let on_disk = list(folder)?;
    let paths: BTreeSet<_> = on_disk.iter().chain(files.keys()).collect();
    for path in paths {
        let old = match on_disk.contains(path) {
            true => Some(read(&folder.join(path))?),
            false => None,
        };
        let new = files.get(path).cloned();
        if old != new {
            let path = path.clone();
            changes.push(Change { path, old, new });
        }
    }
    Ok(changes)
}

/// Makes the changes. Everything is written beside its target before the first target is replaced: a failure
/// leaves the folder unchanged.
pub fn apply(folder: &Path, changes: &[Change]) -> Result<()> {
    let mut ready: Vec<(NamedTempFile, PathBuf)> = Vec::new();
    for change in changes {
        if let Some(new) = &change.new {
            let target = folder.join(&change.path);
            let staged = stage(&target, new);
            ready.push((
                staged.with_context(|| format!("cannot write {}", target.display()))?,
                target,
            ));
        }
    }
    for (staged, target) in ready {
        staged
            .persist(&target)
            .with_context(|| format!("cannot replace {}", target.display()))?;
    }
    for change in changes.iter().filter(|change| change.new.is_none()) {
        let target = folder.join(&change.path);
        fs::remove_file(&target).with_context(|| format!("cannot remove {}", target.display()))?;
    }
    remove_empty(folder)
}

/// A change as a unified diff.
pub fn diff(change: &Change) -> String {
    let side = |text: &Option<String>, name: &str| match text {
        Some(_) => format!("{name}/{}", change.path),
        None => "/dev/null".to_owned(),
    };
    let old = change.old.as_deref().unwrap_or_default();
    let new = change.new.as_deref().unwrap_or_default();
    TextDiff::from_lines(old, new)
        .unified_diff()
        .context_radius(2)
        .header(
            &side(&change.old, "checked in"),
            &side(&change.new, "generated"),
        )
        .to_string()
}

fn stage(target: &Path, text: &str) -> Result<NamedTempFile> {
    let folder = target.parent().context("the target is not a file")?;
    fs::create_dir_all(folder)?;
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        // A temporary file is private; a source file has the permissions that the umask leaves.
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.prefix(".codegen-").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn read(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The files below the folder, as paths with `/`; none when there is no such folder.
pub fn list(folder: &Path) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut ahead = vec![(folder.to_owned(), String::new())];
    while let Some((here, prefix)) = ahead.pop() {
        let entries = match fs::read_dir(&here) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other.with_context(|| format!("cannot list {}", here.display()))?,
        };
        for entry in entries {
            let entry = entry?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                ahead.push((entry.path(), format!("{name}/")));
            } else {
                found.insert(name);
            }
        }
    }
    Ok(found)
}

fn remove_empty(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_empty(&entry.path())?;
            if fs::read_dir(entry.path())?.next().is_none() {
                fs::remove_dir(entry.path())?;
            }
        }
    }
    Ok(())
}
