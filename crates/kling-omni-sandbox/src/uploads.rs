//! Files that users bring: slots that take them for a while, the host of those slots, and what has come.

mod refusal;
pub(crate) mod storage;
mod stored;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::{Map, Value};

pub(crate) use stored::Stored;

use crate::record::{UploadRecord, UploadedFile};
use crate::signer::Signer;

const LENGTH_RANGE: HeaderName = HeaderName::from_static("x-goog-content-length-range");
const SIGNATURE: &str = "&X-Goog-Signature=";
const LIFETIME: &str = "X-Goog-Expires=";
const BEFORE_ID: &str = "/uploads/";

/// The slots that were handed out, and the files that came to them.
#[derive(Debug)]
pub(crate) struct Uploads {
    base_url: String,
    signer: Signer,
    largest: u64,
    file_lifetime: Duration,
    /// In the order in which they were asked for.
    slots: Mutex<Vec<Arc<UploadSlot>>>,
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
    pub(crate) fn new(
        base_url: String,
        largest: u64,
        file_lifetime: Duration,
        key: [u8; 32],
    ) -> Self {
        Self {
            base_url,
            signer: Signer::new(key),
            largest,
            file_lifetime,
            slots: Mutex::default(),
        }
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Hands out a slot for a file of a type that the spec knows.
    pub(crate) fn slot(&self, id: String, content_type: &str, now: SystemTime) -> Arc<UploadSlot> {
        let content_type = HeaderValue::from_str(content_type);
        let slot = Arc::new(UploadSlot {
            id,
            content_type: content_type.unwrap_or(HeaderValue::from_static("")),
            asked_at: now,
            stored: Mutex::default(),
        });
        lock(&self.slots).push(Arc::clone(&slot));
        slot
    }

    /// The URL that takes the file of a slot for so long from when it was asked for.
    pub(crate) fn upload_url(&self, slot: &UploadSlot, lifetime: Duration) -> String {
        let path = path(&slot.id);
        // The signature goes over the headers by their names; their values belong to the slot.
        let query = format!(
            "{LIFETIME}{}&X-Goog-SignedHeaders=content-type%3Bhost%3B{LENGTH_RANGE}",
            lifetime.as_secs()
        );
        let signature = self.signer.signature(&message(&path, &query));
        format!("{}{path}?{query}{SIGNATURE}{signature}", self.base_url)
    }

    /// When the URL with this query, signed for a slot, takes nothing any more; `None` if its signature is wrong.
    fn end(&self, slot: &UploadSlot, query: &str) -> Option<SystemTime> {
        let (query, signature) = query.split_once(SIGNATURE)?;
        let message = message(&path(&slot.id), query);
        if !self.signer.verifies(&message, signature) {
            return None;
        }
        let lifetime = query.strip_prefix(LIFETIME)?.split('&').next()?;
        Some(slot.asked_at + Duration::from_secs(lifetime.parse().ok()?))
    }

    /// The headers that have to go with the file of a slot, these and no others.
    pub(crate) fn headers(&self, slot: &UploadSlot) -> HeaderMap {
        let range = HeaderValue::try_from(format!("0,{}", self.largest));
        HeaderMap::from_iter([
            (header::CONTENT_TYPE, slot.content_type.clone()),
            (LENGTH_RANGE, range.expect("digits make a header")),
        ])
    }

    pub(crate) fn get(&self, id: &str) -> Option<Arc<UploadSlot>> {
        let slots = lock(&self.slots);
        slots.iter().find(|slot| slot.id == id).cloned()
    }

    /// Every slot, oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<UploadSlot>> {
        lock(&self.slots).clone()
    }

    pub(crate) fn records(&self) -> Vec<UploadRecord> {
        let record = |slot: &Arc<UploadSlot>| UploadRecord {
            id: slot.id.clone(),
            content_type: slot.content_type.to_str().unwrap_or_default().to_owned(),
            asked_at: slot.asked_at,
            file: lock(&slot.stored).as_ref().map(|stored| UploadedFile {
                stored_at: stored.at,
                length: stored.length,
                sha256: stored.sha256,
            }),
        };
        lock(&self.slots).iter().map(record).collect()
    }

    /// The file of a slot, once it is there and as long as it is kept.
    pub(crate) fn stored(&self, slot: &UploadSlot, now: SystemTime) -> Option<Arc<Stored>> {
        let stored = lock(&slot.stored).clone()?;
        (now < stored.at + self.file_lifetime).then_some(stored)
    }

    /// Why the file with this id cannot be read; `None` if it can.
    pub(crate) fn lost_file(&self, id: &str, now: SystemTime) -> Option<&'static str> {
        match self.get(id) {
            Some(slot) if self.stored(&slot, now).is_some() => None,
            Some(slot) if lock(&slot.stored).is_some() => Some("the uploaded file has vanished"),
            _ => Some("no file was uploaded to the place behind the URL"),
        }
    }

    /// The expired upload URL of a slot in a response; `None` if the response has no slot.
    pub(crate) fn expired_url(&self, shown: &Map<String, Value>) -> Option<String> {
        shown.get("upload_url")?;
        let slot = self.get(shown.get("file_id")?.as_str()?)?;
        Some(self.upload_url(&slot, Duration::ZERO))
    }
}

impl UploadSlot {
    fn store(&self, stored: Stored) {
        *lock(&self.stored) = Some(Arc::new(stored));
    }
}

/// The id in the path of a slot.
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
