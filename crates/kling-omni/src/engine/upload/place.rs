use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::engine::error::{Error, ErrorKind, Result};
use crate::engine::expiry;
use crate::engine::http::Http;
use crate::engine::http::call::{Call, Options};
use crate::engine::service::UploadSlot;
use crate::engine::upload::Uploads;
use crate::engine::upload::uploader::Uploaded;

const LENGTH_RANGE: &str = "x-goog-content-length-range";

/// Where the service wants one file to be put.
pub(crate) struct Place {
    pub(crate) url: Url,
    /// Exactly what has to go with the file.
    pub(crate) headers: HeaderMap,
    /// When it takes nothing any more, if the service says so.
    until: Option<Instant>,
    /// What there will be once the file is there.
    pub(crate) uploaded: Uploaded,
}

impl Place {
    /// Asks for places for files of these kinds: one for each, in their order.
    pub(crate) async fn ask(uploads: &Uploads, types: &[&'static str]) -> Result<Vec<Self>> {
        let options = Options {
            is_upload: true,
            ..Options::default()
        };
        let exchange = Call::new(Arc::clone(&uploads.http), options);
        // Lifetimes count from before the question, so that no place is taken to live longer than it does.
        let (asked, asked_at) = (uploads.http.clock.now(), uploads.http.clock.system_time());
        let places = uploads.service.request_uploads(&exchange, types).await?;
        let places = places.into_iter().zip(types).map(|(slot, kind)| {
            let (lives, asset_lives) = (slot.expires_in, slot.asset_expires_in);
            let mut place = Self::read(&uploads.http, slot, kind)
                .map_err(|error| error.with_request_id(exchange.request_id()))?;
            place.until = lives.and_then(|seconds| asked.checked_add(span(seconds)));
            let told = asset_lives.and_then(|seconds| asked_at.checked_add(span(seconds)));
            let signed = place.uploaded.expires_at;
            place.uploaded.expires_at = told.into_iter().chain(signed).min();
            Ok(place)
        });
        places.collect()
    }

    fn read(http: &Http, slot: UploadSlot, kind: &'static str) -> Result<Self> {
        let is_encrypted = http.upload_server.base_url.starts_with("https:");
        let asset = checked_url(&slot.asset_url, is_encrypted)?;
        Ok(Self {
            url: checked_url(&slot.upload_url, is_encrypted)?,
            headers: match slot.headers {
                Some(given) => headers(given)?,
                None => HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]),
            },
            until: None,
            uploaded: Uploaded::new(slot.asset_url, expiry::of(&asset)),
        })
    }

    /// Whether it can be expected to take a file now. One that says nothing of its end is good for one attempt.
    pub(crate) fn is_good(&self, now: Instant, is_used: bool) -> bool {
        match self.until {
            Some(until) => now < until,
            None => !is_used,
        }
    }

    /// The most bytes that it takes, as far as that is known.
    pub(crate) fn most(&self) -> Option<u64> {
        let range = self.headers.get(LENGTH_RANGE)?.to_str().ok()?;
        range.split_once(',')?.1.trim().parse().ok()
    }
}

fn span(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}

/// A URL of the service's that a file may go to, or be read from: encrypted, where the service itself is.
fn checked_url(text: &str, is_encrypted: bool) -> Result<Url> {
    let url = Url::parse(text).ok().filter(|url| match url.scheme() {
        "https" => true,
        "http" => !is_encrypted,
        _ => false,
    });
    url.ok_or_else(|| unusable("a URL that no file can go to"))
}

fn headers(given: Vec<(String, String)>) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let name = HeaderName::try_from(name).map_err(|_| unusable("a header that is none"))?;
        let value = HeaderValue::try_from(value).map_err(|_| unusable("a header that is none"))?;
        // These follow from the URL and from the file.
        if name != HOST && name != CONTENT_LENGTH {
            headers.insert(name, value);
        }
    }
    Ok(headers)
}

fn unusable(what: &str) -> Error {
    Error::new(
        ErrorKind::UnexpectedResponse,
        format!("the service gave a place for a file with {what}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_go_where_the_service_is_no_better_protected() {
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
