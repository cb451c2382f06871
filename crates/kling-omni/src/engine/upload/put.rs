//! One attempt to send a file to its presigned URL.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use http::StatusCode;
use http::header::CONTENT_LENGTH;
use reqwest::{Body, Response};
use tokio::sync::watch;

use crate::engine::bucket::xml::element;
use crate::engine::http::Http;
use crate::engine::http::timeout::{Elapsed, Timeout};
use crate::engine::http::{plan_limit, retry_headers};
use crate::engine::upload::local_file::LocalFile;
use crate::engine::upload::upload_target::UploadTarget;
use crate::redact;

/// The maximum number of bytes that are read of an error response.
const MAX_ERROR_BODY: usize = 16 * 1024;

/// Why a file was not sent.
pub(crate) enum PutError {
    /// The file cannot be read or has changed.
    File(io::Error),
    /// The connection could not be established, broke or stalled.
    Transport {
        reason: String,
        source: Option<reqwest::Error>,
    },
    /// The host rejected the file.
    Rejected {
        status: StatusCode,
        /// The redacted message of the host.
        message: String,
        /// The delay that the host requests.
        retry_after: Option<Duration>,
        /// Whether the presigned URL has expired.
        is_expired: bool,
        /// Whether the limit of a trial or a plan is reached.
        is_plan_limit: bool,
    },
}

impl PutError {
    /// Whether another attempt may succeed.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::File(_) => false,
            Self::Transport { .. } => true,
            Self::Rejected {
                is_plan_limit: true,
                ..
            } => false,
            Self::Rejected {
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

/// Sends a file with the headers of its presigned URL and no others, in particular without the key.
pub(crate) async fn put(
    http: &Http,
    client: &reqwest::Client,
    file: &LocalFile,
    target: &UploadTarget,
) -> Result<(), PutError> {
    let bytes = file.stream().await.map_err(PutError::File)?;
    // reqwest does not reliably report the error of a body.
    let broken = Arc::new(Mutex::new(None));
    let (sender, sent) = watch::channel(0);
    let body = {
        let broken = Arc::clone(&broken);
        bytes.map(move |chunk| {
            chunk
                .inspect(|chunk| sender.send_modify(|sent| *sent += chunk.len() as u64))
                .map_err(|error| {
                    let kind = error.kind();
                    *broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    io::Error::from(kind)
                })
        })
    };
    let request = client
        .put(target.url.clone())
        .headers(target.headers.clone())
        .header(CONTENT_LENGTH, file.length())
        .body(Body::wrap_stream(body));
    let response = async {
        match request.send().await {
            Ok(response) => check_response(http, response).await,
            Err(error) => Err(disconnected(error)),
        }
    };
    let result = tokio::select! {
        result = response => result,
        reason = stalled(http, sent, file.length()) => Err(PutError::Transport { reason, source: None }),
    };
    match broken.lock().unwrap_or_else(PoisonError::into_inner).take() {
        // Takes precedence over the response to a partial file.
        Some(error) => Err(PutError::File(error)),
        None => result,
    }
}

/// Completes when no bytes were sent for too long or, after all were sent, no response came.
async fn stalled(http: &Http, mut sent: watch::Receiver<u64>, length: u64) -> String {
    let idle = http.settings.read_timeout;
    while *sent.borrow_and_update() < length {
        match Timeout::new(idle).run(sent.changed()).await {
            Ok(Ok(())) => {}
            // The host does not read the rest of the file.
            Ok(Err(_)) => break,
            Err(Elapsed) => {
                return format!(
                    "the storage host accepted no data for {} s",
                    idle.as_secs_f64()
                );
            }
        }
    }
    let response = std::future::pending::<()>();
    let _ = Timeout::new(http.settings.attempt_timeout)
        .run(response)
        .await;
    "no response from the storage host within the time limit".to_owned()
}

async fn check_response(http: &Http, mut response: Response) -> Result<(), PutError> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let limited = status == StatusCode::TOO_MANY_REQUESTS;
    let retry_after = retry_headers::wait(response.headers(), limited, http.clock.system_time());
    let mut body = Vec::new();
    while body.len() < MAX_ERROR_BODY
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
    let is_plan_limit = limited && plan_limit::is_reported(&body);
    Err(PutError::Rejected {
        status,
        message: parts
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(", "),
        retry_after: retry_after.filter(|_| !is_plan_limit),
        is_expired,
        is_plan_limit,
    })
}

fn disconnected(error: reqwest::Error) -> PutError {
    let reason = if error.is_connect() {
        "could not connect to the storage host"
    } else {
        "the connection to the storage host was lost"
    };
    PutError::Transport {
        reason: reason.to_owned(),
        source: Some(error.without_url()),
    }
}
