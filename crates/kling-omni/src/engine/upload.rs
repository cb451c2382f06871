//! Local files on their way to where the service can read them.

mod cache;
mod file_bytes;
mod local_file;
mod source;

mod uploader;
mod vendor;

#[cfg(feature = "object-store")]
mod bucket;

mod place;
mod problem;
mod put;

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::try_join_all;

#[cfg(feature = "object-store")]
pub use crate::engine::upload::bucket::ObjectStoreUploader;
pub use crate::engine::upload::file_bytes::FileBytes;
pub use crate::engine::upload::local_file::LocalFile;
pub use crate::engine::upload::source::FileSource;
pub use crate::engine::upload::uploader::{BoxError, Uploaded, Uploader, Uploading};
pub use crate::engine::upload::vendor::VendorUploader;

use crate::engine::error::Result;
use crate::engine::http::Http;
use crate::engine::http::client::LazyClient;
use crate::engine::service::Service;
use crate::engine::upload::cache::UploadCache;

/// How a client uploads files to the service's own storage.
pub(crate) struct Uploads {
    pub(crate) http: Arc<Http>,
    pub(crate) service: &'static dyn Service,
    /// Sends files to a storage host: it never carries the key, nor any header of its own, and follows no redirect.
    pub(crate) client: LazyClient,
    /// What was uploaded and can be used again.
    pub(crate) cache: UploadCache,
}

impl Uploads {
    pub(crate) fn new(http: Arc<Http>, service: &'static dyn Service, client: LazyClient) -> Self {
        Self {
            http,
            service,
            client,
            cache: UploadCache::default(),
        }
    }
}

type OnProgress = Box<dyn FnMut(u64, u64) + Send>;

/// One local file, about to be uploaded. Await it to start.
///
/// Made by [`Client::upload`](crate::Client::upload). Dropping it breaks the upload off; nothing is left behind that
/// could be mistaken for the file.
#[must_use = "nothing happens until it is awaited"]
pub struct Upload(UploadAll);

/// Several local files, about to be uploaded at the same time. Await it to start.
///
/// Made by [`Client::upload_all`](crate::Client::upload_all). Dropping it breaks the uploads off.
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

    /// Calls `callback` with the bytes that were sent so far and in all.
    ///
    /// The bytes go back to nothing when the file has to be sent again. Of a file that is there already, none are sent.
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

    /// Calls `callback` with the bytes of all files that were sent so far and in all; see [`Upload::on_progress`].
    pub fn on_progress(mut self, callback: impl FnMut(u64, u64) + Send + 'static) -> Self {
        self.on_progress = Some(Box::new(callback));
        self
    }

    async fn run(self) -> Result<Vec<Uploaded>> {
        let mut files = try_join_all(self.sources.into_iter().map(LocalFile::measure)).await?;
        if let Some(callback) = self.on_progress {
            let progress = Arc::new(Mutex::new(Progress {
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
                        progress.tell(index, sent);
                    })
                })
                .collect();
        }
        let uploaded = self.uploader.upload_all(&files).await;
        let uploaded = uploaded.map_err(|error| problem::of_uploader(&files, error))?;
        if uploaded.len() == files.len() {
            Ok(uploaded)
        } else {
            Err(problem::miscounted(&files, uploaded.len()))
        }
    }
}

/// How far all files together have come.
struct Progress {
    sent: Vec<u64>,
    total: u64,
    callback: OnProgress,
}

impl Progress {
    fn tell(&mut self, file: usize, sent: u64) {
        self.sent[file] = sent;
        (self.callback)(self.sent.iter().sum(), self.total);
    }
}

impl IntoFuture for Upload {
    type Output = Result<Uploaded>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async {
            let mut uploaded = self.0.run().await?;
            Ok(uploaded.remove(0))
        })
    }
}

impl IntoFuture for UploadAll {
    type Output = Result<Vec<Uploaded>>;
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
