use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::folder;

const PREFIX: &str = ".kling-omni-";
const SUFFIX: &str = ".part";

/// A file that is being written beside its target, and gone if it never gets there.
pub(super) struct Draft {
    temporary: NamedTempFile,
    target: PathBuf,
}

impl Draft {
    /// Begins a file for `path`. The folder that is current now counts, wherever the process goes later.
    pub(super) fn beside(path: &Path) -> io::Result<Self> {
        Self::new(path, PREFIX)
    }

    /// The same for the video of a task. Drafts of it that a process has left behind when it died are removed.
    pub(super) fn of_task(path: &Path, id: &str) -> io::Result<Self> {
        let prefix = format!("{PREFIX}{}-", name_of(id));
        let draft = Self::new(path, &prefix)?;
        // A file system without locks is no reason not to save; nobody removes a draft there that is not locked.
        if let Err(error) = draft.temporary.as_file().try_lock() {
            tracing::debug!(%error, "the unfinished file could not be locked");
        }
        remove_orphans(folder::of(&draft.target), &prefix, draft.temporary.path());
        Ok(draft)
    }

    fn new(path: &Path, prefix: &str) -> io::Result<Self> {
        let target = std::path::absolute(path)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(prefix).suffix(SUFFIX);
        // Temporary files are private by default; the finished video follows the user's umask like any other file.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        // In the target's own folder, so that the rename at the end stays on one file system.
        let temporary = builder.tempfile_in(folder::of(&target))?;
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
        if let Err(error) = folder::sync(folder::of(&target)) {
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

/// An id as part of a file's name: it is the service's text.
fn name_of(id: &str) -> String {
    let may_stay = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    id.chars().filter(may_stay).take(64).collect()
}

/// Removes drafts that nobody writes to any more. Those that are being written are locked.
fn remove_orphans(folder: &Path, prefix: &str, own: &Path) {
    let is_draft = |name: &OsStr| {
        let name = name.as_encoded_bytes();
        name.starts_with(prefix.as_bytes()) && name.ends_with(SUFFIX.as_bytes())
    };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if !is_file || !is_draft(&entry.file_name()) || path.file_name() == own.file_name() {
            continue;
        }
        let removed = File::open(&path).and_then(|file| match file.try_lock() {
            Ok(()) => fs::remove_file(&path),
            Err(_) => Ok(()),
        });
        if let Err(error) = removed {
            tracing::debug!(%error, "an unfinished file of an earlier process could not be removed");
        }
    }
}
