//! Requests as they are stored.

use std::collections::BTreeMap;
use std::path::PathBuf;

use kling_omni::request::{MediaSource, Request, RequestType};
use kling_omni::{Mode, Tier};
use serde::de::DeserializeSeed as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::digest::hex;

/// Stands for a local file in the stored JSON, which cannot name one. `.invalid` is reserved and never resolves (RFC 2606).
const PLACEHOLDER: &str = "https://file.invalid/";

const WEBHOOK_URL: &str = "webhook_url";

/// A request in the form that the ledger stores. Unlike the JSON of a request, it can name local files, so it is only read
/// from the ledger.
///
/// URLs in it may carry tokens: the ledger's file is readable only by its owner.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredRequest {
    mode: Mode,
    fields: Value,
    /// The local files, by the path of their field.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    files: BTreeMap<String, PathBuf>,
}

/// Why a request cannot be stored or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnstorableRequest(String);

impl StoredRequest {
    /// Converts a request. Paths become absolute.
    ///
    /// # Errors
    ///
    /// If an image or a video is in memory: only files and URLs survive the process.
    pub fn new(request: &Request) -> Result<Self, UnstorableRequest> {
        let mut shown = request.clone();
        let mut files = BTreeMap::new();
        for (field, source) in request.media() {
            match source {
                MediaSource::Url(_) => {}
                MediaSource::File(path) => {
                    let path = std::path::absolute(&path)
                        .map_err(|error| UnstorableRequest(error.to_string()))?;
                    shown.set_media(field, format!("{PLACEHOLDER}{field}"));
                    files.insert(field.to_string(), path);
                }
                _ => return Err(UnstorableRequest(format!("{field} is in memory"))),
            }
        }
        Ok(Self {
            mode: request.mode(),
            fields: serde_json::to_value(&shown)
                .map_err(|error| UnstorableRequest(error.to_string()))?,
            files,
        })
    }

    /// Returns the request. `urls` replaces local files by the URLs of their uploads, by the path of the field.
    ///
    /// # Errors
    ///
    /// If the request is not valid under the rules of this version.
    pub fn to_request(
        &self,
        urls: &BTreeMap<String, String>,
    ) -> Result<Request, UnstorableRequest> {
        let builder = RequestType::for_mode(self.mode)
            .deserialize(&self.fields)
            .map_err(|error| UnstorableRequest(error.to_string()))?;
        let mut request = builder
            .build()
            .map_err(|error| UnstorableRequest(error.to_string()))?;
        for (field, _) in request.media() {
            let name = field.to_string();
            if let Some(url) = urls.get(&name) {
                request.set_media(field, url);
            } else if let Some(path) = self.files.get(&name) {
                request.set_media(field, path);
            }
        }
        Ok(request)
    }

    /// The mode of the request.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The tier of the request.
    pub fn tier(&self) -> Tier {
        let tier = self.fields.get("tier").cloned();
        tier.and_then(|tier| serde_json::from_value(tier).ok())
            .unwrap_or_default()
    }

    /// Whether the request has a reference video.
    pub fn has_reference_video(&self) -> bool {
        self.fields.get("video_url").is_some()
    }

    /// Whether the request has a `webhook_url`.
    pub(crate) fn has_webhook_url(&self) -> bool {
        self.fields.get(WEBHOOK_URL).is_some()
    }

    /// Returns the request with another `webhook_url`.
    pub(crate) fn with_webhook_url(&self, url: String) -> Self {
        let mut changed = self.clone();
        if let Some(fields) = changed.fields.as_object_mut() {
            fields.insert(WEBHOOK_URL.to_owned(), url.into());
        }
        changed
    }

    /// The fields of the request.
    pub(crate) fn fields(&self) -> &Value {
        &self.fields
    }

    /// The local files, by the path of their field.
    pub fn files(&self) -> &BTreeMap<String, PathBuf> {
        &self.files
    }

    /// The hash that identifies the request, as 64 hexadecimal digits. It does not cover `webhook_url`, which does not affect
    /// the video.
    pub fn sha256(&self) -> String {
        let mut identity = self.clone();
        if let Some(fields) = identity.fields.as_object_mut() {
            fields.remove(WEBHOOK_URL);
        }
        identity.fields.sort_all_objects();
        let json = serde_json::to_string(&identity).unwrap_or_default();
        hex(&Sha256::digest(json))
    }
}

impl std::fmt::Debug for StoredRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredRequest")
            .field("mode", &self.mode)
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}
