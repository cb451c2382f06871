//! Uploads: presigned slots, the storage host that receives files, and the stored files.

mod error;
pub(crate) mod storage;
mod stored;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::{Map, Value};

pub(crate) use stored::StoredFile;

use crate::record::{UploadRecord, UploadedFile};
use crate::signer::Signer;

const LENGTH_RANGE: HeaderName = HeaderName::from_static("x-goog-content-length-range");
const SIGNATURE: &str = "&X-Goog-Signature=";
const LIFETIME: &str = "X-Goog-Expires=";
const BEFORE_ID: &str = "/uploads/";

/// All upload slots, with their files.
#[derive(Debug)]
pub(crate) struct Uploads {
    base_url: String,
    signer: Signer,
    max_size: u64,
    file_lifetime: Duration,
    /// In the order of their requests.
    slots: Mutex<Vec<Arc<UploadSlot>>>,
}

/// A presigned slot for one file.
#[derive(Debug)]
pub(crate) struct UploadSlot {
    pub(crate) id: String,
    pub(crate) content_type: HeaderValue,
    pub(crate) requested_at: SystemTime,
    stored: Mutex<Option<Arc<StoredFile>>>,
}

impl Uploads {
    pub(crate) fn new(
        base_url: String,
        max_size: u64,
        file_lifetime: Duration,
        key: [u8; 32],
    ) -> Self {
        Self {
            base_url,
            signer: Signer::new(key),
            max_size,
            file_lifetime,
            slots: Mutex::default(),
        }
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Creates a slot for a file of a content type of the document.
    pub(crate) fn create_slot(
        &self,
        id: String,
        content_type: &str,
        now: SystemTime,
    ) -> Arc<UploadSlot> {
        let content_type = HeaderValue::from_str(content_type);
        let slot = Arc::new(UploadSlot {
            id,
            content_type: content_type.unwrap_or(HeaderValue::from_static("")),
            requested_at: now,
            stored: Mutex::default(),
        });
        lock(&self.slots).push(Arc::clone(&slot));
        slot
    }

    /// Returns the presigned URL of a slot, with a lifetime from the request for the slot.
    pub(crate) fn upload_url(&self, slot: &UploadSlot, lifetime: Duration) -> String {
        let path = path(&slot.id);
        // The signature covers the names of the headers; their values are known from the slot.
        let query = format!(
            "{LIFETIME}{}&X-Goog-SignedHeaders=content-type%3Bhost%3B{LENGTH_RANGE}",
            lifetime.as_secs()
        );
        let signature = self.signer.signature(&message(&path, &query));
        format!("{}{path}?{query}{SIGNATURE}{signature}", self.base_url)
    }

    /// Returns when the URL of a slot with this query expires, or `None` if its signature is invalid.
    fn url_expiry(&self, slot: &UploadSlot, query: &str) -> Option<SystemTime> {
        let (query, signature) = query.split_once(SIGNATURE)?;
        let message = message(&path(&slot.id), query);
        if !self.signer.verifies(&message, signature) {
            return None;
        }
        let lifetime = query.strip_prefix(LIFETIME)?.split('&').next()?;
        Some(slot.requested_at + Duration::from_secs(lifetime.parse().ok()?))
    }

    /// Returns the signed headers of a slot. An upload must have these and no other `x-goog-` headers.
    pub(crate) fn headers(&self, slot: &UploadSlot) -> HeaderMap {
        let range = HeaderValue::try_from(format!("0,{}", self.max_size));
        HeaderMap::from_iter([
            (header::CONTENT_TYPE, slot.content_type.clone()),
            (
                LENGTH_RANGE,
                range.expect("digits are a valid header value"),
            ),
        ])
    }

    pub(crate) fn get(&self, id: &str) -> Option<Arc<UploadSlot>> {
        let slots = lock(&self.slots);
        slots.iter().find(|slot| slot.id == id).cloned()
    }

    /// Returns all slots, oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<UploadSlot>> {
        lock(&self.slots).clone()
    }

    pub(crate) fn records(&self) -> Vec<UploadRecord> {
        let record = |slot: &Arc<UploadSlot>| UploadRecord {
            id: slot.id.clone(),
            content_type: slot.content_type.to_str().unwrap_or_default().to_owned(),
            requested_at: slot.requested_at,
            file: lock(&slot.stored).as_ref().map(|stored| UploadedFile {
                stored_at: stored.at,
                length: stored.length,
                sha256: stored.sha256,
            }),
        };
        lock(&self.slots).iter().map(record).collect()
    }

    /// Returns the file of a slot, if it is stored and has not expired.
    pub(crate) fn stored(&self, slot: &UploadSlot, now: SystemTime) -> Option<Arc<StoredFile>> {
        let stored = lock(&slot.stored).clone()?;
        (now < stored.at + self.file_lifetime).then_some(stored)
    }

    /// Returns why the file with this id cannot be read, or `None` if it can.
    pub(crate) fn unreadable_reason(&self, id: &str, now: SystemTime) -> Option<&'static str> {
        match self.get(id) {
            Some(slot) if self.stored(&slot, now).is_some() => None,
            Some(slot) if lock(&slot.stored).is_some() => Some("the uploaded file has expired"),
            _ => Some("no file was uploaded for this URL"),
        }
    }

    /// Returns an expired upload URL for a slot in a response, or `None` if `item` is not a slot.
    pub(crate) fn expired_url(&self, item: &Map<String, Value>) -> Option<String> {
        item.get("upload_url")?;
        let slot = self.get(item.get("file_id")?.as_str()?)?;
        Some(self.upload_url(&slot, Duration::ZERO))
    }
}

impl UploadSlot {
    fn store(&self, stored: StoredFile) {
        *lock(&self.stored) = Some(Arc::new(stored));
    }
}

/// Returns the id in the path of a slot.
fn slot_id(path: &str) -> Option<&str> {
    path.strip_prefix(BEFORE_ID)
}

fn path(id: &str) -> String {
    format!("{BEFORE_ID}{id}")
}

fn message(path: &str, query: &str) -> String {
    format!("PUT {path}?{query}")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
