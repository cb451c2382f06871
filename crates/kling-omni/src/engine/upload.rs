//! Uploads of local files.

#[cfg(feature = "object-store")]
mod bucket;
mod cache;
mod errors;
mod local_file;
mod put;
mod service;
mod source;
mod upload_target;
mod uploader;

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::try_join_all;

#[cfg(feature = "object-store")]
pub use crate::engine::upload::bucket::ObjectStoreUploader;
pub use crate::engine::upload::local_file::{FileStream, LocalFile};
pub use crate::engine::upload::service::ServiceUploader;
pub(crate) use crate::engine::upload::service::Uploads;
pub use crate::engine::upload::source::FileSource;
pub use crate::engine::upload::uploader::{BoxError, UploadFuture, UploadedFile, Uploader};

use crate::engine::error::Result;

type OnProgress = Box<dyn FnMut(u64, u64) + Send>;

/// The upload of a local file. Await it to start.
///
/// Returned by [`Client::upload`](crate::Client::upload). Dropping it aborts the upload and leaves no partial file.
#[must_use = "nothing happens until it is awaited"]
pub struct Upload(UploadAll);

/// The concurrent uploads of several local files. Await it to start.
///
/// Returned by [`Client::upload_all`](crate::Client::upload_all). Dropping it aborts the uploads.
#[must_use = "nothing happens until it is awaited"]
pub struct UploadAll {
    uploader: Arc<dyn Uploader>,
    sources: Vec<FileSource>,
    on_progress: Option<OnProgress>,
}

impl Upload {
    pub(crate) fn new(uploader: Arc<dyn Uploader>, source: FileSource) -> Self {
        Self(UploadAll::new(uploader, vec![source]))
    }

    /// Calls `callback` with the number of bytes sent so far and the total.
    ///
    /// The number starts again at 0 when the file is sent again. A file from the upload cache sends no bytes.
    pub fn on_progress(self, callback: impl FnMut(u64, u64) + Send + 'static) -> Self {
        Self(self.0.on_progress(callback))
    }
}

impl UploadAll {
    pub(crate) fn new(uploader: Arc<dyn Uploader>, sources: Vec<FileSource>) -> Self {
        Self {
            uploader,
            sources,
            on_progress: None,
        }
    }

    /// Calls `callback` with the number of bytes of all files sent so far and the total; see [`Upload::on_progress`].
    pub fn on_progress(mut self, callback: impl FnMut(u64, u64) + Send + 'static) -> Self {
        self.on_progress = Some(Box::new(callback));
        self
    }

    async fn run(self) -> Result<Vec<UploadedFile>> {
        let mut files = try_join_all(self.sources.into_iter().map(LocalFile::open)).await?;
        if let Some(callback) = self.on_progress {
            let progress = Arc::new(Mutex::new(UploadProgress {
                sent: vec![0; files.len()],
                total: files.iter().map(LocalFile::length).sum(),
                callback,
            }));
            files = files
                .into_iter()
                .enumerate()
                .map(|(index, file)| {
                    let progress = Arc::clone(&progress);
                    file.with_progress(move |sent| {
                        let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
                        progress.update(index, sent);
                    })
                })
                .collect();
        }
        let uploaded = self.uploader.upload_all(&files).await;
        let uploaded = uploaded.map_err(|error| errors::uploader_failed(&files, error))?;
        if uploaded.len() == files.len() {
            Ok(uploaded)
        } else {
            Err(errors::wrong_count(&files, uploaded.len()))
        }
    }
}

/// The combined progress of all files.
struct UploadProgress {
    sent: Vec<u64>,
    total: u64,
    callback: OnProgress,
}

impl UploadProgress {
    fn update(&mut self, file: usize, sent: u64) {
        self.sent[file] = sent;
        (self.callback)(self.sent.iter().sum(), self.total);
    }
}

impl IntoFuture for Upload {
    type Output = Result<UploadedFile>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async {
            let mut uploaded = self.0.run().await?;
            Ok(uploaded.remove(0))
        })
    }
}

impl IntoFuture for UploadAll {
    type Output = Result<Vec<UploadedFile>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Upload").field(&self.0.sources[0]).finish()
    }
}

impl fmt::Debug for UploadAll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UploadAll").field(&self.sources).finish()
    }
}
