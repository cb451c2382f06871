//! Where a video is saved: a file or an object, and a check that it can be written before the task is paid for.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{MAIN_SEPARATOR, Path, PathBuf};

use crate::blocking_thread::run_blocking;
#[cfg(feature = "object-store")]
use crate::engine::download::object::Object;
use crate::engine::download::sidecar::Sidecar;
use crate::engine::download::temp_file::dry_run;
use crate::engine::error::{Error, ErrorKind, Result};
use crate::engine::folder;

/// Where a video is saved: a file, or an object of your bucket (`VideoStore::object`, a feature). [`check`](Self::check) finds out whether it can be written, before the task is paid for.
///
/// ```no_run
/// # async fn example() -> kling_omni::Result<()> {
/// kling_omni::download::Destination::new("puppet.mp4").sidecar(true).check().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Destination {
    pub(crate) place: Place,
    pub(crate) overwrite: bool,
    sidecar: bool,
    required_space: u64,
}

/// A place for a video.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    File(PathBuf),
    #[cfg(feature = "object-store")]
    Object(Object),
}

impl Place {
    /// The path of a file, or the URL of an object.
    pub(crate) fn path(&self) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            #[cfg(feature = "object-store")]
            Self::Object(object) => object.url(),
        }
    }
}

/// What prevents a file from being written.
pub(crate) enum Obstacle {
    Exists(PathBuf),
    Unusable(PathBuf, io::Error),
}

impl Destination {
    /// Creates a destination at `path`, without a sidecar. An existing file is not replaced.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self::of(Place::File(path.into()))
    }

    #[cfg(feature = "object-store")]
    pub(crate) fn of_object(object: Object) -> Self {
        Self::of(Place::Object(object))
    }

    fn of(place: Place) -> Self {
        Self {
            place,
            overwrite: false,
            sidecar: false,
            required_space: 8 * 1024 * 1024,
        }
    }

    /// Sets whether to replace an existing file. See [`Save::overwrite`](super::Save::overwrite). Default: false.
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// Sets whether to write a sidecar. See [`Save::sidecar`](super::Save::sidecar). Default: false.
    pub fn sidecar(mut self, sidecar: bool) -> Self {
        self.sidecar = sidecar;
        self
    }

    /// Replaces the place by a file.
    pub(crate) fn with_path(mut self, path: PathBuf) -> Self {
        self.place = Place::File(path);
        self
    }

    /// Sets how many bytes [`check`](Self::check) writes to check the free space. Default: 8 MiB.
    pub fn required_space(mut self, bytes: u64) -> Self {
        self.required_space = bytes;
        self
    }

    /// Checks whether a file can be saved there, in the same way as [`Save`](super::Save): creates a file in the folder, fills
    /// it, and publishes it under a name of the same characters. Does the same for the sidecar. Removes all of it; if the process
    /// is killed, the next check of the same path does.
    ///
    /// For an object: starts an upload and aborts it, which needs the same permission as a save and leaves nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::File`] if the file exists and must not be overwritten, if the path is not a regular file but, for example, a
    /// folder, a device or a link to one, if the folder does not exist or is not writable, if the name is too long or not
    /// allowed, and if there is not enough space. For an object, [`ErrorKind::File`] if it exists, [`ErrorKind::Configuration`]
    /// if the store rejects the upload or a sidecar is requested, and [`ErrorKind::Transport`] or [`ErrorKind::Server`] if the
    /// store does not answer.
    pub async fn check(&self) -> Result<()> {
        let path = match &self.place {
            Place::File(path) => path.clone(),
            #[cfg(feature = "object-store")]
            Place::Object(object) => {
                self.refuse_sidecar()?;
                return object.check(self.overwrite).await;
            }
        };
        let destination = self.clone();
        let checked = run_blocking(move || destination.dry_run(&path)).await;
        checked.map_err(|obstacle| {
            let (what, help) = obstacle.describe();
            let error = Error::uncharged(ErrorKind::File, what).with_help(help);
            match obstacle {
                Obstacle::Unusable(_, source) => error.with_source(source),
                Obstacle::Exists(_) => error,
            }
        })
    }

    /// Fails if a sidecar is requested: an object has none.
    #[cfg(feature = "object-store")]
    pub(crate) fn refuse_sidecar(&self) -> Result<()> {
        match self.sidecar {
            false => Ok(()),
            true => Err(Error::uncharged(
                ErrorKind::Configuration,
                "a video in a bucket cannot have a sidecar",
            )),
        }
    }

    fn dry_run(&self, path: &Path) -> std::result::Result<(), Obstacle> {
        self.inspect(path)?;
        let tried = |path: &Path, required_space| {
            dry_run(path, required_space)
                .map_err(|error| Obstacle::Unusable(path.to_owned(), error))
        };
        // Both exist at the same time, as after a save.
        let _video = tried(path, self.required_space)?;
        let _sidecar = match self.sidecar_path() {
            Some(path) => tried(&path, 0)?,
            None => None,
        };
        Ok(())
    }

    pub(crate) fn sidecar_path(&self) -> Option<PathBuf> {
        self.sidecar.then(|| Sidecar::beside(&self.place.path()))
    }

    /// Checks the existing files, without changing anything.
    pub(crate) fn inspect(&self, path: &Path) -> std::result::Result<(), Obstacle> {
        let text = path.as_os_str().to_string_lossy();
        if path.file_name().is_none() || text.ends_with(['/', MAIN_SEPARATOR]) {
            let error = io::ErrorKind::IsADirectory.into();
            return Err(Obstacle::Unusable(path.to_owned(), error));
        }
        for path in self.sidecar_path().as_deref().into_iter().chain([path]) {
            let unusable = |error| Obstacle::Unusable(path.to_owned(), error);
            match fs::symlink_metadata(path) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(unusable(error)),
            }
            match fs::metadata(path) {
                Ok(known) if known.is_file() => {}
                Ok(known) if known.is_dir() => {
                    return Err(unusable(io::ErrorKind::IsADirectory.into()));
                }
                Ok(_) => return Err(unusable(io::Error::other("not a regular file"))),
                // A dangling link.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(unusable(error)),
            }
            if !self.overwrite {
                return Err(Obstacle::Exists(path.to_owned()));
            }
        }
        Ok(())
    }
}

impl From<PathBuf> for Destination {
    fn from(path: PathBuf) -> Self {
        Self::new(path)
    }
}

impl From<String> for Destination {
    fn from(path: String) -> Self {
        Self::new(path)
    }
}

impl<P: AsRef<OsStr> + ?Sized> From<&P> for Destination {
    fn from(path: &P) -> Self {
        Self::new(path)
    }
}

impl Obstacle {
    /// The summary and the help of its error.
    pub(crate) fn describe(&self) -> (String, &'static str) {
        match self {
            Self::Exists(path) => (
                format!("{} already exists", path.display()),
                "choose another name, or allow overwriting",
            ),
            Self::Unusable(path, error) => (
                write_error(path, error),
                match error.kind() {
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                        "free some space, or save the video elsewhere"
                    }
                    _ => "save the video elsewhere",
                },
            ),
        }
    }
}

/// Describes why `path` cannot be written.
fn write_error(path: &Path, error: &io::Error) -> String {
    let name = match path.to_string_lossy() {
        name if name.is_empty() => "a file without a name".into(),
        name => name,
    };
    let folder = folder::parent(path);
    match error.kind() {
        io::ErrorKind::NotFound if !folder.exists() => {
            format!("the folder {} does not exist", folder.display())
        }
        io::ErrorKind::NotADirectory => format!("{} is not a folder", folder.display()),
        _ => format!("{name} could not be written: {error}"),
    }
}
