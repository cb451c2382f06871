use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file that is being written beside its target, and gone if it never gets there.
pub(super) struct Draft {
    temporary: NamedTempFile,
    target: PathBuf,
}

impl Draft {
    /// Begins a file for `path`. The folder that is current now counts, wherever the process goes later.
    pub(super) fn beside(path: &Path) -> io::Result<Self> {
        let target = std::path::absolute(path)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(".kling-omni-").suffix(".part");
        // Temporary files are private by default; the finished video follows the user's umask like any other file.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        // In the target's own folder, so that the rename at the end stays on one file system.
        let temporary = builder.tempfile_in(folder(&target))?;
        Ok(Self { temporary, target })
    }

    /// The file, to write to.
    pub(super) fn file(&self) -> io::Result<File> {
        self.temporary.as_file().try_clone()
    }

    /// Gives the file, which has to be on disk by now, its name. Without `overwrite`, a file that has the name already
    /// is an error, even if it came there a moment ago.
    pub(super) fn publish(self, overwrite: bool) -> io::Result<()> {
        let Self { temporary, target } = self;
        let published = match overwrite {
            true => temporary.persist(&target),
            false => temporary.persist_noclobber(&target),
        };
        published.map_err(|error| error.error)?;
        if let Err(error) = sync_folder(folder(&target)) {
            // The file is in its place. A power cut now could still take its name, and some file systems cannot help it.
            tracing::warn!(%error, "the folder of the finished file could not be synced");
        }
        Ok(())
    }
}

/// Whether something has the name already, be it a link that leads nowhere.
pub(super) fn is_taken(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Elsewhere, folders cannot be opened like files, and the file system sees to names itself.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
