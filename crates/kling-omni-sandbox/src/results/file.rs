use std::ops::RangeInclusive;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};

use super::clip_cache::{Clip, etag};
use super::page;
use super::range::{self, Part};
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

    pub(super) fn uploaded(place: &UploadSlot, stored: Arc<Stored>) -> Self {
        Self {
            length: stored.length,
            content_type: place.content_type.clone(),
            etag: etag(&stored.sha256),
            content: Content::Disk(stored),
        }
    }

    /// The file, or the part of it that a request wants.
    pub(super) async fn answer(&self, parts: &Parts) -> Response {
        let length = self.length;
        let (status, bytes) = match range::requested(parts, &self.etag, length) {
            Part::Whole => (StatusCode::OK, 0..=length.saturating_sub(1)),
            Part::Range(first, last) => (StatusCode::PARTIAL_CONTENT, first..=last),
            Part::Unsatisfiable => {
                let mut response = page(StatusCode::RANGE_NOT_SATISFIABLE);
                if let Ok(value) = HeaderValue::try_from(format!("bytes */{length}")) {
                    response.headers_mut().insert(header::CONTENT_RANGE, value);
                }
                return response;
            }
        };
        let content_range = format!("bytes {}-{}/{length}", bytes.start(), bytes.end());
        let sent = length.min(bytes.end() - bytes.start() + 1);
        let Some(body) = self.body(bytes).await else {
            return page(StatusCode::INTERNAL_SERVER_ERROR);
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
