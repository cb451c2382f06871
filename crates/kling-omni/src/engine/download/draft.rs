//! Files that are written beside their targets, and published under their names once they are whole.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, PersistError, TempPath};

use crate::engine::folder;

const PREFIX: &str = ".kling-omni-";
const SUFFIX: &str = ".part";

/// A file that is being written beside its target, and gone if it never gets there.
pub(crate) struct Draft {
    temporary: NamedTempFile,
    target: PathBuf,
    overwrite: bool,
}

impl Draft {
    /// Begins a file for `path`. The folder that is current now counts, wherever the process goes later.
    pub(crate) fn beside(path: &Path, overwrite: bool) -> io::Result<Self> {
        Self::new(path, overwrite, PREFIX)
    }

    /// The same for the video of a task. Drafts of it that a process has left behind when it died are removed.
    pub(crate) fn of_task(path: &Path, overwrite: bool, id: &str) -> io::Result<Self> {
        let prefix = format!("{PREFIX}{}-", name_of(id));
        let draft = Self::new(path, overwrite, &prefix)?;
        // A file system without locks is no reason not to save; nobody removes a draft there that is not locked.
        if let Err(error) = draft.temporary.as_file().try_lock() {
            tracing::debug!(%error, "the unfinished file could not be locked");
        }
        remove_orphans(folder::of(&draft.target), &prefix, draft.temporary.path());
        Ok(draft)
    }

    fn new(path: &Path, overwrite: bool, prefix: &str) -> io::Result<Self> {
        let target = std::path::absolute(path)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(prefix).suffix(SUFFIX);
        // Temporary files are private by default; the finished video follows the user's umask like any other file.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        // In the target's own folder, so that the rename at the end stays on one file system.
        let temporary = builder.tempfile_in(folder::of(&target))?;
        // From the beginning: what replaces a private file is private while it is written, too.
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

    /// Gives the file, which has to be on disk by now, its name. Unless it overwrites, a file that has the name already
    /// is an error, even if it came there a moment ago.
    ///
    /// File systems differ in what they can do: rename without replacing, link, or neither. Where all of that fails, the
    /// name is taken by a new file, and this one renamed over it or copied into it.
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
        // A file that was put in its place is not the one that was written.
        if is_at(&published, temporary.path()) {
            let persisted = match overwrite {
                true => temporary.persist(&target),
                false => temporary.persist_noclobber(&target),
            };
            // A network file system may say that a rename failed which took place.
            if let Err(PersistError { error, file }) = persisted
                && !(cfg!(unix) && is_at(&published, &target))
            {
                if error.kind() == io::ErrorKind::AlreadyExists {
                    return Err(error);
                }
                tracing::debug!(%error, "the finished file could not be renamed");
                published = place(file, &target, overwrite)?;
            }
        } else {
            published = place(temporary, &target, overwrite)?;
        }
        if !is_at(&published, &target) {
            return Err(io::Error::other(
                "another file took its place while it was published",
            ));
        }
        if let Err(error) = folder::sync(folder::of(&target)) {
            // The file is in its place. A power cut now could still take its name.
            tracing::warn!(%error, "the folder of the finished file could not be synced");
        }
        Ok(())
    }
}

/// Publishes a file without what a file system may lack. Returns the file that has the name then.
fn place(temporary: NamedTempFile, target: &Path, overwrite: bool) -> io::Result<File> {
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
            // Half a file under the final name would pass for a whole one.
            let _ = fs::remove_file(target);
            Err(error)
        }
    }
}

/// Tries what it takes to save a file as `path`: to make one beside it, to write `room` bytes, and to publish it under a
/// name of the same characters. What is there until the guard is dropped is gone after that.
pub(crate) fn rehearse(path: &Path, room: u64) -> io::Result<Option<TempPath>> {
    let name = path.file_name().unwrap_or_default();
    let other = reversed(name);
    let is_other = other != name;
    let path = std::path::absolute(path)?.with_file_name(other);
    let draft = Draft::beside(&path, false)?;
    let mut file = draft.file()?;
    io::copy(&mut io::repeat(0).take(room), &mut file)?;
    // Some file systems find out only now that there is no room, or cannot do it.
    folder::sync_file(&file)?;
    if !is_other {
        // Nothing appears under the final name before it is paid for.
        return Ok(None);
    }
    match draft.publish() {
        Ok(()) => TempPath::try_from_path(path).map(Some),
        // By chance, something has this name.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(error),
    }
}

/// A name that a file system takes if it takes this one: as long, and of the same characters.
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

/// Whether the file is the one that has this name, and no link to it.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    let place = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let there = fs::symlink_metadata(path).map(place);
    file.metadata()
        .map(place)
        .is_ok_and(|own| there.is_ok_and(|there| there == own))
}

/// Elsewhere, an open file can be neither renamed nor replaced by others.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

/// Gives a file that is about to replace another one the same mode, and the same owner where that is allowed.
#[cfg(unix)]
fn keep_access(file: &File, replaced: &Path) {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

    let Ok(known) = fs::metadata(replaced) else {
        return;
    };
    // Only root may give a file away. The mode comes second, since a new owner takes bits from it.
    let owned = fchown(file, Some(known.uid()), Some(known.gid()))
        .or_else(|_| fchown(file, None, Some(known.gid())));
    let mode = fs::Permissions::from_mode(known.mode() & 0o777);
    if let Err(error) = file.set_permissions(mode).and(owned) {
        tracing::debug!(%error, "the owner or the mode of the replaced file could not be kept");
    }
}

#[cfg(not(unix))]
fn keep_access(_: &File, _: &Path) {}

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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn draft(folder: &Path) -> NamedTempFile {
        let mut temporary = NamedTempFile::new_in(folder).unwrap();
        temporary.write_all(b"video").unwrap();
        temporary
    }

    /// What a file system does that can neither link nor rename without replacing.
    #[test]
    fn a_name_is_taken_without_links() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("clip.mp4");
        let placed = place(draft(folder.path()), &target, false).unwrap();
        assert!(is_at(&placed, &target));
        assert_eq!(fs::read(&target).unwrap(), b"video");
        let error = place(draft(folder.path()), &target, false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }

    /// A temporary file that has lost its name cannot be renamed.
    #[test]
    fn a_file_that_cannot_be_renamed_is_copied() {
        for overwrite in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let target = folder.path().join("clip.mp4");
            if overwrite {
                fs::write(&target, "longer than the video").unwrap();
            }
            let temporary = draft(folder.path());
            fs::remove_file(temporary.path()).unwrap();
            let placed = place(temporary, &target, overwrite).unwrap();
            assert!(is_at(&placed, &target));
            assert_eq!(fs::read(&target).unwrap(), b"video");
            assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_not_the_file() {
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
