//! One attempt to put a file to its place.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use http::StatusCode;
use http::header::CONTENT_LENGTH;
use reqwest::{Body, Response};
use tokio::sync::watch;

use crate::engine::http::Http;
use crate::engine::http::timeout::{Elapsed, Timeout};
use crate::engine::http::{plan_limit, retry_headers};
use crate::engine::upload::local_file::LocalFile;
use crate::engine::upload::place::Place;
use crate::redact;

/// So much of a refusal is read to see what it says.
const LARGEST_REFUSAL: usize = 16 * 1024;

/// Why a file did not get to its place.
pub(crate) enum Failure {
    /// The file cannot be read, or is not what it was.
    File(io::Error),
    /// There was no connection, or it broke, or nothing went over it any more.
    Lost {
        why: String,
        source: Option<reqwest::Error>,
    },
    /// The host does not take it.
    Refused {
        status: StatusCode,
        /// What the host says, as far as it is fit to be shown.
        said: String,
        /// How long the host asks to wait.
        wait: Option<Duration>,
        /// Whether it says that the place has expired.
        is_expired: bool,
        /// Whether it says that the limit of a trial or a plan is reached.
        is_plan_limit: bool,
    },
}

impl Failure {
    /// Whether the same bytes may get to their place when they are sent again.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::File(_) => false,
            Self::Lost { .. } => true,
            Self::Refused {
                is_plan_limit: true,
                ..
            } => false,
            Self::Refused {
                status, is_expired, ..
            } => {
                *is_expired
                    || status.is_server_error()
                    || matches!(
                        *status,
                        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
                    )
            }
        }
    }
}

/// Sends a file with the headers of its place and no others; the key is not among them.
pub(crate) async fn put(
    http: &Http,
    client: &reqwest::Client,
    file: &LocalFile,
    place: &Place,
) -> Result<(), Failure> {
    let bytes = file.open().await.map_err(Failure::File)?;
    // The HTTP stack tells of a body that failed in its own words, if at all.
    let broken = Arc::new(Mutex::new(None));
    let (moved, sent) = watch::channel(0);
    let body = {
        let broken = Arc::clone(&broken);
        bytes.map(move |chunk| {
            chunk
                .inspect(|chunk| moved.send_modify(|sent| *sent += chunk.len() as u64))
                .map_err(|error| {
                    let kind = error.kind();
                    *broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    io::Error::from(kind)
                })
        })
    };
    let request = client
        .put(place.url.clone())
        .headers(place.headers.clone())
        .header(CONTENT_LENGTH, file.length())
        .body(Body::wrap_stream(body));
    let answer = async {
        match request.send().await {
            Ok(response) => read(http, response).await,
            Err(error) => Err(lost(error)),
        }
    };
    let outcome = tokio::select! {
        outcome = answer => outcome,
        why = stalled(http, sent, file.length()) => Err(Failure::Lost { why, source: None }),
    };
    match broken.lock().unwrap_or_else(PoisonError::into_inner).take() {
        // Whatever the host made of half a file.
        Some(error) => Err(Failure::File(error)),
        None => outcome,
    }
}

/// Ends when nothing has moved for too long: no bytes, or, once all are gone, no answer.
async fn stalled(http: &Http, mut sent: watch::Receiver<u64>, length: u64) -> String {
    let idle = http.settings.read_timeout;
    while *sent.borrow_and_update() < length {
        match Timeout::new(idle).run(sent.changed()).await {
            Ok(Ok(())) => {}
            // The rest of the file is not wanted.
            Ok(Err(_)) => break,
            Err(Elapsed) => {
                return format!("the storage host took nothing for {} s", idle.as_secs_f64());
            }
        }
    }
    let answer = std::future::pending::<()>();
    let _ = Timeout::new(http.settings.attempt_timeout)
        .run(answer)
        .await;
    "the storage host did not answer within the time limit".to_owned()
}

async fn read(http: &Http, mut response: Response) -> Result<(), Failure> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let limited = status == StatusCode::TOO_MANY_REQUESTS;
    let wait = retry_headers::wait(response.headers(), limited, http.clock.system_time());
    let mut body = Vec::new();
    while body.len() < LARGEST_REFUSAL
        && let Ok(Ok(Some(chunk))) = Timeout::new(http.settings.read_timeout)
            .run(response.chunk())
            .await
    {
        body.extend_from_slice(&chunk);
    }
    let text = String::from_utf8_lossy(&body);
    let key = http.key.expose();
    let parts = ["Code", "Message"].map(|name| redact::sanitize(element(&text, name), key));
    let is_expired = matches!(status, StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN)
        && parts
            .iter()
            .any(|part| part.to_ascii_lowercase().contains("expired"));
    let is_plan_limit = limited && plan_limit::is_told(&body);
    Err(Failure::Refused {
        status,
        said: parts
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(", "),
        wait: wait.filter(|_| !is_plan_limit),
        is_expired,
        is_plan_limit,
    })
}

/// The text of the first element of this name in an error as object stores write it.
pub(crate) fn element<'a>(xml: &'a str, name: &str) -> &'a str {
    let text = xml
        .split_once(&format!("<{name}>"))
        .and_then(|(_, rest)| rest.split_once('<'));
    text.map_or("", |(text, _)| text)
}

fn lost(error: reqwest::Error) -> Failure {
    let why = if error.is_connect() {
        "no connection to the storage host"
    } else {
        "the connection to the storage host was lost"
    };
    Failure::Lost {
        why: why.to_owned(),
        source: Some(error.without_url()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_in_what_stores_say() {
        for (xml, code) in [
            (
                "<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>",
                "NoSuchKey",
            ),
            ("<Error><Code></Code></Error>", ""),
            ("<Error><Code>cut off", ""),
            ("{}", ""),
        ] {
            assert_eq!(element(xml, "Code"), code, "{xml}");
        }
    }
}
