//! Temporary files beside their targets, renamed when they are complete.
//!
//! The names are numbered, and a file is locked while its process writes it. So the next file with the same label finds those
//! that a killed process has left, without reading the folder.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek, Write as _};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, PersistError, TempPath};

use crate::engine::folder;

const PREFIX: &str = ".kling-omni-";
const SUFFIX: &str = ".part";

/// The content of the file that a [`dry_run`] publishes. A file with another content was not left by one.
const MARKER: &str =
    "kling-omni has checked whether a file can be saved here, and did not remove this one.\n";

/// A file that is written beside its target. Removed on drop, unless it is published.
pub(crate) struct TempFile {
    temporary: NamedTempFile,
    target: PathBuf,
    overwrite: bool,
}

/// What there was under the name of a temporary file.
enum Existing {
    Nothing,
    /// An orphan, which is removed now.
    Orphan,
    InUse,
}

impl TempFile {
    /// Creates a file for `path`, which is resolved against the current directory now. Removes orphans: files with the same
    /// label that a killed process has left.
    pub(crate) fn create(path: &Path, overwrite: bool, label: &str) -> io::Result<Self> {
        let target = std::path::absolute(path)?;
        // In the target's own folder, so the rename stays on one file system.
        let temporary = create_numbered(folder::parent(&target), &sanitize_label(label))?;
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
fn publish_fallback(
    mut temporary: NamedTempFile,
    target: &Path,
    overwrite: bool,
) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true);
    let mut reserved = match overwrite {
        true => options.create(true).truncate(true).open(target)?,
        false => options.create_new(true).open(target)?,
    };
    let file = temporary.as_file().try_clone()?;
    if !overwrite && is_at(&file, temporary.path()) && fs::rename(temporary.path(), target).is_ok()
    {
        // Another process may use the name by now.
        temporary.disable_cleanup(true);
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
/// the same characters. The file is removed when it is dropped, or by the next dry run if the process was killed.
pub(crate) fn dry_run(path: &Path, required_space: u64) -> io::Result<Option<NamedTempFile>> {
    let name = path.file_name().unwrap_or_default();
    let other = reversed(name);
    let is_other = other != name;
    let path = std::path::absolute(path)?.with_file_name(other);
    let label = format!("check-{}", name.to_string_lossy());
    let temp_file = TempFile::create(&path, false, &label)?;
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
    // If the process is killed, a small file is left, and its content says where it is from.
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(MARKER.as_bytes())?;
    remove_orphan(&path, is_marker)?;
    match temp_file.publish() {
        // It stays locked as long as `file` is open.
        Ok(()) => {
            let published = TempPath::try_from_path(path)?;
            Ok(Some(NamedTempFile::from_parts(file, published)))
        }
        // A file of this name happens to exist.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a dry run wrote the file.
fn is_marker(file: &File) -> bool {
    let mut text = String::new();
    let most = MARKER.len() as u64 + 1;
    file.take(most).read_to_string(&mut text).is_ok() && text == MARKER
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

/// Makes any text safe as a part of a file name.
fn sanitize_label(label: &str) -> String {
    let may_stay = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    label.chars().filter(may_stay).take(64).collect()
}

/// Creates the file with the first free number, and locks it. Only the process that has the lock removes or renames it.
fn create_numbered(folder: &Path, label: &str) -> io::Result<NamedTempFile> {
    loop {
        let mut free = None;
        for number in 0u32.. {
            let path = folder.join(format!("{PREFIX}{label}-{number}{SUFFIX}"));
            let existing = remove_orphan(&path, |_| true)?;
            if !matches!(existing, Existing::InUse) {
                free.get_or_insert(path);
            }
            if matches!(existing, Existing::Nothing) {
                break;
            }
        }
        let path = free.unwrap_or_default();
        let mut options = OpenOptions::new();
        let file = match options.read(true).write(true).create_new(true).open(&path) {
            Ok(file) => file,
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
        };
        match file.try_lock() {
            Ok(()) if is_at(&file, &path) => {}
            // Before it was locked, another process took it for an orphan.
            Ok(()) | Err(TryLockError::WouldBlock) => continue,
            // Without locks, orphans are not removed either.
            Err(TryLockError::Error(error)) => {
                tracing::debug!(%error, "temporary file could not be locked");
            }
        }
        let path = TempPath::try_from_path(path)?;
        return Ok(NamedTempFile::from_parts(file, path));
    }
}

/// Removes the file at `path` if it `is_ours` and no process has it locked.
fn remove_orphan(path: &Path, is_ours: impl FnOnce(&File) -> bool) -> io::Result<Existing> {
    match fs::symlink_metadata(path) {
        // Opening a pipe would block.
        Ok(known) if !known.is_file() => return Ok(Existing::InUse),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Existing::Nothing),
        Err(error) => return Err(error),
    }
    let removed = File::open(path).and_then(|file| {
        // Its process may have renamed it before it was locked.
        let is_orphan = file.try_lock().is_ok() && is_at(&file, path) && is_ours(&file);
        is_orphan.then(|| fs::remove_file(path)).transpose()
    });
    match removed {
        Ok(Some(())) => Ok(Existing::Orphan),
        Ok(None) => Ok(Existing::InUse),
        Err(error) => {
            tracing::debug!(%error, "orphaned temporary file could not be removed");
            Ok(Existing::InUse)
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

    #[test]
    fn only_the_marker_of_a_dead_process_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip.mp4");
        let taken = folder.path().join("4pm.pilc");
        let names = || fs::read_dir(&folder).unwrap().count();
        for (content, is_locked, is_removed) in [
            (MARKER.to_owned(), false, true),
            (MARKER.to_owned(), true, false),
            (MARKER.to_owned() + "mine", false, false),
            (MARKER[1..].to_owned(), false, false),
            (String::new(), false, false),
        ] {
            fs::write(&taken, &content).unwrap();
            let file = File::open(&taken).unwrap();
            if is_locked {
                file.lock().unwrap();
            }
            let published = dry_run(&path, 0).unwrap();
            assert_eq!(published.is_some(), is_removed, "{content:?}, {is_locked}");
            drop(published);
            assert_eq!(
                names(),
                usize::from(!is_removed),
                "{content:?}, {is_locked}"
            );
        }
    }

    /// Threads that create and publish files with the same label never get the file of another one.
    #[test]
    fn files_with_the_same_label_are_distinct() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let folder = folder.path();
                scope.spawn(move || {
                    for number in 0..50 {
                        let text = format!("{thread}-{number}");
                        let temp_file = TempFile::create(&folder.join(&text), false, "a").unwrap();
                        temp_file
                            .file()
                            .unwrap()
                            .write_all(text.as_bytes())
                            .unwrap();
                        if number % 3 != 0 {
                            temp_file.publish().unwrap();
                            assert_eq!(fs::read_to_string(folder.join(&text)).unwrap(), text);
                        }
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 8 * 33);
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
