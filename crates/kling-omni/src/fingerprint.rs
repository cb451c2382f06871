//! The identity of a create, without its contents.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::digest;
use crate::redact::RedactedUrl;
use crate::route::{Mode, Tier};

/// What a journal is about: [`Create::fingerprint`](crate::Create::fingerprint) makes it.
///
/// Of the request it has a hash and nothing else, since URLs in a request may carry tokens. So a create that is taken up
/// again needs the request again, and the hash tells whether it is the same. The `webhook_url` is no part of it: it does
/// not change what is made, and may bring a fresh token each time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestFingerprint {
    base_url: String,
    mode: Mode,
    tier: Tier,
    request_sha256: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    destination: Option<PathBuf>,
}

impl RequestFingerprint {
    pub(crate) fn new(base_url: &str, mode: Mode, tier: Tier, body: &Value) -> Self {
        let mut body = body.clone();
        if let Some(fields) = body.as_object_mut() {
            fields.remove("webhook_url");
        }
        // So that the order of fields plays no part, whatever a dependency makes of maps.
        body.sort_all_objects();
        Self {
            base_url: RedactedUrl(base_url).to_string(),
            mode,
            tier,
            request_sha256: digest::hex(Sha256::new_with_prefix(body.to_string())),
            destination: None,
        }
    }

    /// Adds where the video is to go, as a reminder for a later process.
    pub fn with_destination(mut self, path: impl Into<PathBuf>) -> Self {
        self.destination = Some(path.into());
        self
    }

    /// Where the video is to go, if that was said.
    pub fn destination(&self) -> Option<&Path> {
        self.destination.as_deref()
    }

    /// Base URL of the service.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// What the video is made from.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Quality tier that is asked for.
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// What keeps `other` from being the same create.
    pub(crate) fn differs_from(&self, other: &Self) -> Option<String> {
        if self.base_url != other.base_url {
            return Some(format!("it was for {}", self.base_url));
        }
        if (self.mode, self.tier) != (other.mode, other.tier) {
            return Some(format!(
                "it was for the mode {} and the tier {}",
                self.mode, self.tier
            ));
        }
        (self.request_sha256 != other.request_sha256).then(|| "its request was another".to_owned())
    }
}
