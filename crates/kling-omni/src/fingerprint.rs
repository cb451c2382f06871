//! The fingerprint of a create: its target and a hash of its request.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::digest;
use crate::redact::RedactedUrl;
use crate::route::{Mode, Tier};

/// The identity of a create, made by [`Create::fingerprint`](crate::Create::fingerprint) and recorded in a journal.
///
/// It contains only a hash of the request, because URLs in a request may carry tokens. Resuming a create therefore
/// needs the request again; the hash shows whether it is the same. The hash excludes `webhook_url`, which does not
/// affect the video and may contain a different token each time.
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
        // The hash must not depend on the order of fields in a map.
        body.sort_all_objects();
        Self {
            base_url: RedactedUrl(base_url).to_string(),
            mode,
            tier,
            request_sha256: digest::hex(Sha256::new_with_prefix(body.to_string())),
            destination: None,
        }
    }

    /// Adds the destination of the video, for a later process.
    pub fn with_destination(mut self, path: impl Into<PathBuf>) -> Self {
        self.destination = Some(path.into());
        self
    }

    /// The destination of the video, if it was set.
    pub fn destination(&self) -> Option<&Path> {
        self.destination.as_deref()
    }

    /// Base URL of the service.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The mode of the task.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The requested tier.
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// Returns the first difference to `other`, if there is one.
    pub(crate) fn differs_from(&self, other: &Self) -> Option<String> {
        if self.base_url != other.base_url {
            return Some(format!("its base URL is {}", self.base_url));
        }
        if (self.mode, self.tier) != (other.mode, other.tier) {
            return Some(format!(
                "its mode is {} and its tier {}",
                self.mode, self.tier
            ));
        }
        (self.request_sha256 != other.request_sha256).then(|| "its request differs".to_owned())
    }
}
