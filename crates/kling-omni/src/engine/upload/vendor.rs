use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{TryStreamExt as _, stream};

use crate::engine::error::Result;
use crate::engine::http::backoff::Backoff;
use crate::engine::upload::Uploads;
use crate::engine::upload::local_file::LocalFile;
use crate::engine::upload::place::Place;
use crate::engine::upload::problem;
use crate::engine::upload::put::{Failure, put};
use crate::engine::upload::uploader::{Uploaded, Uploader, Uploading, in_order};
use crate::redact::RedactedUrl;

/// How many files are sent at the same time.
const AT_ONCE: usize = 4;
/// What is used again has to live this much longer: a task may wait for its turn before it reads its files.
const TIME_TO_READ: Duration = Duration::from_secs(3600);

/// The service's own uploads, at no cost.
///
/// The service hands out places, and the files go there without the key. They can be read for a day, and vanish after
/// about a week. An upload of the same content, by this client or a clone of it, is used again as long as its URL lives
/// for another hour.
///
/// Uploads belong to the host [`Host::Magnific`](crate::Host::Magnific), which takes the same keys: places are asked for
/// there whatever host the client has, unless it has a [base URL](crate::ClientBuilder::base_url) of its own. Not every
/// key can use them.
///
/// A connection that breaks, or takes nothing for [`ClientBuilder::idle_timeout`](crate::ClientBuilder::idle_timeout), is
/// followed by another attempt, as often as [`ClientBuilder::retries`](crate::ClientBuilder::retries) says; a place that
/// has expired in the meantime by another place. A file that is changed on the way is an error, and never there by half.
#[derive(Clone)]
pub struct VendorUploader {
    uploads: Arc<Uploads>,
}

/// A file that has to be sent.
#[derive(Clone, Copy)]
struct Missing<'a> {
    file: &'a LocalFile,
    kind: &'static str,
}

impl VendorUploader {
    pub(crate) fn new(uploads: Arc<Uploads>) -> Self {
        Self { uploads }
    }

    async fn bring(&self, files: &[LocalFile]) -> Result<Vec<Uploaded>> {
        let mut there: Vec<(&LocalFile, Uploaded)> = Vec::new();
        let mut missing: Vec<Missing<'_>> = Vec::new();
        for file in files {
            let types = self.uploads.service.upload_types();
            let kind = types.iter().find(|kind| **kind == file.content_type());
            let kind = *kind.ok_or_else(|| problem::of_wrong_kind(file, types))?;
            if let Some(uploaded) = self.known(file) {
                there.push((file, uploaded));
            } else if !missing.iter().any(|one| one.file.is_same(file)) {
                missing.push(Missing { file, kind });
            }
        }
        // Places live so shortly that they are asked for only once their files can go.
        for missing in missing.chunks(self.uploads.service.max_upload_slots()) {
            let kinds: Vec<_> = missing.iter().map(|one| one.kind).collect();
            let places = Place::ask(&self.uploads, &kinds).await;
            let places = places
                .map_err(|error| problem::no_place(missing.iter().map(|one| one.file), error))?;
            let mut sending = Vec::new();
            for (one, place) in missing.iter().zip(places) {
                sending.push(Ok(self.send(*one, place)));
            }
            let sending = stream::iter(sending).try_buffer_unordered(AT_ONCE);
            there.extend(sending.try_collect::<Vec<_>>().await?);
        }
        Ok(in_order(files, &there))
    }

    /// An earlier upload of the same content that can be used again.
    fn known(&self, file: &LocalFile) -> Option<Uploaded> {
        let until = self.uploads.http.clock.system_time() + TIME_TO_READ;
        let known = &self.uploads.cache;
        let (url, end) = known.find(file.sha256(), file.content_type(), until)?;
        Some(Uploaded::new(url, Some(end)))
    }

    /// Puts a file to its place, or to another one where that has expired.
    async fn send<'a>(
        &self,
        Missing { file, kind }: Missing<'a>,
        place: Place,
    ) -> Result<(&'a LocalFile, Uploaded)> {
        let uploads = &*self.uploads;
        let mut backoff = Backoff::default();
        let mut place = place;
        let mut is_used = false;
        let mut attempt = 1;
        loop {
            if !place.is_good(uploads.http.clock.now(), is_used) {
                place = self.another(file, kind).await?;
            }
            if let Some(most) = place.most().filter(|most| file.length() > *most) {
                return Err(problem::too_long(file, most));
            }
            let http = uploads.client.get(&place.url)?;
            let failure = match put(&uploads.http, http, file, &place).await {
                Ok(()) => break,
                Err(failure) => failure,
            };
            let wait = match &failure {
                Failure::Refused {
                    is_expired: true, ..
                } => Some(Duration::ZERO),
                Failure::Refused {
                    wait: Some(wait), ..
                } => Some(*wait)
                    .filter(|wait| *wait <= uploads.http.settings.max_retry_delay)
                    // Those that were told the same moment do not come back at once.
                    .map(|wait| wait + backoff.next_pause() / 4),
                _ => Some(backoff.next_pause()),
            };
            let wait = wait
                .filter(|_| failure.is_transient() && attempt <= uploads.http.settings.max_retries);
            let Some(wait) = wait else {
                return Err(problem::not_put(file, failure, attempt));
            };
            tracing::info!(
                file = file.name(),
                attempt,
                ?wait,
                "uploading again after a wait"
            );
            if let Failure::Refused {
                is_expired: true, ..
            } = failure
            {
                place = self.another(file, kind).await?;
                is_used = false;
            } else {
                uploads.http.clock.sleep(wait).await;
                is_used = true;
            }
            attempt += 1;
        }
        let bytes = file.length();
        tracing::info!(file = file.name(), bytes, attempts = attempt, "uploaded");
        if let Some(end) = place.uploaded.expires_at {
            let (url, known) = (&place.uploaded.url, &uploads.cache);
            known.add(*file.sha256(), file.content_type(), url, end);
        }
        Ok((file, place.uploaded))
    }

    async fn another(&self, file: &LocalFile, kind: &'static str) -> Result<Place> {
        let mut places = Place::ask(&self.uploads, &[kind])
            .await
            .map_err(|error| problem::no_place([file].into_iter(), error))?;
        Ok(places.remove(0))
    }
}

impl Uploader for VendorUploader {
    fn upload<'a>(&'a self, file: &'a LocalFile) -> Uploading<'a, Uploaded> {
        Box::pin(async move {
            let mut uploaded = self.bring(std::slice::from_ref(file)).await?;
            Ok(uploaded.remove(0))
        })
    }

    fn upload_all<'a>(&'a self, files: &'a [LocalFile]) -> Uploading<'a, Vec<Uploaded>> {
        Box::pin(async move { Ok(self.bring(files).await?) })
    }
}

impl fmt::Debug for VendorUploader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = &self.uploads.http.upload_server;
        f.debug_struct("VendorUploader")
            .field("base_url", &RedactedUrl(&server.base_url).to_string())
            .field("key_header", &server.key_header)
            .finish_non_exhaustive()
    }
}
