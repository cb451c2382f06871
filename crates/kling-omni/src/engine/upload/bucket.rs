//! The uploader to a bucket of the caller.

mod errors;
mod send;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::signer::{Method, Signer};
use object_store::{Attribute, GetOptions, ObjectStore};

use crate::clock::{Clock as _, SystemClock};
use crate::digest;
use crate::engine::bucket::{self, settings};
use crate::engine::error::{Error, Result};
use crate::engine::polling::DEFAULT_WAIT_TIMEOUT;
use crate::engine::upload::local_file::LocalFile;
use crate::engine::upload::source;
use crate::engine::upload::uploader::{UploadFuture, UploadedFile, Uploader, expand_to_files};

/// The maximum number of concurrent uploads.
const CONCURRENCY: usize = 2;

/// A store that can create presigned URLs, which work without its credentials.
trait SigningStore: ObjectStore + Signer {}

impl<S: ObjectStore + Signer> SigningStore for S {}

/// Uploads to your own bucket, for keys that cannot use the uploads of the service, or to keep the files there.
///
/// The service reads the files through presigned URLs, which work without credentials for a [lifetime](Self::lifetime). The
/// name of an object is the SHA-256 of its content, so the same content is uploaded once. Objects are kept; use a lifecycle
/// rule of the bucket to delete them. The credentials need `s3:PutObject` and `s3:GetObject`. With `s3:ListBucket`, the
/// store can also report that an object does not exist yet.
///
/// Files are read from disk in parts of 5 MiB, a few of which are in memory at a time. An object appears once it is
/// complete and verified. A file that changes during the upload is an error. A dropped upload may leave parts: a lifecycle
/// rule for incomplete multipart uploads removes them. The progress counts bytes that were read, which is a few parts ahead
/// of the connection.
///
/// ```no_run
/// use kling_omni::upload::ObjectStoreUploader;
/// use kling_omni::{ApiKey, Client};
///
/// # fn example() -> Result<(), kling_omni::Error> {
/// let bucket = ObjectStoreUploader::from_url("s3://my-bucket/kling")?;
/// let client = Client::builder().api_key(ApiKey::new("FPSX-secret")?).uploader(bucket).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ObjectStoreUploader {
    store: Arc<dyn SigningStore>,
    prefix: Path,
    /// The name in messages.
    name: Arc<str>,
    lifetime: Duration,
    reuse_within: Option<Duration>,
}

impl ObjectStoreUploader {
    /// How long presigned URLs are valid by default: as long as those of the service's own uploads.
    pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(24 * 3600);
    /// The minimum lifetime: a task may wait in a queue before it is first read, up to the default timeout of a
    /// [`Wait`](crate::polling::Wait).
    pub const MIN_LIFETIME: Duration = DEFAULT_WAIT_TIMEOUT;
    /// The maximum lifetime of a presigned URL of S3.
    pub const MAX_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

    /// Creates an uploader to a bucket with the S3 API, from `s3://bucket` or `s3://bucket/prefix` and the environment. Sends
    /// nothing yet.
    ///
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, for temporary credentials, `AWS_SESSION_TOKEN` are the credentials.
    /// Without them, the role of the machine or container is used. `AWS_REGION` is the region of the bucket. `AWS_ENDPOINT_URL`
    /// selects another service than Amazon's, over plain HTTP only if it begins with `http://`.
    /// `AWS_VIRTUAL_HOSTED_STYLE_REQUEST` and the other settings of
    /// [`AmazonS3Builder::from_env`](object_store::aws::AmazonS3Builder::from_env) apply, too. The files of the AWS command line,
    /// with its profiles, are not read.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if this is not such a URL, or if settings are missing or
    /// cannot be read.
    pub fn from_url(url: &str) -> Result<Self> {
        let (store, prefix) = settings::from_url(url)?;
        let name = match prefix.as_ref() {
            "" => url.trim_end_matches('/').to_owned(),
            _ => url.to_owned(),
        };
        Ok(Self::with_store(store, prefix, name))
    }

    /// Creates an uploader to a bucket with the S3 API, from your settings and the prefix of all object names, which may be empty.
    ///
    /// Requests use the HTTP library and the hash functions of this crate, so `object_store` needs none of its features for
    /// that. Of the [`ClientOptions`](object_store::ClientOptions), the timeouts apply, and whether plain HTTP is allowed. The
    /// default timeout allows 30 s for a part of a file, which is short for a slow connection.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if settings are missing or cannot be read, or if the prefix
    /// is invalid.
    pub fn from_s3(settings: AmazonS3Builder, prefix: &str) -> Result<Self> {
        Self::new(settings::build(settings)?, prefix)
    }

    /// Creates an uploader to any store that can sign URLs, such as those of [`object_store`] for Google Cloud or Azure, with
    /// features of it that your program enables; and the prefix of all object names, which may be empty.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the prefix is invalid.
    pub fn new(store: impl ObjectStore + Signer, prefix: &str) -> Result<Self> {
        let prefix = Path::parse(prefix).map_err(|error| errors::invalid_prefix(prefix, &error))?;
        let name = store.to_string();
        Ok(Self::with_store(store, prefix, name))
    }

    fn with_store(store: impl ObjectStore + Signer, prefix: Path, name: String) -> Self {
        Self {
            store: Arc::new(store),
            prefix,
            name: name.into(),
            lifetime: Self::DEFAULT_LIFETIME,
            reuse_within: None,
        }
    }

    /// Sets how long presigned URLs are valid, in whole seconds. A URL that is signed with temporary credentials expires with
    /// them, if that is earlier. Default: [`DEFAULT_LIFETIME`](Self::DEFAULT_LIFETIME).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if it is below
    /// [`MIN_LIFETIME`](Self::MIN_LIFETIME) or above [`MAX_LIFETIME`](Self::MAX_LIFETIME).
    pub fn lifetime(mut self, lifetime: Duration) -> Result<Self> {
        if !(Self::MIN_LIFETIME..=Self::MAX_LIFETIME).contains(&lifetime) {
            return Err(errors::invalid_lifetime(lifetime));
        }
        self.lifetime = Duration::from_secs(lifetime.as_secs());
        Ok(self)
    }

    /// Sets how old an object may be to be used again. An older one is uploaded again. Default: any age.
    ///
    /// For a bucket that deletes objects after some time: the age plus the lifetime of a URL must not exceed that time.
    pub fn reuse_within(mut self, age: Duration) -> Self {
        self.reuse_within = Some(age);
        self
    }

    async fn upload_file(&self, file: &LocalFile) -> Result<UploadedFile> {
        let path = self.object_path(file);
        if self.contains(file, &path).await? {
            tracing::info!(file = file.name(), %path, "file already in the bucket");
        } else {
            send::send(&self.store, file, &path)
                .await
                .map_err(|failure| errors::send_failed(file, &self.name, failure))?;
            self.check(file, &path).await?;
            let bytes = file.length();
            tracing::info!(file = file.name(), %path, bytes, "file uploaded");
        }
        let now = SystemClock.system_time();
        let url = self
            .store
            .signed_url(Method::GET, &path, self.lifetime)
            .await
            .map_err(|error| errors::sign_failed(file, &self.name, &error))?;
        // The signature has whole seconds, and may be earlier than `now`.
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let end = Duration::from_secs(now.as_secs()) + self.lifetime;
        Ok(UploadedFile::new(url, UNIX_EPOCH.checked_add(end)))
    }

    /// The path of an object with this content.
    fn object_path(&self, file: &LocalFile) -> Path {
        let mut name = digest::digits(file.sha256());
        if let Some(extension) = source::extension(file.content_type()) {
            name.push('.');
            name.push_str(extension);
        }
        self.prefix.clone().join(name)
    }

    /// Whether the store reports that it has the file.
    async fn contains(&self, file: &LocalFile, path: &Path) -> Result<bool> {
        let options = GetOptions::new().with_head(true);
        let found = match self.store.get_opts(path, options).await {
            Ok(found) => found,
            Err(error) if bucket::errors::has_no_response(&error) => {
                return Err(errors::send_failed(file, &self.name, error.into()));
            }
            // Without the permission to list, a missing object looks like a denied one, and the response has no message.
            // The upload itself returns the actual error.
            Err(_) => return Ok(false),
        };
        let kind = found.attributes.get(&Attribute::ContentType);
        let age = SystemClock
            .system_time()
            .duration_since(found.meta.last_modified.into());
        Ok(found.meta.size == file.length()
            && kind.is_none_or(|kind| kind.as_ref() == file.content_type())
            // An object with a time in the future is new.
            && self.reuse_within.is_none_or(|max| age.unwrap_or_default() < max))
    }

    /// Checks that an object is complete and readable with the credentials that sign the URL.
    async fn check(&self, file: &LocalFile, path: &Path) -> Result<()> {
        let options = GetOptions::new().with_head(true);
        let found = self.store.get_opts(path, options).await;
        let found = found.map_err(|error| errors::not_readable(file, &self.name, error))?;
        if found.meta.size == file.length() {
            Ok(())
        } else {
            Err(errors::wrong_length(file, found.meta.size))
        }
    }
}

impl Uploader for ObjectStoreUploader {
    fn upload<'a>(&'a self, file: &'a LocalFile) -> UploadFuture<'a, UploadedFile> {
        Box::pin(async move { Ok(self.upload_file(file).await?) })
    }

    /// Uploads distinct contents, a few of them concurrently.
    fn upload_all<'a>(&'a self, files: &'a [LocalFile]) -> UploadFuture<'a, Vec<UploadedFile>> {
        Box::pin(async move {
            let mut distinct: Vec<&LocalFile> = Vec::new();
            for file in files {
                if !distinct.iter().any(|one| one.has_same_content(file)) {
                    distinct.push(file);
                }
            }
            let mut sending = Vec::new();
            for file in distinct {
                sending.push(async move { Ok::<_, Error>((file, self.upload_file(file).await?)) });
            }
            let sending = stream::iter(sending).buffer_unordered(CONCURRENCY);
            let distinct_uploads: Vec<_> = sending.try_collect().await?;
            Ok(expand_to_files(files, &distinct_uploads))
        })
    }
}

impl fmt::Debug for ObjectStoreUploader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectStoreUploader")
            .field("name", &self.name)
            .field("prefix", &self.prefix.as_ref())
            .field("lifetime", &self.lifetime)
            .field("reuse_within", &self.reuse_within)
            .finish_non_exhaustive()
    }
}
