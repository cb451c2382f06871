//! A file, or a range of it, as an answer.

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
use crate::uploads::{Stored, UploadSlot};

const MP4: HeaderValue = HeaderValue::from_static("video/mp4");

/// Something to serve.
pub(super) struct File {
    content: Content,
    length: u64,
    content_type: HeaderValue,
    etag: HeaderValue,
}

enum Content {
    Memory(Bytes),
    Disk(Arc<Stored>),
}

impl File {
    pub(super) fn rendered(clip: Clip) -> Self {
        Self {
            length: clip.bytes.len() as u64,
            content: Content::Memory(clip.bytes),
            content_type: MP4,
            etag: clip.etag,
        }
    }

    pub(super) fn uploaded(slot: &UploadSlot, stored: Arc<Stored>) -> Self {
        Self {
            length: stored.length,
            content_type: slot.content_type.clone(),
            etag: etag(&stored.sha256),
            content: Content::Disk(stored),
        }
    }

    /// The file, or the part of it that a request wants.
    pub(super) async fn answer(&self, parts: &Parts) -> Response {
        let length = self.length;
        let (status, bytes) = match requested(parts, &self.etag, length) {
            Part::Whole => (StatusCode::OK, 0..=length.saturating_sub(1)),
            Part::Range(first, last) => (StatusCode::PARTIAL_CONTENT, first..=last),
            Part::Unsatisfiable => {
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
                    tracing::error!(%error, "an uploaded file could not be read");
                    None
                }
            },
        }
    }
}

/// What of a file a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Whole,
    /// The first and the last byte, both counted from 0 and both within the file.
    Range(u64, u64),
    Unsatisfiable,
}

/// Reads `Range` and `If-Range`. A range that is malformed, one of several, or bound to another state of the file is
/// ignored, as HTTP allows.
fn requested(parts: &Parts, etag: &HeaderValue, length: u64) -> Part {
    let headers = &parts.headers;
    let Some(range) = headers.get(header::RANGE) else {
        return Part::Whole;
    };
    let changed = headers
        .get(header::IF_RANGE)
        .is_some_and(|known| known != etag);
    if parts.method != Method::GET || changed {
        return Part::Whole;
    }
    let range = range
        .to_str()
        .ok()
        .map(http_range_header::parse_range_header);
    let Some(Ok(ranges)) = range else {
        return Part::Whole;
    };
    match ranges.validate(length).as_deref() {
        Ok([one]) => Part::Range(*one.start(), *one.end()),
        Ok(_) => Part::Whole,
        Err(_) => Part::Unsatisfiable,
    }
}
