use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::path::{MAIN_SEPARATOR, PathBuf};
use std::pin::Pin;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::draft::{Draft, is_taken};
use super::setback::Setback;
use super::sidecar::Sidecar;
use super::transfer::{Piece, Transfer};
use super::writer::Writer;
use super::{Video, problem};
use crate::error::Result;

type OnProgress = Box<dyn FnMut(u64, Option<u64>) + Send>;
type OnSetback = Box<dyn FnMut(&Setback) + Send>;

/// A download to a file. Await it to start.
///
/// A connection that breaks, or brings nothing for [`ClientBuilder::idle_timeout`](crate::ClientBuilder::idle_timeout),
/// is taken up again where it ended: as often as [`ClientBuilder::retries`](crate::ClientBuilder::retries) says, and as
/// often again after each MiB of headway. A host that gives no way to be sure that the rest belongs to the same file
/// makes the download begin anew. When the URL does not work any more, the service is asked for a fresh one.
///
/// Dropping it leaves no part of a file behind: nothing is kept to go on from later.
#[must_use = "nothing happens until it is awaited"]
pub struct Save {
    video: Video,
    path: PathBuf,
    overwrite: bool,
    sidecar: bool,
    request: Option<Value>,
    on_progress: Option<OnProgress>,
    on_setback: Option<OnSetback>,
}

/// A video on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
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

impl Save {
    pub(super) fn new(video: Video, path: PathBuf) -> Self {
        Self {
            video,
            path,
            overwrite: false,
            sidecar: false,
            request: None,
            on_progress: None,
            on_setback: None,
        }
    }

    /// Replaces a file that is already there, and its sidecar; of a symbolic link, the link and not what it points to.
    /// Default: refuse.
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// Writes a [`Sidecar`] once the video is saved: a JSON file of the video's name with `.json` behind it. Default: no.
    pub fn sidecar(mut self, sidecar: bool) -> Self {
        self.sidecar = sidecar;
        self
    }

    /// What the video was made from, for the sidecar: any JSON, such as that of the request. Credentials in URLs are left
    /// out of the file.
    pub fn request(mut self, request: Value) -> Self {
        self.request = Some(request);
        self
    }

    /// Calls `callback` after each chunk with the bytes so far and, if known, in all. The bytes only grow, unless the
    /// download has to begin anew, which [`on_setback`](Self::on_setback) tells first.
    pub fn on_progress(mut self, callback: impl FnMut(u64, Option<u64>) + Send + 'static) -> Self {
        self.on_progress = Some(Box::new(callback));
        self
    }

    /// Calls `callback` with what the download gets over.
    pub fn on_setback(mut self, callback: impl FnMut(&Setback) + Send + 'static) -> Self {
        self.on_setback = Some(Box::new(callback));
        self
    }

    async fn run(mut self) -> Result<Saved> {
        self.check_target()?;
        let draft = Draft::beside(&self.path)
            .map_err(|error| problem::not_written(&self.video, &self.path, error))?;
        let mut transfer = Transfer::new(self.video.clone());
        let sha256 = self.fill(&draft, &mut transfer).await?;
        let saved = Saved {
            bytes: transfer.position(),
            sha256,
            sidecar: self.sidecar.then(|| Sidecar::beside(&self.path)),
            path: self.path,
        };
        let (video, overwrite, request) = (self.video, self.overwrite, self.request);
        let url = transfer.url().clone();
        // Names are synced to disk as well, which takes its time.
        let publishing = tokio::task::spawn_blocking(move || {
            draft
                .publish(overwrite)
                .map_err(|error| problem::unwritten(&video, &saved.path, error))?;
            if let Some(path) = &saved.sidecar {
                Sidecar::of(&video, &saved, &url, request)
                    .write(&video, path, overwrite)
                    .map_err(|error| problem::undescribed(&video, &saved.path, &error))?;
            }
            Ok(saved)
        });
        publishing
            .await
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    /// Finds out what can be found out before a byte is fetched.
    fn check_target(&self) -> Result<()> {
        let path = &self.path;
        let text = path.as_os_str().to_string_lossy();
        if path.file_name().is_none() || text.ends_with(['/', MAIN_SEPARATOR]) || path.is_dir() {
            let error = io::Error::from(io::ErrorKind::IsADirectory);
            return Err(problem::not_written(&self.video, path, error));
        }
        let sidecar = self.sidecar.then(|| Sidecar::beside(path));
        for path in sidecar.iter().chain([path]) {
            if !self.overwrite && is_taken(path) {
                return Err(problem::exists(&self.video, path));
            }
        }
        Ok(())
    }

    /// Brings the whole file to disk, and answers its hash.
    async fn fill(&mut self, draft: &Draft, transfer: &mut Transfer) -> Result<String> {
        let video = self.video.clone();
        let path = self.path.clone();
        let file_error = |error| problem::not_written(&video, &path, error);
        let mut writer = Writer::start(draft.file().map_err(file_error)?);
        while let Some(piece) = transfer.next().await? {
            match piece {
                Piece::Bytes(chunk) => {
                    writer.append(chunk).await.map_err(file_error)?;
                    if let Some(callback) = &mut self.on_progress {
                        callback(transfer.position(), transfer.length());
                    }
                }
                Piece::Setback(setback) => {
                    if matches!(setback, Setback::Restarted { .. }) {
                        writer.restart().await.map_err(file_error)?;
                    }
                    if let Some(callback) = &mut self.on_setback {
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
            .field("path", &self.path)
            .field("overwrite", &self.overwrite)
            .field("sidecar", &self.sidecar)
            .finish_non_exhaustive()
    }
}
