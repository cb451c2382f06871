//! The presigned URLs of results and of uploaded files.

mod clip_cache;
mod file;
pub(crate) mod host;

use std::time::{Duration, SystemTime};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

use crate::clock::unix_seconds;
use crate::signer::Signer;
use crate::task::Task;
use clip_cache::ClipCache;

const BEFORE_ID: &str = "/kling_";
const AFTER_ID: &str = ".mp4";
const BEFORE_ASSET: &str = "/uploads/";
/// The maximum size of the cache of rendered clips, in bytes.
const CLIP_BYTES: usize = 64 * 1024 * 1024;
/// The characters of an id that are percent-encoded in a path.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Signs and verifies the URLs of results and of uploaded files, and renders results.
#[derive(Debug)]
pub(crate) struct Results {
    base_url: String,
    lifetime: Duration,
    signer: Signer,
    clip_cache: ClipCache,
}

impl Results {
    pub(crate) fn new(base_url: String, lifetime: Duration, key: [u8; 32]) -> Self {
        Self {
            base_url,
            lifetime,
            signer: Signer::new(key),
            clip_cache: ClipCache::new(CLIP_BYTES),
        }
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Returns the lifetime of a result URL.
    pub(crate) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Returns the result URL of a task, which is the same for each call.
    pub(crate) fn url(&self, task: &Task) -> String {
        let id = utf8_percent_encode(&task.id, ESCAPED);
        let path = format!("{BEFORE_ID}{id}{AFTER_ID}");
        let expires = unix_seconds(task.ends_at()) + self.lifetime.as_secs();
        self.signed(&path, expires)
    }

    /// Signs a result URL again with another expiry. Returns `None` for the URL of another host.
    pub(crate) fn sign(&self, url: &str, expires: u64) -> Option<String> {
        let path = url.strip_prefix(&self.base_url)?;
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        Some(self.signed(path, expires))
    }

    /// Returns the URL of an uploaded file, valid until the unix time `expires`.
    pub(crate) fn asset_url(&self, file_id: &str, expires: u64) -> String {
        self.signed(&format!("{BEFORE_ASSET}{file_id}"), expires)
    }

    /// Returns the id of the uploaded file in a URL, even if the URL has expired.
    pub(crate) fn asset<'a>(&self, url: &'a str) -> Option<&'a str> {
        let path = url.strip_prefix(&self.base_url)?;
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        path.strip_prefix(BEFORE_ASSET)
    }

    /// Returns whether a URL has a valid signature and has not expired.
    pub(crate) fn is_valid(&self, url: &str, now: SystemTime) -> bool {
        let is_valid = |url: Url| {
            self.signer
                .is_valid_token(url.path(), url.query(), unix_seconds(now))
        };
        Url::parse(url).is_ok_and(is_valid)
    }

    fn signed(&self, path: &str, expires: u64) -> String {
        let token = self.signer.sign(path, expires);
        format!("{}{path}?token={token}", self.base_url)
    }
}

/// Returns the id of the task in the path of a result.
fn task_id(path: &str) -> Option<String> {
    let rest = path.strip_prefix(BEFORE_ID)?;
    let id = percent_decode_str(rest.strip_suffix(AFTER_ID)?);
    Some(id.decode_utf8().ok()?.into_owned())
}
