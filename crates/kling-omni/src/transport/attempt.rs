use std::time::Duration;

use bytes::{Bytes, BytesMut};
use serde::de::IgnoredAny;

use super::outcome::{Outcome, Reply};
use crate::session::Session;

/// Sends a request once and reads the whole answer, as far as its size allows.
pub(super) async fn send(
    session: &Session,
    mut request: reqwest::Request,
    timeout: Duration,
) -> Outcome {
    // Covers everything from the connection to the end of the body, so a slow body cannot hang an attempt.
    *request.timeout_mut() = Some(timeout);
    let asked = request.url().clone();
    let mut response = match session.http.execute(request).await {
        Ok(response) => response,
        Err(error) => return Outcome::NoReply(error),
    };
    let redirected = *response.url() != asked;
    let status = response.status();
    let headers = std::mem::take(response.headers_mut());
    let (body, end) = read_body(response, session.largest_body).await;
    match end {
        Ok(complete) => Outcome::Reply(Reply {
            status,
            headers,
            is_json: complete && serde_json::from_slice::<IgnoredAny>(&body).is_ok(),
            body,
            complete,
            redirected,
            url: asked,
        }),
        Err(error) => Outcome::BrokenReply {
            status,
            headers,
            body,
            redirected,
            error,
        },
    }
}

/// What came of a body, and whether that is all of it.
async fn read_body(
    mut response: reqwest::Response,
    largest: usize,
) -> (Bytes, reqwest::Result<bool>) {
    let mut body = BytesMut::new();
    let end = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = largest - body.len();
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if chunk.len() > room {
                    break Ok(false);
                }
            }
            Ok(None) => break Ok(true),
            Err(error) => break Err(error),
        }
    };
    (body.freeze(), end)
}
