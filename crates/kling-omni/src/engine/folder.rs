//! What brings files and their names to disk: a file's name is not safe before its folder is there.

use std::fs::File;
use std::io;
use std::path::Path;

/// The folder that a file is in.
pub(crate) fn of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Brings a file to disk. That the file system cannot do it is a warning: there is no other way, and what was written is
/// there unless the power is cut.
pub(crate) fn sync_file(file: &File) -> io::Result<()> {
    match file.sync_all() {
        Err(error) if is_impossible(&error) => {
            tracing::warn!(%error, "a file could not be synced: a power cut could take its content");
            Ok(())
        }
        synced => synced,
    }
}

/// Whether this file system has no such operation, as opposed to one that failed.
fn is_impossible(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
    )
}

/// Brings the names in a folder to disk. That the file system cannot do it, or does not let this user do it, is a
/// warning: there is no other way.
#[cfg(unix)]
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if is_unsupported(&error) => {
            tracing::warn!(%error, "the folder of a file could not be synced: a power cut could take the file's name");
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

/// Elsewhere, folders cannot be opened like files, and the file system sees to names itself.
#[cfg(not(unix))]
pub(crate) fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_no_file_system_can_help_is_not_an_error() {
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
