use std::time::Duration;

use bytes::{Bytes, BytesMut};

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
    let response = match session.http.execute(request).await {
        Ok(response) => response,
        Err(error) => return Outcome::NoReply(error),
    };
    let redirected = *response.url() != asked;
    let status = response.status();
    let headers = response.headers().clone();
    match read_body(response, session.largest_body).await {
        Ok((body, complete)) => Outcome::Reply(Reply {
            status,
            headers,
            body,
            complete,
            redirected,
        }),
        Err(error) => Outcome::BrokenReply {
            status,
            headers,
            redirected,
            error,
        },
    }
}

async fn read_body(
    mut response: reqwest::Response,
    largest: usize,
) -> reqwest::Result<(Bytes, bool)> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        let room = largest - body.len();
        if chunk.len() > room {
            body.extend_from_slice(&chunk[..room]);
            return Ok((body.freeze(), false));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((body.freeze(), true))
}
