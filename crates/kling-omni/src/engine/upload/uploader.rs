//! The trait of uploaders, and what they return.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::SystemTime;

use futures_util::future::try_join_all;

use crate::engine::upload::local_file::LocalFile;
use crate::redact::RedactedUrl;

/// An error of any kind.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// The future of an upload.
pub type UploadFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send + 'a>>;

/// Uploads local files to where the service can read them: its own storage, your bucket, or any other host with URLs.
///
/// The URL has to work without credentials until the service has read it, and must not be guessable. URLs in the text of an
/// error are shown without their queries. A [`kling_omni::Error`](crate::Error) is returned to the caller unchanged.
///
/// ```
/// use kling_omni::upload::{LocalFile, UploadedFile, Uploader, UploadFuture};
/// use kling_omni::{ApiKey, Client};
///
/// /// Hard-links files into a folder that our web server serves.
/// struct OwnServer;
///
/// impl Uploader for OwnServer {
///     fn upload<'a>(&'a self, file: &'a LocalFile) -> UploadFuture<'a, UploadedFile> {
///         Box::pin(async move {
///             let name: String = file.sha256().iter().map(|byte| format!("{byte:02x}")).collect();
///             std::fs::hard_link(file.name(), format!("/srv/files/{name}"))?;
///             Ok(UploadedFile::new(format!("https://files.example.com/{name}"), None))
///         })
///     }
/// }
///
/// let client = Client::builder().api_key(ApiKey::new("FPSX-secret")?).uploader(OwnServer).build()?;
/// # Ok::<(), kling_omni::Error>(())
/// ```
pub trait Uploader: Send + Sync + 'static {
    /// Uploads one file. Its bytes come from [`LocalFile::stream`], which may be called again for another attempt.
    fn upload<'a>(&'a self, file: &'a LocalFile) -> UploadFuture<'a, UploadedFile>;

    /// Uploads several files and returns the results in the same order. By default, all of them are uploaded concurrently, and
    /// the first error cancels the others.
    fn upload_all<'a>(&'a self, files: &'a [LocalFile]) -> UploadFuture<'a, Vec<UploadedFile>> {
        Box::pin(try_join_all(files.iter().map(|file| self.upload(file))))
    }
}

/// Returns the results for all files in order, from the results for distinct contents.
pub(crate) fn expand_to_files(
    files: &[LocalFile],
    distinct: &[(&LocalFile, UploadedFile)],
) -> Vec<UploadedFile> {
    let uploaded = files.iter().filter_map(|file| {
        let same = distinct.iter().find(|(one, _)| one.has_same_content(file));
        same.map(|(_, uploaded)| uploaded.clone())
    });
    uploaded.collect()
}

/// A file that the service can read.
///
/// `Debug` redacts the token of the URL.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UploadedFile {
    /// The URL of the file. Its token, if it has one, lets anyone read the file: treat it as a secret.
    pub url: String,
    /// When the URL expires, if known.
    pub expires_at: Option<SystemTime>,
}

impl UploadedFile {
    /// Creates the result for a file at `url`, which is valid until `expires_at`, if known.
    pub fn new(url: impl Into<String>, expires_at: Option<SystemTime>) -> Self {
        Self {
            url: url.into(),
            expires_at,
        }
    }
}

impl fmt::Debug for UploadedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadedFile")
            .field("url", &RedactedUrl(&self.url).to_string())
            .field("expires_at", &self.expires_at)
            .finish()
    }
}
