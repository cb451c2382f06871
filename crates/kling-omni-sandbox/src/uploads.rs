//! Files that users bring: places that take them for a while, the host of those places, and what has come.

mod refusal;
mod signed_url;
pub(crate) mod storage;
mod stored;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::{Map, Value};

pub(crate) use refusal::page;
use signed_url::SignedUrls;
pub(crate) use stored::Stored;

use crate::record::UploadRecord;
use crate::results::Signer;
use crate::service::Service;

const LENGTH_RANGE: HeaderName = HeaderName::from_static("x-goog-content-length-range");

/// The places that were handed out, and the files that came to them.
#[derive(Debug)]
pub(crate) struct Uploads {
    urls: SignedUrls,
    largest: u64,
    /// In the order in which they were asked for.
    places: Mutex<Vec<Arc<UploadSlot>>>,
}

/// Where one file goes.
#[derive(Debug)]
pub(crate) struct UploadSlot {
    pub(crate) id: String,
    pub(crate) content_type: HeaderValue,
    pub(crate) asked_at: SystemTime,
    stored: Mutex<Option<Arc<Stored>>>,
}

impl Uploads {
    pub(crate) fn new(base_url: String, largest: u64, key: [u8; 32]) -> Self {
        Self {
            urls: SignedUrls::new(base_url, Signer::new(key)),
            largest,
            places: Mutex::default(),
        }
    }

    pub(crate) fn base_url(&self) -> &str {
        self.urls.base_url()
    }

    /// Hands out a place for a file of a type that the spec knows.
    pub(crate) fn place(&self, id: String, content_type: &str, now: SystemTime) -> Arc<UploadSlot> {
        let content_type = HeaderValue::from_str(content_type);
        let place = Arc::new(UploadSlot {
            id,
            content_type: content_type.unwrap_or(HeaderValue::from_static("")),
            asked_at: now,
            stored: Mutex::default(),
        });
        lock(&self.places).push(Arc::clone(&place));
        place
    }

    /// The URL that takes the file of a place for so long from when it was asked for.
    pub(crate) fn upload_url(&self, place: &UploadSlot, lifetime: Duration) -> String {
        self.urls.sign(place, lifetime)
    }

    /// The headers that have to go with the file of a place, these and no others.
    pub(crate) fn headers(&self, place: &UploadSlot) -> HeaderMap {
        let range = HeaderValue::try_from(format!("0,{}", self.largest));
        HeaderMap::from_iter([
            (header::CONTENT_TYPE, place.content_type.clone()),
            (LENGTH_RANGE, range.expect("digits make a header")),
        ])
    }

    pub(crate) fn get(&self, id: &str) -> Option<Arc<UploadSlot>> {
        let places = lock(&self.places);
        places.iter().find(|place| place.id == id).cloned()
    }

    /// Every place, oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<UploadSlot>> {
        lock(&self.places).clone()
    }

    pub(crate) fn records(&self) -> Vec<UploadRecord> {
        let record = |place: &Arc<UploadSlot>| UploadRecord {
            place: Arc::clone(place),
            stored: lock(&place.stored).clone(),
        };
        lock(&self.places).iter().map(record).collect()
    }
}

impl UploadSlot {
    /// The file, once it is there and as long as it is kept.
    pub(crate) fn stored(&self, service: &Service) -> Option<Arc<Stored>> {
        let stored = lock(&self.stored).clone()?;
        let vanishes = stored.at + service.config.file_lifetime;
        (service.clock.now() < vanishes).then_some(stored)
    }

    fn store(&self, stored: Stored) {
        *lock(&self.stored) = Some(Arc::new(stored));
    }
}

/// Why the asset URL of a file leads to none; nothing about URLs of other kinds.
pub(crate) fn lost_file(service: &Service, url: &str) -> Option<&'static str> {
    let asset = service.results.asset(url)?;
    if !service.results.admits(url, service.clock.now()) {
        return Some("the URL of the uploaded file has expired, or is not genuine");
    }
    match service.uploads.get(asset) {
        Some(place) if place.stored(service).is_some() => None,
        Some(place) if lock(&place.stored).is_some() => Some("the uploaded file has vanished"),
        _ => Some("no file was uploaded to the place behind the URL"),
    }
}

/// The upload URL of a place as the API tells of it, without any time left; `None` if it tells of something else.
pub(crate) fn expired_url(service: &Service, place: &Map<String, Value>) -> Option<String> {
    place.get("upload_url")?;
    let place = service.uploads.get(place.get("file_id")?.as_str()?)?;
    Some(service.uploads.upload_url(&place, Duration::ZERO))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
