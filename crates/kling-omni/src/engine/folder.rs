//! Syncs files and their folders to disk. A file name is only durable once its folder is synced.

use std::fs::File;
use std::io;
use std::path::Path;

/// Returns the folder of a file.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Syncs a file to disk. If the file system does not support that, logs a warning: there is no alternative, and only a
/// power failure could lose the content.
pub(crate) fn sync_file(file: &File) -> io::Result<()> {
    match file.sync_all() {
        Err(error) if is_impossible(&error) => {
            tracing::warn!(%error, "file could not be synced to disk");
            Ok(())
        }
        synced => synced,
    }
}

/// Whether the file system does not have this operation, as opposed to an operation that failed.
fn is_impossible(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
    )
}

/// Syncs the names in a folder to disk. If the file system does not support or permit that, logs a warning: there is no
/// alternative.
#[cfg(unix)]
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if is_unsupported(&error) => {
            tracing::warn!(%error, "folder could not be synced to disk");
            Ok(())
        }
        synced => synced,
    }
}

#[cfg(unix)]
fn is_unsupported(error: &io::Error) -> bool {
    /// The same number on every Unix; [`io::ErrorKind`] has no name for it.
    const EBADF: i32 = 9;

    is_impossible(error)
        || error.kind() == io::ErrorKind::PermissionDenied
        || error.raw_os_error() == Some(EBADF)
}

/// On other systems, folders cannot be opened as files, and the file system syncs names itself.
#[cfg(not(unix))]
pub(crate) fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn unsupported_sync_is_not_an_error() {
        const EBADF: i32 = 9;
        const EACCES: i32 = 13;
        const EINVAL: i32 = 22;
        const EIO: i32 = 5;
        const ENOSPC: i32 = 28;
        for (number, of_folder, of_file) in [
            (EBADF, true, false),
            (EACCES, true, false),
            (EINVAL, true, true),
            (EIO, false, false),
            (ENOSPC, false, false),
        ] {
            let error = io::Error::from_raw_os_error(number);
            assert_eq!(is_unsupported(&error), of_folder, "{error}");
            assert_eq!(is_impossible(&error), of_file, "{error}");
        }
        assert!(is_unsupported(&io::ErrorKind::Unsupported.into()));
        let folder = tempfile::tempdir().unwrap();
        sync(folder.path()).unwrap();
        let missing = sync(&folder.path().join("missing")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }
}
