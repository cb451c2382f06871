use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use futures_util::TryStreamExt;
use schemars::JsonSchema;
use serde::Serialize;
use tempfile::NamedTempFile;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::{Download, Video};
use crate::error::{Error, ErrorKind, Result};

/// Where the name of the first box stands in an MP4 file, and what it is.
const SIGNATURE_AT: std::ops::Range<usize> = 4..8;
const SIGNATURE: &[u8] = b"ftyp";

type OnProgress = Box<dyn FnMut(u64, Option<u64>) + Send>;

/// A download to a file. Await it to start.
///
/// Dropping it before its end leaves no file behind.
#[must_use = "nothing happens until it is awaited"]
pub struct Save {
    video: Video,
    path: PathBuf,
    overwrite: bool,
    on_progress: Option<OnProgress>,
}

/// A video on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Saved {
    /// Where it is.
    pub path: PathBuf,
    /// How long it is.
    pub bytes: u64,
}

impl Save {
    pub(super) fn new(video: Video, path: PathBuf) -> Self {
        Self {
            video,
            path,
            overwrite: false,
            on_progress: None,
        }
    }

    /// Replaces a file that is already there; of a symbolic link, the link and not what it points to. Default: refuse.
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// Calls `callback` after each chunk with the bytes so far and, if known, in all.
    pub fn on_progress(mut self, callback: impl FnMut(u64, Option<u64>) + Send + 'static) -> Self {
        self.on_progress = Some(Box::new(callback));
        self
    }

    async fn run(mut self) -> Result<Saved> {
        let id = self.video.task_id().to_owned();
        self.check_target()?;
        // The folder that is current now counts, wherever the process goes during the download.
        let target =
            std::path::absolute(&self.path).map_err(|error| not_written(&id, &self.path, error))?;
        let temporary =
            temporary_beside(&target).map_err(|error| not_written(&id, &self.path, error))?;
        let download = self.video.download().await?;
        let bytes = self.fill(&temporary, download).await?;
        let persisted = if self.overwrite {
            temporary.persist(&target)
        } else {
            temporary.persist_noclobber(&target)
        };
        match persisted {
            Ok(_) => Ok(Saved {
                path: self.path,
                bytes,
            }),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                Err(exists(&id, &self.path))
            }
            Err(error) => Err(not_written(&id, &self.path, error.error)),
        }
    }

    /// Finds out what can be found out before a byte is fetched.
    fn check_target(&self) -> Result<()> {
        let id = self.video.task_id();
        let ends_in_name = self.path.file_name().is_some()
            && !self
                .path
                .as_os_str()
                .to_string_lossy()
                .ends_with(['/', std::path::MAIN_SEPARATOR]);
        if !ends_in_name || self.path.is_dir() {
            return Err(not_written(
                id,
                &self.path,
                io::Error::from(io::ErrorKind::IsADirectory),
            ));
        }
        if !self.overwrite && self.path.symlink_metadata().is_ok() {
            return Err(exists(id, &self.path));
        }
        Ok(())
    }

    async fn fill(&mut self, temporary: &NamedTempFile, mut download: Download) -> Result<u64> {
        let id = self.video.task_id().to_owned();
        let path = self.path.clone();
        let file_error = |error| not_written(&id, &path, error);
        let mut file = File::from_std(temporary.reopen().map_err(file_error)?);
        let mut head: Vec<u8> = Vec::with_capacity(SIGNATURE_AT.end);
        let mut bytes = 0;
        while let Some(chunk) = download.try_next().await? {
            if head.len() < SIGNATURE_AT.end {
                head.extend(chunk.iter().take(SIGNATURE_AT.end - head.len()));
                // Told apart as early as can be: an error page is not worth downloading.
                if head.len() == SIGNATURE_AT.end && head[SIGNATURE_AT] != *SIGNATURE {
                    return Err(not_mp4(&id));
                }
            }
            file.write_all(&chunk).await.map_err(file_error)?;
            bytes += chunk.len() as u64;
            if let Some(callback) = &mut self.on_progress {
                callback(bytes, download.length());
            }
        }
        if head.len() < SIGNATURE_AT.end {
            return Err(not_mp4(&id));
        }
        file.flush().await.map_err(file_error)?;
        file.sync_all().await.map_err(file_error)?;
        Ok(bytes)
    }
}

/// In the target's own folder, so that the rename at the end stays on one file system.
fn temporary_beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".kling-omni-").suffix(".part");
    #[cfg(unix)]
    {
        // Temporary files are private by default; the finished video follows the user's umask like any other file.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
        builder.tempfile_in(folder)
    }
    #[cfg(not(unix))]
    builder.tempfile_in(folder)
}

fn file_error(id: &str, what: String, advice: &str) -> Error {
    Error::new(ErrorKind::File, what)
        .with_task(id)
        .with_advice(advice)
}

fn exists(id: &str, path: &Path) -> Error {
    let what = format!("{} exists already and was left alone", path.display());
    file_error(id, what, "choose another name, or allow overwriting")
}

fn not_written(id: &str, path: &Path, error: io::Error) -> Error {
    let name = match path.to_string_lossy() {
        name if name.is_empty() => "a file without a name".into(),
        name => name,
    };
    let what = format!("{name} could not be written: {}", cause(&error));
    file_error(id, what, "the video can be downloaded again elsewhere").with_source(error)
}

/// The bare reason: an error about a temporary file goes on to name a path that nobody knows.
fn cause(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" at path ") {
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
}

fn not_mp4(id: &str) -> Error {
    Error::new(
        ErrorKind::CorruptResult,
        "what the result host sent does not begin like an MP4 file",
    )
    .with_task(id)
    .with_advice("download again; the task is paid for and need not be created again")
}

impl IntoFuture for Save {
    type Output = Result<Saved>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Saved>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for Save {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Save")
            .field("path", &self.path)
            .field("overwrite", &self.overwrite)
            .finish_non_exhaustive()
    }
}
