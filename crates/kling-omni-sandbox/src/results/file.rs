//! Serves a file, or a range of it.

use std::ops::RangeInclusive;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};

use super::clip_cache::Clip;
use crate::reply::html_page;
use crate::signer::etag;
use crate::uploads::{StoredFile, UploadSlot};

const MP4: HeaderValue = HeaderValue::from_static("video/mp4");

/// A rendered clip or an uploaded file.
pub(super) struct ServedFile {
    content: Content,
    length: u64,
    content_type: HeaderValue,
    etag: HeaderValue,
}

enum Content {
    Memory(Bytes),
    Disk(Arc<StoredFile>),
}

impl ServedFile {
    pub(super) fn rendered(clip: Clip) -> Self {
        Self {
            length: clip.bytes.len() as u64,
            content: Content::Memory(clip.bytes),
            content_type: MP4,
            etag: clip.etag,
        }
    }

    pub(super) fn uploaded(slot: &UploadSlot, stored: Arc<StoredFile>) -> Self {
        Self {
            length: stored.length,
            content_type: slot.content_type.clone(),
            etag: etag(&stored.sha256),
            content: Content::Disk(stored),
        }
    }

    /// Returns the response: the file, or the requested range.
    pub(super) async fn respond(&self, parts: &Parts) -> Response {
        let length = self.length;
        let (status, bytes) = match parse_range(parts, &self.etag, length) {
            RequestedRange::Full => (StatusCode::OK, 0..=length.saturating_sub(1)),
            RequestedRange::Part(first, last) => (StatusCode::PARTIAL_CONTENT, first..=last),
            RequestedRange::Unsatisfiable => {
                let mut response = html_page(StatusCode::RANGE_NOT_SATISFIABLE);
                if let Ok(value) = HeaderValue::try_from(format!("bytes */{length}")) {
                    response.headers_mut().insert(header::CONTENT_RANGE, value);
                }
                return response;
            }
        };
        let content_range = format!("bytes {}-{}/{length}", bytes.start(), bytes.end());
        let sent = length.min(bytes.end() - bytes.start() + 1);
        let Some(body) = self.body(bytes).await else {
            return html_page(StatusCode::INTERNAL_SERVER_ERROR);
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, self.content_type.clone());
        headers.insert(header::CONTENT_LENGTH, sent.into());
        headers.insert(header::ETAG, self.etag.clone());
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        if status == StatusCode::PARTIAL_CONTENT
            && let Ok(value) = HeaderValue::try_from(content_range)
        {
            headers.insert(header::CONTENT_RANGE, value);
        }
        response
    }

    async fn body(&self, bytes: RangeInclusive<u64>) -> Option<Body> {
        match &self.content {
            Content::Memory(content) => {
                let first = usize::try_from(*bytes.start()).ok()?;
                let end = usize::try_from(*bytes.end()).ok()?.checked_add(1)?;
                Some(Body::from(content.slice(first..end.min(content.len()))))
            }
            Content::Disk(stored) => match stored.body(bytes).await {
                Ok(body) => Some(body),
                Err(error) => {
                    tracing::error!(%error, "cannot read an uploaded file");
                    None
                }
            },
        }
    }
}

/// The range of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RequestedRange {
    Full,
    /// The offsets of the first and the last byte, both within the file.
    Part(u64, u64),
    Unsatisfiable,
}

/// Parses `Range` and `If-Range`. Malformed and multiple ranges, and those with another validator, are ignored, as HTTP
/// allows.
fn parse_range(parts: &Parts, etag: &HeaderValue, length: u64) -> RequestedRange {
    let headers = &parts.headers;
    let Some(range) = headers.get(header::RANGE) else {
        return RequestedRange::Full;
    };
    let is_changed = headers
        .get(header::IF_RANGE)
        .is_some_and(|validator| validator != etag);
    if parts.method != Method::GET || is_changed {
        return RequestedRange::Full;
    }
    let range = range
        .to_str()
        .ok()
        .map(http_range_header::parse_range_header);
    let Some(Ok(ranges)) = range else {
        return RequestedRange::Full;
    };
    match ranges.validate(length).as_deref() {
        Ok([range]) => RequestedRange::Part(*range.start(), *range.end()),
        Ok(_) => RequestedRange::Full,
        Err(_) => RequestedRange::Unsatisfiable,
    }
}
