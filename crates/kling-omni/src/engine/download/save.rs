//! A download to a file.

use std::fmt;
use std::fs::File;
use std::future::{Future, IntoFuture};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

#[cfg(feature = "schemars")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::digest::hex;
use crate::engine::download::destination::Destination;
use crate::engine::download::errors;
use crate::engine::download::event::DownloadEvent;
use crate::engine::download::sidecar::Sidecar;
use crate::engine::download::temp_file::TempFile;
use crate::engine::download::transfer::{DownloadItem, Transfer};
use crate::engine::download::video::Video;
use crate::engine::download::writer::Writer;
use crate::engine::error::Result;
use crate::engine::http::timeout::{Elapsed, Timeout};

type OnProgress = Box<dyn FnMut(u64, Option<u64>) + Send>;
type OnSetback = Box<dyn FnMut(&DownloadEvent) + Send>;
type BeforePublish = Box<dyn FnOnce(&Saved) + Send>;

/// A download to a file. Await it to start.
///
/// A connection that breaks, or receives nothing for [`ClientBuilder::read_timeout`](crate::ClientBuilder::read_timeout),
/// is resumed at the same position, up to [`ClientBuilder::max_retries`](crate::ClientBuilder::max_retries) times. The count starts
/// again after each MiB. If the host gives no strong validator, the download restarts from the first byte. If the URL no
/// longer works, the service is asked for a fresh one.
///
/// A connection that receives less than 64 KiB in a minute counts as broken, and [`timeout`](Self::timeout) limits the
/// download as a whole.
///
/// Dropping it removes the partial file; nothing is kept to resume from. Partial files that a dead process has left of the
/// same task in the same folder are removed, too.
#[must_use = "nothing happens until it is awaited"]
pub struct Save {
    video: Video,
    destination: Destination,
    timeout: Duration,
    request: Option<Value>,
    on_progress: Option<OnProgress>,
    on_event: Option<OnSetback>,
    before_publish: Option<BeforePublish>,
}

/// A video on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(JsonSchema))]
#[non_exhaustive]
pub struct Saved {
    /// Where it is.
    pub path: PathBuf,
    /// How long it is.
    pub bytes: u64,
    /// The SHA-256 of its content, in 64 hexadecimal digits.
    pub sha256: String,
    /// Where the file that describes it is, if one was asked for.
    pub sidecar: Option<PathBuf>,
}

impl Video {
    /// Downloads the file to `path`. Await the answer, or set options on it first.
    ///
    /// The file appears under its name whole or not at all: it is written to a temporary file beside the target,
    /// checked for its length and for being a whole MP4, with its index, its media and every frame, brought to disk, and
    /// renamed. An existing file is left alone, unless [`Save::overwrite`] says otherwise.
    ///
    /// ```no_run
    /// # async fn example(video: kling_omni::Video) -> kling_omni::Result<()> {
    /// let saved = video
    ///     .save("puppet.mp4")
    ///     .sidecar(true) // puppet.mp4.json
    ///     .on_event(|setback| eprintln!("{setback}"))
    ///     .await?;
    /// println!("{}  {}", saved.sha256, saved.path.display());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Expired`](crate::ErrorKind::Expired) if the URL no longer works and the service names no other, [`ErrorKind::CorruptResult`](crate::ErrorKind::CorruptResult) if
    /// what came is not a whole MP4, [`ErrorKind::File`](crate::ErrorKind::File) if the file cannot be written or exists,
    /// [`ErrorKind::Transport`](crate::ErrorKind::Transport) if connections broke more often than [`Save`] puts up with, [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) if it
    /// takes longer than [`Save::timeout`], and the errors of
    /// [`Task::refresh`](crate::Task::refresh) if the service had to be asked for a fresh URL and did not answer.
    pub fn save(&self, path: impl Into<std::path::PathBuf>) -> Save {
        Save::new(self.clone(), path.into())
    }
}

impl Saved {
    /// Whether the file exists and has the content that was saved. The whole file is read.
    ///
    /// # Errors
    ///
    /// The file exists and could not be read.
    pub fn is_in_place(&self) -> io::Result<bool> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        if file.metadata()?.len() != self.bytes {
            return Ok(false);
        }
        let mut digest = Sha256::new();
        let mut chunk = [0; 64 * 1024];
        loop {
            match file.read(&mut chunk)? {
                0 => return Ok(hex(digest) == self.sha256),
                length => digest.update(&chunk[..length]),
            }
        }
    }
}

impl Save {
    /// How long a download may take, unless [`timeout`](Self::timeout) says otherwise: one hour, which is how long the URL
    /// of a result works.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3600);

    pub(crate) fn new(video: Video, path: PathBuf) -> Self {
        Self {
            video,
            destination: Destination::new(path),
            timeout: Self::DEFAULT_TIMEOUT,
            request: None,
            on_progress: None,
            on_event: None,
            before_publish: None,
        }
    }

    /// Replaces a file that is already there, and its sidecar. Default: refuse.
    ///
    /// On Unix, the new file keeps the mode of the old one, and its owner where that is allowed. Of a symbolic link to a
    /// file, the link is replaced and not what it points to. A folder, a device, a FIFO or a link to one is never
    /// replaced.
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.destination = self.destination.overwrite(overwrite);
        self
    }

    /// Writes a [`Sidecar`] once the video is saved: a JSON file of the video's name with `.json` behind it. Default: no.
    pub fn sidecar(mut self, sidecar: bool) -> Self {
        self.destination = self.destination.sidecar(sidecar);
        self
    }

    /// How long the download may take, with all its attempts and the waits between them; giving the file its name is not
    /// part of it. Default: [`DEFAULT_TIMEOUT`](Self::DEFAULT_TIMEOUT).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// What the video was made from, for the sidecar: any JSON, such as that of the request. Credentials in URLs are left
    /// out of the file.
    pub fn request(mut self, request: Value) -> Self {
        self.request = Some(request);
        self
    }

    /// Calls `callback` after each chunk with the bytes so far and, if known, in all. The bytes only grow, unless the
    /// download restarts, which [`on_event`](Self::on_event) reports first.
    pub fn on_progress(mut self, callback: impl FnMut(u64, Option<u64>) + Send + 'static) -> Self {
        self.on_progress = Some(Box::new(callback));
        self
    }

    /// Calls `callback` with each setback that the download recovers from.
    pub fn on_event(mut self, callback: impl FnMut(&DownloadEvent) + Send + 'static) -> Self {
        self.on_event = Some(Box::new(callback));
        self
    }

    /// Calls `callback` when the file is complete on disk and about to get its name. It runs on a blocking thread.
    pub(crate) fn before_publish(mut self, callback: impl FnOnce(&Saved) + Send + 'static) -> Self {
        self.before_publish = Some(Box::new(callback));
        self
    }

    pub(crate) fn path(&self) -> &Path {
        &self.destination.path
    }

    async fn run(mut self) -> Result<Saved> {
        self.destination
            .inspect()
            .map_err(|obstacle| errors::blocked(&self.video, obstacle))?;
        let sidecar = self.destination.sidecar_path();
        let Destination {
            path, overwrite, ..
        } = self.destination.clone();
        let (target, id) = (path.clone(), self.video.task_id().to_owned());
        // Blocking: this reads the folder to find what earlier processes have left.
        let temp_file =
            tokio::task::spawn_blocking(move || TempFile::create_for_task(&target, overwrite, &id))
                .await
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
                .map_err(|error| errors::write_failed(&self.video, &path, error))?;
        let mut transfer = Transfer::new(self.video.clone());
        let timeout = self.timeout;
        let filled = Timeout::new(timeout)
            .run(self.fill(&temp_file, &mut transfer))
            .await;
        let sha256 = filled.unwrap_or_else(|Elapsed| {
            let so_far = (transfer.position(), transfer.length());
            Err(errors::timed_out(
                &self.video,
                transfer.url(),
                so_far,
                timeout,
            ))
        })?;
        let saved = Saved {
            bytes: transfer.position(),
            sha256,
            sidecar,
            path,
        };
        let (video, request) = (self.video, self.request);
        let before_publish = self.before_publish;
        let url = transfer.url().clone();
        // Blocking: this syncs the folder.
        let publishing = tokio::task::spawn_blocking(move || {
            if let Some(callback) = before_publish {
                callback(&saved);
            }
            temp_file
                .publish()
                .map_err(|error| errors::write_failed(&video, &saved.path, error))?;
            if let Some(path) = &saved.sidecar {
                Sidecar::new(
                    &video,
                    &saved.path,
                    saved.bytes,
                    &saved.sha256,
                    &url,
                    request,
                )
                .write(&video, path, overwrite)
                .map_err(|error| errors::sidecar_failed(&video, &saved.path, &error))?;
            }
            Ok(saved)
        });
        publishing
            .await
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    /// Writes the whole file to disk and returns its hash.
    async fn fill(&mut self, temp_file: &TempFile, transfer: &mut Transfer) -> Result<String> {
        let video = self.video.clone();
        let path = self.destination.path.clone();
        let file_error = |error| errors::write_failed(&video, &path, error);
        let mut writer = Writer::start(temp_file.file().map_err(file_error)?);
        while let Some(item) = transfer.next().await? {
            match item {
                DownloadItem::Bytes(chunk) => {
                    writer.append(chunk).await.map_err(file_error)?;
                    if let Some(callback) = &mut self.on_progress {
                        callback(transfer.position(), transfer.length());
                    }
                }
                DownloadItem::DownloadEvent(setback) => {
                    if matches!(setback, DownloadEvent::Restarted { .. }) {
                        writer.restart().await.map_err(file_error)?;
                    }
                    if let Some(callback) = &mut self.on_event {
                        callback(&setback);
                    }
                }
            }
        }
        writer.finish().await.map_err(file_error)
    }
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
            .field("destination", &self.destination)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
