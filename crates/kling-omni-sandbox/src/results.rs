//! The URLs of results and of uploaded files, which are signed and expire.

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
/// How much of what was rendered is kept in memory.
const CLIP_BYTES: usize = 64 * 1024 * 1024;
/// What is percent-encoded of an id in a path.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Makes result URLs and those of uploaded files, and serves what they lead to.
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

    /// How long the URL of a result works.
    pub(crate) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// The URL of a task's result; the same whenever it is asked for.
    pub(crate) fn url(&self, task: &Task) -> String {
        let id = utf8_percent_encode(&task.id, ESCAPED);
        let path = format!("{BEFORE_ID}{id}{AFTER_ID}");
        let expires = unix_seconds(task.ends_at()) + self.lifetime.as_secs();
        self.signed(&path, expires)
    }

    /// A result URL with a token for another time; `None` for the URL of another host.
    pub(crate) fn sign(&self, url: &str, expires: u64) -> Option<String> {
        let path = url.strip_prefix(&self.base_url)?;
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        Some(self.signed(path, expires))
    }

    /// The URL of an uploaded file that works until the unix time `expires`.
    pub(crate) fn asset_url(&self, file_id: &str, expires: u64) -> String {
        self.signed(&format!("{BEFORE_ASSET}{file_id}"), expires)
    }

    /// The id of the uploaded file that a URL names, whether or not it works.
    pub(crate) fn asset<'a>(&self, url: &'a str) -> Option<&'a str> {
        let path = url.strip_prefix(&self.base_url)?;
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        path.strip_prefix(BEFORE_ASSET)
    }

    /// Whether a URL is genuine and works at that time.
    pub(crate) fn admits(&self, url: &str, now: SystemTime) -> bool {
        let admits = |url: Url| {
            self.signer
                .admits(url.path(), url.query(), unix_seconds(now))
        };
        Url::parse(url).is_ok_and(admits)
    }

    fn signed(&self, path: &str, expires: u64) -> String {
        let token = self.signer.sign(path, expires);
        format!("{}{path}?token={token}", self.base_url)
    }
}

/// The id of the task whose result a path names.
fn task_id(path: &str) -> Option<String> {
    let rest = path.strip_prefix(BEFORE_ID)?;
    let id = percent_decode_str(rest.strip_suffix(AFTER_ID)?);
    Some(id.decode_utf8().ok()?.into_owned())
}
