use std::time::{Duration, SystemTime};

use super::{LENGTH_RANGE, UploadSlot};
use crate::results::Signer;

const SIGNATURE: &str = "&X-Goog-Signature=";
const LIFETIME: &str = "X-Goog-Expires=";

/// Makes the URLs of places, and tells them from others.
#[derive(Debug)]
pub(super) struct SignedUrls {
    base_url: String,
    signer: Signer,
}

impl SignedUrls {
    pub(super) fn new(base_url: String, signer: Signer) -> Self {
        Self { base_url, signer }
    }

    pub(super) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The URL of a place that lives so long from when the place was asked for.
    pub(super) fn sign(&self, place: &UploadSlot, lifetime: Duration) -> String {
        let path = path(&place.id);
        // The signature goes over the headers by their names; their values belong to the place.
        let query = format!(
            "{LIFETIME}{}&X-Goog-SignedHeaders=content-type%3Bhost%3B{LENGTH_RANGE}",
            lifetime.as_secs()
        );
        let signature = self.signer.signature(&message(&path, &query));
        format!("{}{path}?{query}{SIGNATURE}{signature}", self.base_url)
    }

    /// When the URL with this query, signed for a place, takes nothing any more; `None` if its signature is wrong.
    pub(super) fn end(&self, place: &UploadSlot, query: &str) -> Option<SystemTime> {
        let (query, signature) = query.split_once(SIGNATURE)?;
        let message = message(&path(&place.id), query);
        if !self.signer.verifies(&message, signature) {
            return None;
        }
        let lifetime = query.strip_prefix(LIFETIME)?.split('&').next()?;
        Some(place.asked_at + Duration::from_secs(lifetime.parse().ok()?))
    }
}

/// The id in the path of a place.
pub(super) fn id(path: &str) -> Option<&str> {
    path.strip_prefix(BEFORE_ID)
}

const BEFORE_ID: &str = "/uploads/";

fn path(id: &str) -> String {
    format!("{BEFORE_ID}{id}")
}

fn message(path: &str, query: &str) -> String {
    format!("PUT {path}?{query}")
}
