//! Folders, as far as a file's name is not safe before its folder is on disk.

#[cfg(unix)]
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

    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied
    ) || error.raw_os_error() == Some(EBADF)
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
        for (number, expected) in [
            (EBADF, true),
            (EACCES, true),
            (EINVAL, true),
            (EIO, false),
            (ENOSPC, false),
        ] {
            let error = io::Error::from_raw_os_error(number);
            assert_eq!(is_unsupported(&error), expected, "{error}");
        }
        assert!(is_unsupported(&io::ErrorKind::Unsupported.into()));
        let folder = tempfile::tempdir().unwrap();
        sync(folder.path()).unwrap();
        let missing = sync(&folder.path().join("missing")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }
}
