//! One request to the result host, and the classification of its response, for a file that may be partly downloaded.

use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, DATE, ETAG, HeaderValue, IF_RANGE, LAST_MODIFIED, RANGE, TRANSFER_ENCODING,
};
use http::{StatusCode, Version};
use reqwest::Response;
use url::Url;

use crate::engine::download::redirect;
use crate::engine::download::video::Downloads;
use crate::engine::http::content;
use crate::engine::http::retry_headers;
use crate::engine::http::timeout::{Elapsed, Timeout};

/// A strong validator: it identifies one version of a file.
#[derive(Clone)]
pub(crate) struct Validator {
    /// The URL without its query, because tokens change. A validator is valid for one URL only.
    url: String,
    /// The same file has different bytes in another content coding.
    coding: Option<String>,
    value: HeaderValue,
}

/// What a response of the result host means.
pub(crate) enum ResponseKind {
    /// The file from its first byte.
    Complete {
        body: ResponseBody,
        length: Option<u64>,
        validator: Option<Validator>,
    },
    /// The rest of the file, and the length of the complete file.
    Rest {
        body: ResponseBody,
        length: Option<u64>,
    },
    /// The download cannot be resumed.
    NotResumable(String),
    /// No bytes. Another attempt may succeed.
    Failed(TransferError),
    /// The URL no longer works.
    Gone(StatusCode),
    /// Not the file. Another attempt would not change that.
    Rejected {
        status: Option<StatusCode>,
        reason: String,
    },
}

/// Why a connection failed or ended early.
pub(crate) struct TransferError {
    pub(crate) reason: String,
    pub(crate) status: Option<StatusCode>,
    /// The delay that the host requests.
    pub(crate) retry_after: Option<Duration>,
    pub(crate) source: Option<reqwest::Error>,
    /// Whether the response ended before the file was complete.
    pub(crate) is_truncated: bool,
}

impl TransferError {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            status: None,
            retry_after: None,
            source: None,
            is_truncated: false,
        }
    }

    fn disconnected(error: reqwest::Error) -> Self {
        let reason = if error.is_connect() {
            "could not connect to the result host"
        } else {
            "the connection to the result host was lost"
        };
        Self {
            source: Some(error.without_url()),
            ..Self::new(reason)
        }
    }

    fn slow(window: Duration) -> Self {
        Self::new(format!(
            "the result host sent less than {MIN_BYTES} bytes within {} s",
            window.as_secs_f64()
        ))
    }

    fn stalled(idle: Duration) -> Self {
        Self::new(format!(
            "no data from the result host for {} s",
            idle.as_secs_f64()
        ))
    }

    pub(crate) fn truncated(reason: impl Into<String>) -> Self {
        Self {
            is_truncated: true,
            ..Self::new(reason)
        }
    }
}

/// The minimum that a host has to send in [`MIN_BYTES_WINDOW`], about 1 KiB/s. Only the time spent waiting for the host counts.
const MIN_BYTES: usize = 64 * 1024;

const MIN_BYTES_WINDOW: Duration = Duration::from_secs(60);

/// The body of one response.
pub(crate) struct ResponseBody {
    response: Response,
    idle: Duration,
    /// The bytes received in this window, and the time waited for them. The time that the reader takes does not count.
    received: usize,
    waited: Duration,
    /// The content codings that the host declares.
    pub(crate) coding: Option<String>,
    /// Whether the protocol marks the last byte. If not, a lost connection looks like the end of the file.
    pub(crate) length_delimited: bool,
}

impl ResponseBody {
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, TransferError> {
        let window = MIN_BYTES_WINDOW.max(self.idle);
        let limit = self.idle.min(window.saturating_sub(self.waited));
        let mut timeout = Timeout::new(limit);
        let chunk = timeout.run(self.response.chunk()).await;
        self.waited += limit.saturating_sub(timeout.left());
        match chunk {
            Ok(Ok(chunk)) => {
                self.received += chunk.as_ref().map_or(0, Bytes::len);
                if self.received >= MIN_BYTES {
                    self.received = 0;
                    self.waited = Duration::ZERO;
                }
                Ok(chunk)
            }
            Ok(Err(error)) => Err(TransferError::disconnected(error)),
            Err(Elapsed) if limit < self.idle => Err(TransferError::slow(window)),
            Err(Elapsed) => Err(TransferError::stalled(self.idle)),
        }
    }
}

/// Requests the file, or the rest of it after the bytes in `resume`.
pub(crate) async fn fetch(
    downloads: &Downloads,
    url: &Url,
    resume: Option<(u64, &Validator)>,
) -> ResponseKind {
    // The key belongs to the API's host. This request carries no credentials.
    let http = match downloads.client.get(url) {
        Ok(http) => http,
        Err(error) => {
            return ResponseKind::Rejected {
                status: None,
                reason: error.summary().to_owned(),
            };
        }
    };
    let mut request = http.get(url.clone());
    request = request.header(ACCEPT_ENCODING, "identity");
    if let Some((position, validator)) = resume {
        request = request
            .header(RANGE, format!("bytes={position}-"))
            .header(IF_RANGE, validator.value.clone());
    }
    let response = match Timeout::new(downloads.http.settings.read_timeout)
        .run(request.send())
        .await
    {
        Ok(Ok(response)) => response,
        Ok(Err(error)) if error.is_redirect() => return redirect_failed(error),
        Ok(Err(error)) => return ResponseKind::Failed(TransferError::disconnected(error)),
        Err(Elapsed) => {
            return ResponseKind::Failed(TransferError::stalled(
                downloads.http.settings.read_timeout,
            ));
        }
    };
    // A client of the caller may follow redirects that this crate refuses.
    if redirect::is_downgrade(url, response.url()) {
        return ResponseKind::Rejected {
            status: Some(response.status()),
            reason: "the result host redirected from https to http".to_owned(),
        };
    }
    classify(downloads, response, resume)
}

fn redirect_failed(error: reqwest::Error) -> ResponseKind {
    let reason = std::error::Error::source(&error).map(ToString::to_string);
    let reason = reason.unwrap_or_else(|| "invalid redirect".to_owned());
    ResponseKind::Rejected {
        status: None,
        reason: format!("redirect not followed: {reason}"),
    }
}

fn classify(
    downloads: &Downloads,
    response: Response,
    resume: Option<(u64, &Validator)>,
) -> ResponseKind {
    let status = response.status();
    match (status, resume) {
        (StatusCode::PARTIAL_CONTENT, _) => classify_partial(downloads, response, resume),
        // Any success: a proxy sends 203, for example. The bytes are checked later.
        _ if status.is_success() => ResponseKind::Complete {
            length: response.content_length(),
            validator: validator(&response),
            body: body(downloads, response),
        },
        (StatusCode::RANGE_NOT_SATISFIABLE, Some(_)) => {
            ResponseKind::NotResumable("the file is shorter than before".to_owned())
        }
        (
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS,
            _,
        ) => server_failed(downloads, &response),
        // Hosts use different statuses for an expired URL or a rejected signature.
        _ if status.is_client_error() => ResponseKind::Gone(status),
        _ if status.is_server_error() => server_failed(downloads, &response),
        _ => ResponseKind::Rejected {
            status: Some(status),
            reason: format!("the response of the result host is not the file ({status})"),
        },
    }
}

fn server_failed(downloads: &Downloads, response: &Response) -> ResponseKind {
    let status = response.status();
    let limited = status == StatusCode::TOO_MANY_REQUESTS;
    let now = downloads.http.clock.system_time();
    let retry_after = retry_headers::wait(response.headers(), limited, now);
    let mut reason = format!("the result host failed ({status})");
    if let Some(wait) = retry_after {
        reason.push_str(&format!(
            ", retry after {} s",
            retry_headers::whole_seconds(wait)
        ));
    }
    ResponseKind::Failed(TransferError {
        status: Some(status),
        retry_after,
        ..TransferError::new(reason)
    })
}

/// A partial response that begins with the first byte is the file or its beginning. So is one without a range that was not
/// requested.
fn classify_partial(
    downloads: &Downloads,
    response: Response,
    resume: Option<(u64, &Validator)>,
) -> ResponseKind {
    let part = content::partial_range(response.headers());
    match (part.map(|part| part.first), resume) {
        (Some(0), _) | (None, None) => ResponseKind::Complete {
            length: match part {
                Some(part) => part.total,
                None => response.content_length(),
            },
            validator: validator(&response),
            body: body(downloads, response),
        },
        (_, Some((position, expected))) => classify_rest(downloads, response, position, expected),
        (Some(first), None) => ResponseKind::Rejected {
            status: Some(response.status()),
            reason: format!("the result host sent a part from byte {first} instead of the file"),
        },
    }
}

/// A part is appended only if it begins at `position` and belongs to the same version of the file.
fn classify_rest(
    downloads: &Downloads,
    response: Response,
    position: u64,
    expected: &Validator,
) -> ResponseKind {
    let other = |reason: &str| ResponseKind::NotResumable(reason.to_owned());
    let headers = response.headers();
    if content::coding(headers) != expected.coding {
        return other("the result host sent the rest in another content coding");
    }
    let Some(part) = content::partial_range(headers) else {
        return other("the response has no valid content-range");
    };
    if part.first != position {
        return other("the result host sent another range than requested");
    }
    // The host has compared the validator and need not repeat it. A repeated one has to match.
    let url = without_query(response.url());
    let is_other_version = [ETAG, LAST_MODIFIED]
        .iter()
        .filter(|name| is_of_kind(&expected.value, name))
        .filter_map(|name| headers.get(name))
        .any(|value| *value != expected.value);
    if url != expected.url || is_other_version {
        return other("the file has changed");
    }
    ResponseKind::Rest {
        length: part.total,
        body: body(downloads, response),
    }
}

/// Whether a validator came from the header `name`: entity tags are quoted, dates are not.
fn is_of_kind(value: &HeaderValue, name: &http::HeaderName) -> bool {
    value.as_bytes().starts_with(b"\"") == (name == ETAG)
}

fn body(downloads: &Downloads, response: Response) -> ResponseBody {
    let length_delimited = response.version() > Version::HTTP_11
        || response.content_length().is_some()
        || response.headers().contains_key(TRANSFER_ENCODING);
    ResponseBody {
        coding: content::coding(response.headers()),
        response,
        idle: downloads.http.settings.read_timeout,
        received: 0,
        waited: Duration::ZERO,
        length_delimited,
    }
}

fn without_query(url: &Url) -> String {
    url[..url::Position::AfterPath].to_owned()
}

/// Returns the strong validator of a response: a strong entity tag, or a `Last-Modified` that is old enough, so no later
/// change has the same date.
fn validator(response: &Response) -> Option<Validator> {
    let headers = response.headers();
    let tag = headers.get(ETAG).filter(|tag| {
        let tag = tag.as_bytes();
        tag.len() >= 2 && tag.starts_with(b"\"") && tag.ends_with(b"\"")
    });
    let value = tag.or_else(|| {
        let date = |name| httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok();
        let settled = date(DATE)?.duration_since(date(LAST_MODIFIED)?).ok()?;
        headers
            .get(LAST_MODIFIED)
            .filter(|_| settled >= Duration::from_secs(1))
    })?;
    Some(Validator {
        url: without_query(response.url()),
        coding: content::coding(headers),
        value: value.clone(),
    })
}
