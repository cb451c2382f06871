//! The uploader to the storage of the service, through presigned URLs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{TryStreamExt as _, stream};

use crate::engine::error::Result;
use crate::engine::http::Http;
use crate::engine::http::backoff::Backoff;
use crate::engine::http::call::{Call, Options};
use crate::engine::http::client::LazyClient;
use crate::engine::service::Service;
use crate::engine::upload::cache::UploadCache;
use crate::engine::upload::errors;
use crate::engine::upload::local_file::LocalFile;
use crate::engine::upload::put::{PutError, put};
use crate::engine::upload::upload_target::UploadTarget;
use crate::engine::upload::uploader::{UploadFuture, UploadedFile, Uploader, expand_to_files};
use crate::redact::RedactedUrl;

/// The maximum number of concurrent uploads.
const CONCURRENCY: usize = 4;
/// The minimum remaining lifetime of a cached upload: a queued task may read its files late.
const MIN_REMAINING_LIFETIME: Duration = Duration::from_secs(3600);

/// The HTTP client and the cache of uploads to the storage of the service.
pub(crate) struct Uploads {
    pub(crate) http: Arc<Http>,
    pub(crate) service: &'static dyn Service,
    /// The client for storage hosts. It carries neither the key nor other headers, and follows no redirects.
    pub(crate) client: LazyClient,
    /// The uploads that can be used again.
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

/// Uploads to the storage of the service, at no cost.
///
/// The service returns presigned URLs, and the files are sent there without the key. They can be read for a day and are
/// deleted after about a week. A cache in the client and its clones reuses an earlier upload of the same content if its URL
/// is valid for another hour.
///
/// Only the host [`Host::Magnific`](crate::Host::Magnific) has uploads. It accepts the same keys: URLs are requested there,
/// whatever the host of the client, unless the client has its own [base URL](crate::ClientBuilder::base_url). Not every key
/// can use uploads.
///
/// A connection that breaks, or sends nothing for [`ClientBuilder::read_timeout`](crate::ClientBuilder::read_timeout), is
/// retried up to [`ClientBuilder::max_retries`](crate::ClientBuilder::max_retries) times. An expired presigned URL is
/// replaced. A file that changes during the upload is an error, and is never stored partially.
#[derive(Clone)]
pub struct ServiceUploader {
    uploads: Arc<Uploads>,
}

/// A file that is not in the cache.
#[derive(Clone, Copy)]
struct UncachedFile<'a> {
    file: &'a LocalFile,
    kind: &'static str,
}

impl ServiceUploader {
    pub(crate) fn new(uploads: Arc<Uploads>) -> Self {
        Self { uploads }
    }

    /// Checks whether the key may upload, by reading the list of uploads. Uploads nothing and costs nothing.
    ///
    /// ```no_run
    /// # async fn example(client: kling_omni::Client) {
    /// if let Err(error) = client.service_uploader().check().await {
    ///     eprintln!("files cannot be uploaded: {error}");
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Permission`](crate::ErrorKind::Permission) if the key may not upload,
    /// [`ErrorKind::Authentication`](crate::ErrorKind::Authentication) if it is rejected,
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if the server has no uploads, and the errors of any request.
    pub async fn check(&self) -> Result<()> {
        let uploads = &*self.uploads;
        let options = Options {
            is_upload: true,
            ..Options::default()
        };
        let call = Call::new(Arc::clone(&uploads.http), options);
        uploads.service.list_uploads(&call).await
    }

    async fn upload_files(&self, files: &[LocalFile]) -> Result<Vec<UploadedFile>> {
        let mut distinct: Vec<(&LocalFile, UploadedFile)> = Vec::new();
        let mut missing: Vec<UncachedFile<'_>> = Vec::new();
        for file in files {
            let types = self.uploads.service.upload_types();
            let kind = types.iter().find(|kind| **kind == file.content_type());
            let kind = *kind.ok_or_else(|| errors::unsupported_content_type(file, types))?;
            if let Some(uploaded) = self.find_cached(file) {
                distinct.push((file, uploaded));
            } else if !missing.iter().any(|one| one.file.has_same_content(file)) {
                missing.push(UncachedFile { file, kind });
            }
        }
        // Presigned URLs expire soon, so they are requested when their files can be sent.
        for missing in missing.chunks(self.uploads.service.max_upload_slots()) {
            let kinds: Vec<_> = missing.iter().map(|one| one.kind).collect();
            let targets =
                UploadTarget::request(&self.uploads.http, self.uploads.service, &kinds).await;
            let targets = targets.map_err(|error| {
                errors::no_upload_slot(missing.iter().map(|one| one.file), error)
            })?;
            let mut sending = Vec::new();
            for (one, target) in missing.iter().zip(targets) {
                sending.push(Ok(self.send(*one, target)));
            }
            let sending = stream::iter(sending).try_buffer_unordered(CONCURRENCY);
            distinct.extend(sending.try_collect::<Vec<_>>().await?);
        }
        Ok(expand_to_files(files, &distinct))
    }

    /// Returns a cached upload of the same content.
    fn find_cached(&self, file: &LocalFile) -> Option<UploadedFile> {
        let until = self.uploads.http.clock.system_time() + MIN_REMAINING_LIFETIME;
        let cache = &self.uploads.cache;
        let (url, end) = cache.find(file.sha256(), file.content_type(), until)?;
        Some(UploadedFile::new(url, Some(end)))
    }

    /// Sends a file to its presigned URL, or to a new one if that has expired.
    async fn send<'a>(
        &self,
        UncachedFile { file, kind }: UncachedFile<'a>,
        target: UploadTarget,
    ) -> Result<(&'a LocalFile, UploadedFile)> {
        let uploads = &*self.uploads;
        let mut backoff = Backoff::default();
        let mut target = target;
        let mut is_used = false;
        let mut attempt = 1;
        loop {
            if !target.is_usable(uploads.http.clock.now(), is_used) {
                target = self.request_target(file, kind).await?;
            }
            if let Some(max) = target.max_length().filter(|max| file.length() > *max) {
                return Err(errors::too_large(file, max));
            }
            let http = uploads.client.get(&target.url)?;
            let failure = match put(&uploads.http, http, file, &target).await {
                Ok(()) => break,
                Err(failure) => failure,
            };
            let wait = match &failure {
                PutError::Rejected {
                    is_expired: true, ..
                } => Some(Duration::ZERO),
                PutError::Rejected {
                    retry_after: Some(wait),
                    ..
                } => Some(*wait)
                    .filter(|wait| *wait <= uploads.http.settings.max_retry_delay)
                    // Jitter, because other clients may have the same delay.
                    .map(|wait| wait + backoff.next_delay() / 4),
                _ => Some(backoff.next_delay()),
            };
            let wait = wait
                .filter(|_| failure.is_transient() && attempt <= uploads.http.settings.max_retries);
            let Some(wait) = wait else {
                return Err(errors::send_failed(file, failure, attempt));
            };
            tracing::info!(
                file = file.name(),
                attempt,
                delay = ?wait,
                "retrying upload"
            );
            if let PutError::Rejected {
                is_expired: true, ..
            } = failure
            {
                target = self.request_target(file, kind).await?;
                is_used = false;
            } else {
                uploads.http.clock.sleep(wait).await;
                is_used = true;
            }
            attempt += 1;
        }
        let bytes = file.length();
        tracing::info!(file = file.name(), bytes, attempt, "file uploaded");
        if let Some(end) = target.uploaded.expires_at {
            let (url, cache) = (&target.uploaded.url, &uploads.cache);
            cache.add(*file.sha256(), file.content_type(), url, end);
        }
        Ok((file, target.uploaded))
    }

    async fn request_target(&self, file: &LocalFile, kind: &'static str) -> Result<UploadTarget> {
        let mut targets = UploadTarget::request(&self.uploads.http, self.uploads.service, &[kind])
            .await
            .map_err(|error| errors::no_upload_slot([file].into_iter(), error))?;
        Ok(targets.remove(0))
    }
}

impl Uploader for ServiceUploader {
    fn upload<'a>(&'a self, file: &'a LocalFile) -> UploadFuture<'a, UploadedFile> {
        Box::pin(async move {
            let mut uploaded = self.upload_files(std::slice::from_ref(file)).await?;
            Ok(uploaded.remove(0))
        })
    }

    fn upload_all<'a>(&'a self, files: &'a [LocalFile]) -> UploadFuture<'a, Vec<UploadedFile>> {
        Box::pin(async move { Ok(self.upload_files(files).await?) })
    }
}

impl fmt::Debug for ServiceUploader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = &self.uploads.http.upload_server;
        f.debug_struct("ServiceUploader")
            .field("base_url", &RedactedUrl(&server.base_url).to_string())
            .field("key_header", &server.key_header)
            .finish_non_exhaustive()
    }
}
