//! Presigned URLs for uploads, as returned by the service.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::engine::error::{Error, ErrorKind, Result};
use crate::engine::expiry;
use crate::engine::http::Http;
use crate::engine::http::call::{Call, Options};
use crate::engine::service::{Service, UploadSlot};
use crate::engine::upload::uploader::UploadedFile;

const LENGTH_RANGE: &str = "x-goog-content-length-range";

/// A presigned URL to which one file can be sent.
pub(crate) struct UploadTarget {
    pub(crate) url: Url,
    /// The exact headers to send with the file.
    pub(crate) headers: HeaderMap,
    /// When the URL expires, if the service says so.
    expires_at: Option<Instant>,
    /// The uploaded file, once it is sent.
    pub(crate) uploaded: UploadedFile,
}

impl UploadTarget {
    /// Requests one presigned URL for each content type, in order.
    pub(crate) async fn request(
        http: &Arc<Http>,
        service: &dyn Service,
        types: &[&'static str],
    ) -> Result<Vec<Self>> {
        let options = Options {
            is_upload: true,
            ..Options::default()
        };
        let call = Call::new(Arc::clone(http), options);
        // Lifetimes count from before the request, so they are not overestimated.
        let (start, start_time) = (http.clock.now(), http.clock.system_time());
        let slots = service.request_uploads(&call, types).await?;
        let targets = slots.into_iter().zip(types).map(|(slot, kind)| {
            let (lifetime, asset_lifetime) = (slot.expires_in, slot.asset_expires_in);
            let mut target = Self::parse(http, slot, kind)
                .map_err(|error| error.with_request_id(call.request_id()))?;
            target.expires_at = lifetime.and_then(|seconds| start.checked_add(duration(seconds)));
            let announced =
                asset_lifetime.and_then(|seconds| start_time.checked_add(duration(seconds)));
            let signed = target.uploaded.expires_at;
            target.uploaded.expires_at = announced.into_iter().chain(signed).min();
            Ok(target)
        });
        targets.collect()
    }

    fn parse(http: &Http, slot: UploadSlot, kind: &'static str) -> Result<Self> {
        let is_encrypted = http.upload_server.base_url.starts_with("https:");
        let asset = checked_url(&slot.asset_url, is_encrypted)?;
        Ok(Self {
            url: checked_url(&slot.upload_url, is_encrypted)?,
            headers: match slot.headers {
                Some(headers) => parse_headers(headers)?,
                None => HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]),
            },
            expires_at: None,
            uploaded: UploadedFile::new(slot.asset_url, expiry::expires_at(&asset)),
        })
    }

    /// Whether it can be used now. Without an expiry, it is used for one attempt.
    pub(crate) fn is_usable(&self, now: Instant, is_used: bool) -> bool {
        match self.expires_at {
            Some(end) => now < end,
            None => !is_used,
        }
    }

    /// The maximum length of the file in bytes, if known.
    pub(crate) fn max_length(&self) -> Option<u64> {
        let range = self.headers.get(LENGTH_RANGE)?.to_str().ok()?;
        range.split_once(',')?.1.trim().parse().ok()
    }
}

fn duration(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}

/// Checks a URL of the service. It must use https if the service itself does.
fn checked_url(text: &str, is_encrypted: bool) -> Result<Url> {
    let url = Url::parse(text).ok().filter(|url| match url.scheme() {
        "https" => true,
        "http" => !is_encrypted,
        _ => false,
    });
    url.ok_or_else(|| invalid_slot("an invalid URL"))
}

fn parse_headers(values: Vec<(String, String)>) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in values {
        let name = HeaderName::try_from(name).map_err(|_| invalid_slot("an invalid header"))?;
        let value = HeaderValue::try_from(value).map_err(|_| invalid_slot("an invalid header"))?;
        // These follow from the URL and the file.
        if name != HOST && name != CONTENT_LENGTH {
            headers.insert(name, value);
        }
    }
    Ok(headers)
}

fn invalid_slot(what: &str) -> Error {
    Error::uncharged(
        ErrorKind::UnexpectedResponse,
        format!("the service returned an upload slot with {what}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upload_target_uses_https_like_the_service() {
        for (url, is_encrypted, is_taken) in [
            ("https://h.example/x?sig=1", true, true),
            ("https://h.example/x", false, true),
            ("http://127.0.0.1:1/x", false, true),
            ("http://h.example/x", true, false),
            ("ftp://h.example/x", false, false),
            ("/x", false, false),
        ] {
            let taken = checked_url(url, is_encrypted);
            assert_eq!(taken.is_ok(), is_taken, "{url} {is_encrypted}");
        }
    }
}
