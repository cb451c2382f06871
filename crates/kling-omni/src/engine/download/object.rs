//! The objects of a store that videos are saved to.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::{Attribute, Attributes, GetOptions, ObjectStore};

use crate::engine::bucket::errors::{self as store_errors, StoreUse, store_failed};
use crate::engine::bucket::multipart::{MultipartUpload, PART_SIZE};
use crate::engine::bucket::settings;
use crate::engine::download::destination::{Destination, Obstacle};
use crate::engine::download::save::Saved;
use crate::engine::error::{Error, ErrorKind, Result};

/// The attribute of an object with the id of the task that made the video. Azure allows no hyphens in such names, and some
/// proxies remove underscores.
const TASK: &str = "klingtask";
/// The attribute with the id of the save that wrote the object.
const SAVE: &str = "klingsave";

/// What an error says about a save.
const USE: StoreUse = StoreUse {
    rejected: ErrorKind::Configuration,
    permissions: "s3:PutObject, s3:GetObject, s3:ListBucket and s3:AbortMultipartUpload",
    again: "save the video again at no further cost",
};

/// The object stores that videos are saved to: your buckets.
///
/// [`object`](Self::object) returns the destination for a URL such as `s3://my-bucket/clips/puppet.mp4`. The part after the
/// bucket is the name of the object as it is, without percent-decoding, as for the AWS command line.
///
/// A video is uploaded in parts of 5 MiB while it is downloaded, a few of which are in memory at a time, and never touches the
/// disk. Its object appears when the video is complete. The object has the id of the task in the metadata `klingtask`, and that
/// of the save in `klingsave`. By these, a [`Journal`](crate::journal::Journal) knows after a crash whether the object is the
/// one that it was about to publish. The SHA-256 is not in the metadata, because a store takes those before the first byte.
///
/// The credentials need `s3:PutObject`, `s3:GetObject`, `s3:ListBucket` and `s3:AbortMultipartUpload`. A process that is killed
/// leaves parts: a lifecycle rule for incomplete multipart uploads removes them.
///
/// ```no_run
/// use kling_omni::Video;
/// use kling_omni::download::VideoStore;
///
/// # async fn example(video: Video) -> kling_omni::Result<()> {
/// let store = VideoStore::from_env();
/// let saved = video.save(store.object("s3://my-bucket/clips/puppet.mp4")?).await?;
/// println!("{}  {}", saved.sha256, saved.path.display());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct VideoStore(Arc<Buckets>);

enum Buckets {
    /// Any bucket with the S3 API, by its name.
    S3 {
        settings: Box<AmazonS3Builder>,
        stores: Mutex<HashMap<String, Arc<dyn ObjectStore>>>,
    },
    /// One store, for URLs that begin with this and a slash.
    Other {
        url: String,
        store: Arc<dyn ObjectStore>,
    },
}

impl VideoStore {
    /// Saves to buckets with the S3 API, with the credentials and settings of the environment, as
    /// [`ObjectStoreUploader::from_url`](crate::upload::ObjectStoreUploader::from_url) does. URLs begin with `s3://`. Sends
    /// nothing yet.
    pub fn from_env() -> Self {
        Self::from_s3(settings::from_env())
    }

    /// Saves to buckets with the S3 API, with your settings. URLs begin with `s3://`, and name the bucket.
    pub fn from_s3(settings: AmazonS3Builder) -> Self {
        Self(Arc::new(Buckets::S3 {
            settings: Box::new(settings),
            stores: Mutex::default(),
        }))
    }

    /// Saves to any store, such as those of [`object_store`] for Google Cloud or Azure, with features of it that your program
    /// enables. `url` is the beginning of the URLs of its objects, such as `gs://my-bucket`. The store has to keep the metadata
    /// of objects.
    pub fn new(url: &str, store: impl ObjectStore) -> Self {
        Self(Arc::new(Buckets::Other {
            url: url.trim_end_matches('/').to_owned(),
            store: Arc::new(store),
        }))
    }

    /// Returns the destination of a video, from the URL of its object. An existing object is not replaced, unless its metadata
    /// has the same task, or [`Destination::overwrite`] is set. Two saves to one name at the same moment may replace each other.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if it is not the URL of an object of this store, or if settings are missing or cannot be
    /// read.
    pub fn object(&self, url: &str) -> Result<Destination> {
        let (store, name) = match &*self.0 {
            Buckets::S3 { settings, stores } => {
                let (bucket, name) = settings::split_url(url).ok_or_else(|| invalid_url(url))?;
                let mut stores = stores.lock().unwrap_or_else(PoisonError::into_inner);
                let store = match stores.get(bucket) {
                    Some(store) => Arc::clone(store),
                    None => {
                        let settings = AmazonS3Builder::clone(settings).with_bucket_name(bucket);
                        let store: Arc<dyn ObjectStore> = Arc::new(settings::build(settings)?);
                        stores.insert(bucket.to_owned(), Arc::clone(&store));
                        store
                    }
                };
                (store, name)
            }
            Buckets::Other { url: own, store } => {
                let name = url
                    .strip_prefix(own)
                    .and_then(|name| name.strip_prefix('/'));
                (Arc::clone(store), name.ok_or_else(|| invalid_url(url))?)
            }
        };
        let is_name = !name.is_empty() && !name.starts_with('/') && !name.ends_with('/');
        // A query is that of a presigned URL.
        let is_name = is_name && !name.contains('?');
        let path = Path::parse(name).ok().filter(|_| is_name);
        Ok(Destination::of_object(Object {
            store,
            path: path.ok_or_else(|| invalid_url(url))?,
            url: url.into(),
        }))
    }
}

fn invalid_url(url: &str) -> Error {
    store_errors::invalid_url(url)
        .with_help("use the URL of an object, such as s3://bucket/clip.mp4")
}

impl fmt::Debug for VideoStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = match &*self.0 {
            Buckets::S3 { .. } => "s3://",
            Buckets::Other { url, .. } => url,
        };
        f.debug_tuple("VideoStore").field(&url).finish()
    }
}

/// An object of a store, which may not exist yet.
#[derive(Clone)]
pub(crate) struct Object {
    store: Arc<dyn ObjectStore>,
    path: Path,
    url: Arc<str>,
}

/// What a store knows about an object.
struct ObjectFacts {
    bytes: u64,
    task_id: Option<String>,
    save_id: Option<String>,
}

impl Object {
    pub(crate) fn url(&self) -> PathBuf {
        PathBuf::from(&*self.url)
    }

    /// Checks that the bucket can be written, without making an object, and that there is no object of this name.
    pub(crate) async fn check(&self, overwrite: bool) -> Result<()> {
        let upload = self.start(Attributes::new()).await;
        upload.map_err(|error| self.failed(&error))?.abort().await;
        match overwrite {
            true => Ok(()),
            false => self.refuse_existing(None).await,
        }
    }

    /// Whether the object is the one that a save wrote.
    pub(crate) async fn is_saved(&self, saved: &Saved) -> bool {
        self.facts().await.is_ok_and(|facts| {
            facts.is_some_and(|facts| {
                facts.bytes == saved.bytes
                    && facts.save_id.is_some()
                    && facts.save_id == saved.save_id
            })
        })
    }

    /// Fails if there is an object of this name, unless a save of this task wrote it.
    async fn refuse_existing(&self, task_id: Option<&str>) -> Result<()> {
        let facts = self.facts().await.map_err(|error| self.failed(&error))?;
        match facts {
            None => Ok(()),
            Some(facts) if task_id.is_some() && facts.task_id.as_deref() == task_id => Ok(()),
            Some(_) => {
                let (what, help) = Obstacle::Exists(self.url()).describe();
                Err(Error::uncharged(ErrorKind::File, what).with_help(help))
            }
        }
    }

    async fn facts(&self) -> object_store::Result<Option<ObjectFacts>> {
        let options = GetOptions::new().with_head(true);
        let found = match self.store.get_opts(&self.path, options).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let attribute = |name: &'static str| {
            let value = found.attributes.get(&Attribute::Metadata(name.into()))?;
            Some(value.to_string())
        };
        Ok(Some(ObjectFacts {
            bytes: found.meta.size,
            task_id: attribute(TASK),
            save_id: attribute(SAVE),
        }))
    }

    async fn start(&self, attributes: Attributes) -> object_store::Result<MultipartUpload> {
        MultipartUpload::start(&*self.store, &self.path, attributes, PART_SIZE).await
    }

    /// The error of a request to the store.
    pub(crate) fn failed(&self, error: &object_store::Error) -> Error {
        let what = format!("{} could not be written", self.url);
        match error {
            // The response to a HEAD request has no message.
            object_store::Error::PermissionDenied { .. }
            | object_store::Error::Unauthenticated { .. }
                if !store_errors::has_message(error) =>
            {
                Error::uncharged(USE.rejected, format!("{what}: access denied"))
                    .with_help(format!("allow these credentials {}", USE.permissions))
            }
            error => store_failed(&what, error, &USE),
        }
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Object").field(&self.url).finish()
    }
}

/// The upload of a video. Aborted on drop, unless it is published.
pub(crate) struct ObjectUpload {
    object: Object,
    overwrite: bool,
    task_id: String,
    save_id: String,
    /// Started with the first bytes.
    upload: Option<MultipartUpload>,
}

impl ObjectUpload {
    /// Fails if there is an object of this name that must not be replaced.
    pub(crate) async fn create(object: Object, overwrite: bool, task_id: &str) -> Result<Self> {
        let mut upload = Self {
            object,
            overwrite,
            task_id: task_id.to_owned(),
            save_id: format!("{:032x}", fastrand::u128(..)),
            upload: None,
        };
        upload.refuse_existing().await?;
        Ok(upload)
    }

    // `&mut`, because an upload is not `Sync`.
    async fn refuse_existing(&mut self) -> Result<()> {
        match self.overwrite {
            true => Ok(()),
            false => self.object.refuse_existing(Some(&self.task_id)).await,
        }
    }

    pub(crate) fn save_id(&self) -> &str {
        &self.save_id
    }

    pub(crate) async fn append(&mut self, chunk: Bytes) -> object_store::Result<()> {
        let upload = match &mut self.upload {
            Some(upload) => upload,
            None => {
                let attributes = Attributes::from_iter([
                    (Attribute::ContentType, "video/mp4".to_owned()),
                    (Attribute::Metadata(TASK.into()), self.task_id.clone()),
                    (Attribute::Metadata(SAVE.into()), self.save_id.clone()),
                ]);
                self.upload.insert(self.object.start(attributes).await?)
            }
        };
        upload.append(chunk).await
    }

    /// Removes everything that was sent.
    pub(crate) async fn restart(&mut self) {
        if let Some(upload) = self.upload.take() {
            upload.abort().await;
        }
    }

    /// Makes the object appear.
    pub(crate) async fn publish(mut self) -> Result<()> {
        self.refuse_existing().await?;
        if let Some(upload) = self.upload.take() {
            let finished = upload.finish().await;
            finished.map_err(|error| self.object.failed(&error))?;
        }
        Ok(())
    }
}
