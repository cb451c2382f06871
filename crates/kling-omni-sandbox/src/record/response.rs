//! The response to a request, recorded while it is sent.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};

use crate::redact;
use crate::service::{RecordId, Service};

/// How much of a response body is kept, in bytes.
const KEPT: usize = 16 * 1024;

/// The response to a request, as far as it was sent.
///
/// `Debug` shows neither headers nor the body, which may contain URL tokens.
#[derive(Clone)]
pub struct SentResponse {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) length: u64,
    pub(crate) ended_at: Option<SystemTime>,
    pub(crate) is_complete: bool,
}

impl SentResponse {
    pub(crate) fn started(headers: HeaderMap) -> Self {
        Self {
            headers,
            body: Bytes::new(),
            length: 0,
            ended_at: None,
            is_complete: false,
        }
    }

    /// Returns the headers, without those that the connection adds (`content-length`, `transfer-encoding`), and without
    /// the invalid lines of the fault `header`.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the first 16 KiB of the body. It is empty before the end, and for results and uploaded files.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Returns how many bytes of the body were passed to the connection. It is 0 before the end.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Returns when the last byte was passed to the connection, or when the connection was closed, by the sandbox's clock.
    pub fn ended_at(&self) -> Option<SystemTime> {
        self.ended_at
    }

    /// Returns whether the body was passed to the connection to its end.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }
}

impl fmt::Debug for SentResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentResponse")
            .field("body", &redact::Length(self.body.len()))
            .field("length", &self.length)
            .field("is_complete", &self.is_complete)
            .finish_non_exhaustive()
    }
}

/// Records the body of a response, and its end: also that of a response that is never sent.
pub(crate) struct ResponseRecorder {
    service: Arc<Service>,
    id: RecordId,
    /// How many more bytes are kept.
    room: usize,
    kept: Vec<u8>,
    length: u64,
    /// The length of the complete body, if it is known.
    expected: Option<u64>,
    has_ended: bool,
}

impl ResponseRecorder {
    /// Records the response to a request. Only with `keeps_body` its body is kept.
    pub(crate) fn new(service: &Arc<Service>, id: RecordId, keeps_body: bool) -> Self {
        Self {
            service: Arc::clone(service),
            id,
            room: if keeps_body { KEPT } else { 0 },
            kept: Vec::new(),
            length: 0,
            expected: None,
            has_ended: false,
        }
    }

    fn add(&mut self, data: &Bytes) {
        let kept = &data[..data.len().min(self.room)];
        self.kept.extend_from_slice(kept);
        self.room -= kept.len();
        self.length += data.len() as u64;
        // The server does not poll a body of known length again.
        if self.expected == Some(self.length) {
            self.end(true);
        }
    }

    fn end(&mut self, is_complete: bool) {
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        let now = self.service.clock.now();
        let kept = std::mem::take(&mut self.kept);
        self.service.amend(self.id, |entry| {
            if let Some(sent) = &mut entry.response {
                sent.body = kept.into();
                sent.length = self.length;
                sent.ended_at = Some(now);
                sent.is_complete = is_complete;
            }
        });
    }
}

impl Drop for ResponseRecorder {
    fn drop(&mut self) {
        self.end(self.expected == Some(0));
    }
}

/// A response body that is recorded while it is sent.
pub(crate) struct RecordedBody {
    inner: Body,
    recorder: ResponseRecorder,
}

impl RecordedBody {
    /// `is_sent` is false for the response to a HEAD request, whose body is not sent.
    pub(crate) fn new(inner: Body, is_sent: bool, mut recorder: ResponseRecorder) -> Self {
        recorder.expected = match is_sent {
            true => HttpBody::size_hint(&inner).exact(),
            false => Some(0),
        };
        Self { inner, recorder }
    }
}

impl HttpBody for RecordedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.recorder.add(data);
                }
            }
            Some(Err(_)) => self.recorder.end(false),
            None => self.recorder.end(true),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        HttpBody::size_hint(&self.inner)
    }
}
