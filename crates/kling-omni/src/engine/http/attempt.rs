//! One attempt of a call: sends a request once and reads the response.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream;

use crate::engine::http::Http;
use crate::engine::http::attempt_result::{AttemptResult, Response};
use crate::engine::http::body::DecodedBody;
use crate::engine::http::timeout::{Elapsed, Timeout};

/// Sends a request once and reads the response, up to the maximum size.
pub(crate) async fn send(http: &Http, request: reqwest::Request, limit: Duration) -> AttemptResult {
    // The timeout covers everything from the connection to the end of the body, so a slow body cannot hang an attempt.
    let mut timeout = Timeout::new(limit);
    let url = request.url().clone();
    let mut response = match timeout.run(http.client.execute(request)).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => return AttemptResult::NoResponse(error),
        Err(Elapsed) => return AttemptResult::NoResponse(timed_out().await),
    };
    let redirected = *response.url() != url;
    let status = response.status();
    let headers = std::mem::take(response.headers_mut());
    let (body, end) = read_body(response, http.settings.max_response_size, timeout).await;
    let is_complete = *end.as_ref().unwrap_or(&false);
    let content = DecodedBody::read(&headers, body, is_complete, http.settings.max_response_size);
    match end {
        Ok(_) => AttemptResult::Response(Response {
            status,
            headers,
            is_json: content.is_json,
            body: content.bytes,
            complete: content.is_complete,
            redirected,
            url,
        }),
        Err(error) => AttemptResult::IncompleteResponse {
            status,
            headers,
            body: content.bytes,
            redirected,
            error,
        },
    }
}

/// Returns the bytes of a body, and whether they are complete.
async fn read_body(
    mut response: reqwest::Response,
    max_size: usize,
    mut timeout: Timeout,
) -> (Bytes, reqwest::Result<bool>) {
    // Most bodies are a single chunk, which is not copied.
    let (mut first, mut all) = (Bytes::new(), BytesMut::new());
    let end = loop {
        match timeout.run(response.chunk()).await {
            Ok(Ok(Some(mut chunk))) => {
                let room = max_size - first.len().max(all.len());
                let fits = chunk.len() <= room;
                chunk.truncate(room);
                if first.is_empty() {
                    first = chunk;
                } else {
                    if all.is_empty() {
                        all.extend_from_slice(&first);
                    }
                    all.extend_from_slice(&chunk);
                }
                if !fits {
                    break Ok(false);
                }
            }
            Ok(Ok(None)) => break Ok(true),
            Ok(Err(error)) => break Err(error),
            Err(Elapsed) => break Err(timed_out().await),
        }
    };
    let body = match all.is_empty() {
        true => first,
        false => all.freeze(),
    };
    (body, end)
}

/// Returns the error that reqwest uses for its own timeouts. It has no public constructor, but it wraps errors of bodies.
pub(crate) async fn timed_out() -> reqwest::Error {
    let error = || io::Error::new(io::ErrorKind::TimedOut, "operation timed out");
    loop {
        let body = reqwest::Body::wrap_stream(stream::iter([Err::<Bytes, _>(error())]));
        let response = reqwest::Response::from(http::Response::new(body));
        if let Err(error) = response.bytes().await {
            return error;
        }
    }
}
