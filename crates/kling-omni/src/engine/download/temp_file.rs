//! Temporary files beside their targets, renamed when they are complete.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, Write as _};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, PersistError, TempPath};

use crate::engine::folder;

const PREFIX: &str = ".kling-omni-";
const SUFFIX: &str = ".part";

/// A file that is written beside its target. Removed on drop, unless it is published.
pub(crate) struct TempFile {
    temporary: NamedTempFile,
    target: PathBuf,
    overwrite: bool,
}

impl TempFile {
    /// Creates a file for `path`, which is resolved against the current directory now.
    pub(crate) fn create(path: &Path, overwrite: bool) -> io::Result<Self> {
        Self::new(path, overwrite, PREFIX)
    }

    /// Creates a file for the video of a task, and removes orphans: files of the same task that a dead process has left.
    pub(crate) fn create_for_task(path: &Path, overwrite: bool, id: &str) -> io::Result<Self> {
        let prefix = format!("{PREFIX}{}-", sanitize_id(id));
        let file = Self::new(path, overwrite, &prefix)?;
        // Not an error: without locks, orphans are not removed either.
        if let Err(error) = file.temporary.as_file().try_lock() {
            tracing::debug!(%error, "temporary file could not be locked");
        }
        remove_orphans(folder::parent(&file.target), &prefix, file.temporary.path());
        Ok(file)
    }

    fn new(path: &Path, overwrite: bool, prefix: &str) -> io::Result<Self> {
        let target = std::path::absolute(path)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(prefix).suffix(SUFFIX);
        // Temporary files are private by default. The finished video has the permissions of any other file of the user.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        // In the target's own folder, so the rename stays on one file system.
        let temporary = builder.tempfile_in(folder::parent(&target))?;
        // From the beginning, so the replacement of a private file is private while it is written, too.
        if overwrite {
            keep_access(temporary.as_file(), &target);
        }
        Ok(Self {
            temporary,
            target,
            overwrite,
        })
    }

    /// The file, to write to.
    pub(crate) fn file(&self) -> io::Result<File> {
        self.temporary.as_file().try_clone()
    }

    /// Renames the file, which has to be synced, to its target. Without `overwrite`, an existing target is an error, even if it
    /// was created a moment ago.
    ///
    /// Some file systems can rename without replacing, some can only link, and some can do neither. If all of that fails, the
    /// target is created as a new file, and this one is renamed over it or copied into it.
    pub(crate) fn publish(self) -> io::Result<()> {
        let Self {
            temporary,
            target,
            overwrite,
        } = self;
        if overwrite {
            keep_access(temporary.as_file(), &target);
        }
        let mut published = temporary.as_file().try_clone()?;
        // Another file may have replaced the temporary one.
        if is_at(&published, temporary.path()) {
            let persisted = match overwrite {
                true => temporary.persist(&target),
                false => temporary.persist_noclobber(&target),
            };
            // A network file system may report a failure although the file was renamed.
            if let Err(PersistError { error, file }) = persisted
                && !(cfg!(unix) && is_at(&published, &target))
            {
                if error.kind() == io::ErrorKind::AlreadyExists {
                    return Err(error);
                }
                tracing::debug!(%error, "temporary file could not be renamed");
                published = publish_fallback(file, &target, overwrite)?;
            }
        } else {
            published = publish_fallback(temporary, &target, overwrite)?;
        }
        if !is_at(&published, &target) {
            return Err(io::Error::other(
                "another file replaced it while it was published",
            ));
        }
        if let Err(error) = folder::sync(folder::parent(&target)) {
            // The file is published. A power failure could still lose its name.
            tracing::warn!(%error, "folder could not be synced to disk");
        }
        Ok(())
    }
}

/// Publishes a file without an atomic rename. Returns the published file.
fn publish_fallback(temporary: NamedTempFile, target: &Path, overwrite: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true);
    let mut reserved = match overwrite {
        true => options.create(true).truncate(true).open(target)?,
        false => options.create_new(true).open(target)?,
    };
    let file = temporary.as_file().try_clone()?;
    if !overwrite && is_at(&file, temporary.path()) && fs::rename(temporary.path(), target).is_ok()
    {
        return Ok(file);
    }
    let copied = (&file)
        .rewind()
        .and_then(|()| io::copy(&mut &file, &mut reserved))
        .and_then(|_| folder::sync_file(&reserved));
    match copied {
        Ok(()) => Ok(reserved),
        Err(error) => {
            // A partial file under the final name would look like a complete one.
            let _ = fs::remove_file(target);
            Err(error)
        }
    }
}

/// Simulates a save to `path`: creates a temporary file, writes `required_space` bytes, and publishes it under another name of
/// the same characters. The file is removed when the guard is dropped.
pub(crate) fn dry_run(path: &Path, required_space: u64) -> io::Result<Option<TempPath>> {
    let name = path.file_name().unwrap_or_default();
    let other = reversed(name);
    let is_other = other != name;
    let path = std::path::absolute(path)?.with_file_name(other);
    let temp_file = TempFile::create(&path, false)?;
    let mut file = temp_file.file()?;
    let zeros = [0; 64 * 1024];
    let mut left = required_space;
    while left > 0 {
        let length = usize::try_from(left).map_or(zeros.len(), |left| left.min(zeros.len()));
        file.write_all(&zeros[..length])?;
        left -= length as u64;
    }
    // Some file systems report only on sync that the disk is full, or cannot sync.
    folder::sync_file(&file)?;
    if !is_other {
        // The final name must not appear before the video is paid for.
        return Ok(None);
    }
    match temp_file.publish() {
        Ok(()) => TempPath::try_from_path(path).map(Some),
        // A file of this name happens to exist.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns a name of the same length and characters: a file system that accepts one accepts the other.
fn reversed(name: &OsStr) -> OsString {
    match name.to_str() {
        Some(name) => name.chars().rev().collect::<String>().into(),
        #[cfg(unix)]
        None => {
            use std::os::unix::ffi::{OsStrExt, OsStringExt};
            OsString::from_vec(name.as_bytes().iter().rev().copied().collect())
        }
        #[cfg(not(unix))]
        None => name.to_owned(),
    }
}

/// Whether `path` is the file itself, and not a symbolic link to it.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let there = fs::symlink_metadata(path).map(id);
    file.metadata()
        .map(id)
        .is_ok_and(|own| there.is_ok_and(|there| there == own))
}

/// On other systems, other processes cannot rename or replace an open file.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

/// Copies the mode of the replaced file and, if permitted, its owner.
#[cfg(unix)]
fn keep_access(file: &File, replaced: &Path) {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

    let Ok(known) = fs::metadata(replaced) else {
        return;
    };
    // Only root may change the owner. The mode is set afterwards, because `fchown` clears bits of it.
    let owned = fchown(file, Some(known.uid()), Some(known.gid()))
        .or_else(|_| fchown(file, None, Some(known.gid())));
    let mode = fs::Permissions::from_mode(known.mode() & 0o777);
    if let Err(error) = file.set_permissions(mode).and(owned) {
        tracing::debug!(%error, "owner or mode of the replaced file could not be kept");
    }
}

#[cfg(not(unix))]
fn keep_access(_: &File, _: &Path) {}

/// Makes an id, which is text of the service, safe as a part of a file name.
fn sanitize_id(id: &str) -> String {
    let may_stay = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    id.chars().filter(may_stay).take(64).collect()
}

/// Removes temporary files that no process writes any more. Files in use are locked.
fn remove_orphans(folder: &Path, prefix: &str, own: &Path) {
    let is_temp_file = |name: &OsStr| {
        let name = name.as_encoded_bytes();
        name.starts_with(prefix.as_bytes()) && name.ends_with(SUFFIX.as_bytes())
    };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if !is_file || !is_temp_file(&entry.file_name()) || path.file_name() == own.file_name() {
            continue;
        }
        let removed = File::open(&path).and_then(|file| match file.try_lock() {
            Ok(()) => fs::remove_file(&path),
            Err(_) => Ok(()),
        });
        if let Err(error) = removed {
            tracing::debug!(%error, "orphaned temporary file could not be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn temporary(folder: &Path) -> NamedTempFile {
        let mut temporary = NamedTempFile::new_in(folder).unwrap();
        temporary.write_all(b"video").unwrap();
        temporary
    }

    /// Simulates a file system that can neither link nor rename without replacing.
    #[test]
    fn publish_works_without_links() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("clip.mp4");
        let placed = publish_fallback(temporary(folder.path()), &target, false).unwrap();
        assert!(is_at(&placed, &target));
        assert_eq!(fs::read(&target).unwrap(), b"video");
        let error = publish_fallback(temporary(folder.path()), &target, false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }

    /// A temporary file that has lost its name cannot be renamed.
    #[test]
    fn publish_copies_a_file_that_cannot_be_renamed() {
        for overwrite in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let target = folder.path().join("clip.mp4");
            if overwrite {
                fs::write(&target, "longer than the video").unwrap();
            }
            let temporary = temporary(folder.path());
            fs::remove_file(temporary.path()).unwrap();
            let placed = publish_fallback(temporary, &target, overwrite).unwrap();
            assert!(is_at(&placed, &target));
            assert_eq!(fs::read(&target).unwrap(), b"video");
            assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        }
    }

    #[cfg(unix)]
    #[test]
    fn symbolic_link_is_not_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let [path, link] = ["file", "link"].map(|name| folder.path().join(name));
        let file = File::create(&path).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(is_at(&file, &path));
        assert!(!is_at(&file, &link));
        fs::remove_file(&path).unwrap();
        assert!(!is_at(&file, &path));
    }
}
