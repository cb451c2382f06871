//! A download to a file or an object.

use std::fmt;
use std::fs::File;
use std::future::{Future, IntoFuture};
use std::io::{self, Read};
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

#[cfg(feature = "schemars")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;

use crate::blocking_thread::run_blocking;
use crate::digest::hex;
use crate::engine::download::destination::{Destination, Place};
use crate::engine::download::draft::{self, Draft};
use crate::engine::download::errors;
use crate::engine::download::event::DownloadEvent;
use crate::engine::download::sidecar::Sidecar;
use crate::engine::download::temp_file::TempFile;
use crate::engine::download::transfer::{DownloadItem, Transfer};
use crate::engine::download::video::Video;
use crate::engine::error::Result;
use crate::engine::expected_video::{ExpectedVideo, VideoFinding};
use crate::engine::http::timeout::{Elapsed, Timeout};
use crate::redact::printable;

type OnProgress = Box<dyn FnMut(u64, Option<u64>) + Send>;
type OnEvent = Box<dyn FnMut(&DownloadEvent) + Send>;
type BeforePublish = Box<dyn FnOnce(Saved) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// A download to a file or an object. Await it to start.
///
/// A connection that breaks, or receives nothing for [`ClientBuilder::read_timeout`](crate::ClientBuilder::read_timeout),
/// is resumed at the same position, up to [`ClientBuilder::max_retries`](crate::ClientBuilder::max_retries) times. The count
/// starts again after each MiB. If the host sends no strong validator, the download restarts from the first byte. If the URL
/// is rejected, the service is asked for another one.
///
/// A connection that receives less than 64 KiB in a minute counts as broken, and [`timeout`](Self::timeout) limits the
/// download with all its attempts.
///
/// Dropping it removes the partial file, so it cannot be resumed later. Partial files of the same task in the same folder
/// that a dead process has left are removed, too.
#[must_use = "nothing happens until it is awaited"]
pub struct Save {
    video: Video,
    destination: Destination,
    timeout: Duration,
    request: Option<Value>,
    expected: Option<ExpectedVideo>,
    on_progress: Option<OnProgress>,
    on_event: Option<OnEvent>,
    before_publish: Option<BeforePublish>,
}

/// A video that was saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(JsonSchema))]
#[non_exhaustive]
pub struct Saved {
    /// The path of the file, or the URL of the object.
    pub path: PathBuf,
    /// The length of the file in bytes.
    pub bytes: u64,
    /// The SHA-256 of the content, in 64 hexadecimal digits.
    pub sha256: String,
    /// The path of the sidecar, if one was requested.
    pub sidecar: Option<PathBuf>,
    /// The id of the save in the metadata of an object; `None` for a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub save_id: Option<String>,
    /// Where the video differs from its request; empty if it does not, or if the request is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<VideoFinding>,
}

impl Video {
    /// Downloads the file to `destination`: a path, or an object of your bucket (`VideoStore::object`, a feature). Await the
    /// result, or set options first.
    ///
    /// The file appears under its name only when it is complete: it is written to a temporary file beside the target, checked
    /// (its length, and a complete MP4 with the index, the media and every frame), synced to disk, and renamed. An existing
    /// file is not replaced, unless [`Save::overwrite`] is set.
    ///
    /// An object is uploaded while the video is downloaded, and appears when the video is complete.
    ///
    /// ```no_run
    /// # async fn example(video: kling_omni::Video) -> kling_omni::Result<()> {
    /// let saved = video
    ///     .save("puppet.mp4")
    ///     .sidecar(true) // puppet.mp4.json
    ///     .on_event(|event| eprintln!("{event}"))
    ///     .await?;
    /// println!("{}  {}", saved.sha256, saved.path.display());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// * [`ErrorKind::Expired`](crate::ErrorKind::Expired): the URL was rejected and the service returns no other.
    /// * [`ErrorKind::CorruptResult`](crate::ErrorKind::CorruptResult): the downloaded file is not a complete MP4.
    /// * [`ErrorKind::File`](crate::ErrorKind::File): the file cannot be written, or exists.
    /// * [`ErrorKind::Configuration`](crate::ErrorKind::Configuration): the store of an object rejects the upload.
    /// * [`ErrorKind::Transport`](crate::ErrorKind::Transport): connections broke more often than [`Save`] retries.
    /// * [`ErrorKind::Timeout`](crate::ErrorKind::Timeout): the download takes longer than [`Save::timeout`].
    /// * The errors of [`Task::refresh`](crate::Task::refresh), if another URL was needed and the service failed.
    pub fn save(&self, destination: impl Into<Destination>) -> Save {
        Save::new(self.clone(), destination.into())
    }
}

impl Saved {
    /// Whether the file exists and has the content that was saved. Reads the complete file. False for an object.
    ///
    /// # Errors
    ///
    /// Fails if the file exists and cannot be read.
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
    /// How long a download may take by default: one hour, which is how long the URL of a result works.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3600);

    pub(crate) fn new(video: Video, destination: Destination) -> Self {
        Self {
            video,
            destination,
            timeout: Self::DEFAULT_TIMEOUT,
            request: None,
            expected: None,
            on_progress: None,
            on_event: None,
            before_publish: None,
        }
    }

    /// Sets whether to replace an existing file and its sidecar. Default: false.
    ///
    /// On Unix, the new file keeps the mode of the old one, and its owner if permitted. A symbolic link to a file is replaced
    /// itself, and not its target. A folder, a device, a FIFO or a link to one is never replaced.
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.destination = self.destination.overwrite(overwrite);
        self
    }

    /// Sets whether to write a [`Sidecar`] after the video: a JSON file with the name of the video plus `.json`. Default: false.
    pub fn sidecar(mut self, sidecar: bool) -> Self {
        self.destination = self.destination.sidecar(sidecar);
        self
    }

    /// Sets how long the download may take, with all its attempts and the waits between them. The final rename is not included.
    /// Default: [`DEFAULT_TIMEOUT`](Self::DEFAULT_TIMEOUT).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the request for the sidecar: any JSON. Credentials in URLs are redacted.
    pub fn request(mut self, request: Value) -> Self {
        self.request = Some(request);
        self
    }

    /// Sets what the request asked of the video: [`Request::expected_video`](crate::request::Request::expected_video). The
    /// differences are in [`Saved::findings`], and never fail the save. Default: what the create asked, if this client has
    /// created the task.
    pub fn expected(mut self, expected: ExpectedVideo) -> Self {
        self.expected = Some(expected);
        self
    }

    /// Calls `callback` after each chunk with the number of bytes received and, if known, the total. The number only grows,
    /// unless the download restarts, which [`on_event`](Self::on_event) reports first.
    pub fn on_progress(mut self, callback: impl FnMut(u64, Option<u64>) + Send + 'static) -> Self {
        self.on_progress = Some(Box::new(callback));
        self
    }

    /// Calls `callback` for each failure that the download recovers from.
    pub fn on_event(mut self, callback: impl FnMut(&DownloadEvent) + Send + 'static) -> Self {
        self.on_event = Some(Box::new(callback));
        self
    }

    /// Calls `callback` when the file is complete on disk, before the rename.
    pub(crate) fn before_publish<F>(
        mut self,
        callback: impl FnOnce(Saved) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.before_publish = Some(Box::new(|saved| Box::pin(callback(saved))));
        self
    }

    pub(crate) fn place(&self) -> &Place {
        &self.destination.place
    }

    async fn run(mut self) -> Result<Saved> {
        let mut draft = Draft::create(&self.video, &self.destination).await?;
        let (sidecar, overwrite) = (self.destination.sidecar_path(), self.destination.overwrite);
        let mut transfer = Transfer::new(self.video.clone());
        let timeout = self.timeout;
        let filled = Timeout::new(timeout)
            .run(self.fill(&mut draft, &mut transfer))
            .await;
        let filled = filled.unwrap_or_else(|Elapsed| {
            let so_far = (transfer.position(), transfer.length());
            Err(errors::timed_out(
                &self.video,
                transfer.url(),
                so_far,
                timeout,
            ))
        });
        let sha256 = match filled {
            Ok(sha256) => sha256,
            Err(error) => {
                draft.discard().await;
                return Err(error);
            }
        };
        let expected = self.expected.or_else(|| self.video.origin.expected());
        let saved = Saved {
            findings: expected.map_or(Vec::new(), |expected| transfer.compare(&expected)),
            bytes: transfer.position(),
            sha256,
            sidecar,
            save_id: draft.save_id(),
            path: self.destination.place.path(),
        };
        let task_id = printable(self.video.task_id()).into_owned();
        let (video, request) = (self.video, self.request);
        if let Some(callback) = self.before_publish.take() {
            callback(saved.clone()).await;
        }
        let saved = match draft {
            Draft::File(temp_file) => {
                let url = transfer.url().clone();
                // Blocking, because it syncs the folder.
                run_blocking(move || {
                    publish(temp_file, &video, &saved, overwrite, &url, request).map(|()| saved)
                })
                .await?
            }
            #[cfg(feature = "object-store")]
            Draft::Object(upload) => {
                let published = upload.publish().await;
                published.map_err(|error| error.with_task(&task_id))?;
                saved
            }
        };
        let path = saved.path.display();
        tracing::info!(%task_id, %path, bytes = saved.bytes, "video saved");
        Ok(saved)
    }

    /// Writes the video and returns its hash.
    async fn fill(&mut self, draft: &mut Draft, transfer: &mut Transfer) -> Result<String> {
        let video = self.video.clone();
        let place = self.destination.place.clone();
        let file_error = |error| draft::write_failed(&video, &place, error);
        let mut writer = draft.writer().map_err(file_error)?;
        while let Some(item) = transfer.next().await? {
            match item {
                DownloadItem::Bytes(chunk) => {
                    writer.append(chunk).await.map_err(file_error)?;
                    if let Some(callback) = &mut self.on_progress {
                        callback(transfer.position(), transfer.length());
                    }
                }
                DownloadItem::Event(event) => {
                    if matches!(event, DownloadEvent::Restarted { .. }) {
                        writer.restart().await.map_err(file_error)?;
                    }
                    if let Some(callback) = &mut self.on_event {
                        callback(&event);
                    }
                }
            }
        }
        writer.finish().await.map_err(file_error)
    }
}

/// Renames the file to its name, and writes its sidecar.
fn publish(
    temp_file: TempFile,
    video: &Video,
    saved: &Saved,
    overwrite: bool,
    url: &Url,
    request: Option<Value>,
) -> Result<()> {
    let Saved {
        path,
        bytes,
        sha256,
        findings,
        ..
    } = saved;
    let published = temp_file.publish();
    published.map_err(|error| errors::write_failed(video, path, error))?;
    let Some(sidecar) = &saved.sidecar else {
        return Ok(());
    };
    Sidecar::new(video, path, *bytes, sha256, findings, url, request)
        .write(video, sidecar, overwrite)
        .map_err(|error| errors::sidecar_failed(video, path, &error))
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
