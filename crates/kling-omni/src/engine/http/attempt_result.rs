//! The result of one attempt, and what follows from it: an error, a charge, a retry.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use reqwest::ResponseBuilderExt as _;
use serde_json::Value;
use url::Url;

use crate::engine::error::{Charged, Error, ErrorKind};
use crate::engine::http::Http;
use crate::engine::http::Server;
use crate::engine::http::backoff::Backoff;
use crate::engine::http::{plan_limit, retry_headers, task_ids};
use crate::redact;
use crate::validation::InvalidParam;

/// Whether a call is idempotent, that is, what a second request would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Idempotency {
    /// Idempotent: a second request costs nothing and changes nothing.
    Read,
    /// Not idempotent: a second request pays for a second task, unless the first certainly created none.
    Create,
}

/// The result of one attempt.
pub(crate) enum AttemptResult {
    /// The response was received.
    Response(Response),
    /// The response began but did not complete.
    IncompleteResponse {
        status: StatusCode,
        headers: HeaderMap,
        /// The bytes received.
        body: Bytes,
        redirected: bool,
        error: reqwest::Error,
    },
    /// No response was received. The connection may not even have been established.
    NoResponse(reqwest::Error),
}

/// A response as it was received, with the JSON in its body.
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whether `body` is complete, and not truncated at the maximum size.
    pub(crate) complete: bool,
    /// Whether the body is JSON.
    pub(crate) is_json: bool,
    /// Whether the response comes from another URL than `url`.
    pub(crate) redirected: bool,
    /// The URL of the request.
    pub(crate) url: Url,
}

impl Response {
    fn is_good(&self) -> bool {
        self.status.is_success() && self.is_json && !self.redirected
    }
}

impl AttemptResult {
    pub(crate) fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Response(response) => Some(response.status),
            Self::IncompleteResponse { status, .. } => Some(*status),
            Self::NoResponse(_) => None,
        }
    }

    fn headers(&self) -> Option<&HeaderMap> {
        match self {
            Self::Response(response) => Some(&response.headers),
            Self::IncompleteResponse { headers, .. } => Some(headers),
            Self::NoResponse(_) => None,
        }
    }

    pub(crate) fn request_id(&self) -> Option<String> {
        self.headers().and_then(retry_headers::request_id)
    }

    /// Whether this is a 429 about the limit of a trial or a plan. Waiting does not help then, whatever the headers say.
    fn is_plan_limit(&self) -> bool {
        let (Self::Response(Response { status, body, .. })
        | Self::IncompleteResponse { status, body, .. }) = self
        else {
            return false;
        };
        *status == StatusCode::TOO_MANY_REQUESTS && plan_limit::is_reported(body)
    }

    /// The wait that the service requests.
    fn requested_wait(&self, http: &Http) -> Option<Duration> {
        if self.is_plan_limit() {
            return None;
        }
        let limited = self.status() == Some(StatusCode::TOO_MANY_REQUESTS);
        retry_headers::wait(self.headers()?, limited, http.clock.system_time())
    }

    /// The wait that the service requests, at most the maximum retry delay.
    pub(crate) fn requested_pause(&self, http: &Http) -> Option<Duration> {
        let wait = self.requested_wait(http)?;
        Some(wait.min(http.settings.max_retry_delay))
    }

    /// How long the service throttles further requests. A value above the maximum retry delay is ignored.
    pub(crate) fn throttled_for(&self, http: &Http) -> Option<Duration> {
        if self.is_plan_limit() {
            return None;
        }
        let limited = self.status() == Some(StatusCode::TOO_MANY_REQUESTS);
        retry_headers::throttled_for(self.headers()?, limited, http.clock.system_time())
            .filter(|pause| *pause <= http.settings.max_retry_delay)
    }

    /// The `error.type` of logs: the status, or the kind of the transport failure. `None` for a good response.
    pub(crate) fn error_type(&self) -> Option<Cow<'static, str>> {
        Some(match self {
            Self::Response(response) if response.is_good() => return None,
            Self::Response(response) if response.status.is_success() => "invalid_response".into(),
            Self::Response(response) => response.status.as_u16().to_string().into(),
            Self::IncompleteResponse { error, .. } | Self::NoResponse(error)
                if error.is_timeout() =>
            {
                "timeout".into()
            }
            Self::IncompleteResponse { .. } => "incomplete_response".into(),
            Self::NoResponse(error) if error.is_connect() => "connect".into(),
            Self::NoResponse(_) => "no_response".into(),
        })
    }

    /// Whether the same request may succeed if sent again.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            _ if self.is_plan_limit() => false,
            Self::Response(response) if response.is_good() => false,
            Self::Response(response) if response.status.is_success() => true,
            Self::Response(Response { status, .. }) | Self::IncompleteResponse { status, .. } => {
                status.is_success() || is_transient_status(*status)
            }
            Self::NoResponse(error) => !error.is_builder(),
        }
    }

    /// Whether the request certainly created no task: it was not sent, or the service rejected it. A rejection that names a
    /// task contradicts itself and does not count.
    fn certainly_created_nothing(&self, http: &Http) -> bool {
        match self {
            // A client that follows redirects may fail to connect after the service received the request.
            Self::NoResponse(error) => {
                http.is_own_client && (error.is_connect() || error.is_builder())
            }
            Self::Response(Response {
                status, redirected, ..
            })
            | Self::IncompleteResponse {
                status, redirected, ..
            } => !redirected && is_rejection(*status) && self.named_tasks().is_empty(),
        }
    }

    fn may_retry(&self, idempotency: Idempotency, http: &Http) -> bool {
        self.is_transient()
            && (idempotency == Idempotency::Read || self.certainly_created_nothing(http))
    }

    /// The ids of tasks in the response, which may be incomplete or of an unknown shape.
    fn named_tasks(&self) -> Vec<String> {
        match self {
            Self::Response(Response { body, .. }) | Self::IncompleteResponse { body, .. } => {
                task_ids::named_tasks(body)
            }
            Self::NoResponse(_) => Vec::new(),
        }
    }

    /// Whether the service itself responded with success.
    pub(crate) fn is_accepted(&self) -> bool {
        match self {
            Self::Response(Response {
                status, redirected, ..
            })
            | Self::IncompleteResponse {
                status, redirected, ..
            } => status.is_success() && !redirected,
            Self::NoResponse(_) => false,
        }
    }

    /// The delay before a retry, or `None` if the request must not be retried.
    pub(crate) fn retry_delay(
        &self,
        idempotency: Idempotency,
        backoff: &mut Backoff,
        http: &Http,
    ) -> Option<Duration> {
        if !self.may_retry(idempotency, http) {
            return None;
        }
        match self.requested_wait(http) {
            Some(wait) if wait > http.settings.max_retry_delay => None,
            // The jittered backoff on top spreads clients that were given the same time.
            Some(wait) => Some(wait + backoff.next_delay() / 4),
            None => Some(backoff.next_delay()),
        }
    }

    /// The error of this attempt, or `None` for a good response.
    pub(crate) fn to_error(
        &self,
        idempotency: Idempotency,
        attempts: u32,
        http: &Http,
        server: &Server,
    ) -> Option<Error> {
        let charged = match idempotency {
            Idempotency::Create if !self.certainly_created_nothing(http) => Charged::Unknown,
            _ => Charged::No,
        };
        let error = match self {
            Self::Response(response) if response.is_good() => return None,
            Self::Response(response) => error_from_status(response, idempotency, charged, http),
            Self::IncompleteResponse { error, .. } if error.is_timeout() => transport_error(
                charged,
                "the response was not complete within the time limit",
            ),
            Self::IncompleteResponse { .. } => transport_error(
                charged,
                "the connection was lost before the response was complete",
            ),
            Self::NoResponse(error) if error.is_connect() => Error::new(
                ErrorKind::Transport,
                charged,
                format!(
                    "could not connect to {}",
                    redact::RedactedUrl(&server.base_url)
                ),
            )
            .with_help("check the network, the base URL and any proxy"),
            Self::NoResponse(error) if error.is_timeout() => {
                transport_error(charged, "no response within the time limit")
            }
            Self::NoResponse(_) => {
                transport_error(charged, "the connection was lost before a response")
            }
        };
        let wait = self.requested_wait(http);
        let mut error = error
            .with_status(self.status())
            .with_request_id(self.request_id())
            .with_retry_after(wait)
            .with_retryable(self.may_retry(idempotency, http));
        if let Some(wait) = wait.filter(|_| charged == Charged::No) {
            error = error.with_help(format!("retry in {} s", retry_headers::whole_seconds(wait)));
        }
        if attempts > 1 {
            error = error.with_attempts(attempts);
        }
        match self {
            Self::NoResponse(source) | Self::IncompleteResponse { error: source, .. } => {
                Some(error.with_source(Cause::new(source)))
            }
            Self::Response(_) => Some(error),
        }
    }

    /// Converts to the response as it was received, or to the error of a transport failure.
    #[cfg(feature = "raw")]
    pub(crate) fn into_response(self) -> reqwest::Result<reqwest::Response> {
        match self {
            Self::Response(response) => {
                let mut built = build_response(response.status, response.url, response.body);
                *built.headers_mut() = response.headers;
                Ok(built)
            }
            Self::IncompleteResponse { error, .. } | Self::NoResponse(error) => {
                Err(error.without_url())
            }
        }
    }
}

/// Builds a response without headers, for the generated code.
pub(crate) fn build_response(status: StatusCode, url: Url, body: Bytes) -> reqwest::Response {
    // Without a URL, reqwest would parse a placeholder.
    let response = http::Response::builder().status(status).url(url);
    response.body(body).unwrap_or_default().into()
}

/// Whether a status means that the request was rejected before any work.
///
/// Other statuses of the class may follow some work: a proxy that timed out sends 408 or 499, a request that was forwarded
/// twice gets 409, and undefined statuses may have any cause.
fn is_rejection(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        400..=405 | 407 | 410..=417 | 421 | 422 | 425 | 426 | 428 | 429 | 431 | 451
    )
}

fn is_transient_status(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
        )
}

/// The chain of causes of a transport failure, as text. reqwest's own error prints URLs.
#[derive(Debug)]
struct Cause(String);

impl Cause {
    fn new(error: &reqwest::Error) -> Self {
        let mut causes = Vec::new();
        let mut next = std::error::Error::source(error);
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        causes.dedup();
        if causes.is_empty() {
            causes.push("no cause given".to_owned());
        }
        Self(redact::sanitize(&causes.join(": "), ""))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Cause {}

fn transport_error(charged: Charged, what: &str) -> Error {
    Error::new(ErrorKind::Transport, charged, what)
}

fn error_from_status(
    response: &Response,
    idempotency: Idempotency,
    charged: Charged,
    http: &Http,
) -> Error {
    let status = response.status;
    let (kind, what, help) = match status.as_u16() {
        _ if response.redirected || status.is_redirection() => (
            ErrorKind::UnexpectedResponse,
            "the service redirected to another URL",
            Some("check the base URL"),
        ),
        200..=299 if !response.complete => (
            ErrorKind::UnexpectedResponse,
            "the response of the service exceeds the maximum size",
            None,
        ),
        200..=299 => (
            ErrorKind::UnexpectedResponse,
            "the response of the service is not JSON",
            Some("check the base URL: a proxy or a web server may have responded"),
        ),
        401 => (
            ErrorKind::Authentication,
            "the service rejected the API key",
            Some("check that the key is complete and belongs to this host"),
        ),
        402 => (
            ErrorKind::InsufficientCredits,
            "the account is out of credits",
            Some("add credits to the account"),
        ),
        403 => (
            ErrorKind::Permission,
            "the API key is not permitted to do this",
            Some("check that the account is not suspended, and that its plan includes this"),
        ),
        404 | 405 | 410 => {
            let what = match idempotency {
                Idempotency::Create => "the service does not have this route",
                Idempotency::Read => "the service has no such task or route",
            };
            (ErrorKind::NotFound, what, None)
        }
        429 if plan_limit::is_reported(&response.body) => (
            ErrorKind::PlanLimit,
            "the trial or plan of the account has reached its limit",
            Some("upgrade the plan or add credits, because waiting does not help"),
        ),
        429 => (ErrorKind::RateLimited, "rate limit exceeded", None),
        408 | 500..=599 => (ErrorKind::Server, "the service failed", None),
        _ if is_rejection(status) => (
            ErrorKind::InvalidRequest,
            "the service rejected the request",
            None,
        ),
        _ => (
            ErrorKind::UnexpectedResponse,
            "the service responded with an undocumented status",
            None,
        ),
    };
    let (message, invalid_params) = service_message(response, http.key.expose());
    let mut summary = format!("{what} ({status}{})", describe_body(response));
    if !message.is_empty() {
        summary.push_str(": ");
        summary.push_str(&message);
    }
    for param in &invalid_params {
        summary.push_str(&format!(", {}: {}", param.name, param.reason));
    }
    let error = Error::new(kind, charged, summary)
        .with_invalid_params(invalid_params)
        .with_service_message(!message.is_empty());
    match help {
        Some(help) => error.with_help(help),
        None => error,
    }
}

/// Describes a body without a message of the service.
fn describe_body(response: &Response) -> String {
    match response.body.len() {
        0 => ", empty body".to_owned(),
        length if !response.is_json => format!(", {length} bytes that are not JSON"),
        _ => String::new(),
    }
}

/// Reads the message of the service and the parameters that it names, by `name` or `field`, in any of the three documented
/// forms. The texts are sanitized.
fn service_message(response: &Response, key: &str) -> (String, Vec<InvalidParam>) {
    let Ok(body) = serde_json::from_slice::<Value>(&response.body) else {
        return (String::new(), Vec::new());
    };
    let body = body.get("problem").unwrap_or(&body);
    let text = |value: Option<&Value>| {
        let text = value.and_then(Value::as_str).unwrap_or_default();
        redact::sanitize(text, key)
    };
    let params = body.get("invalid_params").and_then(Value::as_array);
    let params = params
        .into_iter()
        .flatten()
        .filter_map(|param| {
            let name = [param.get("name"), param.get("field")];
            let name = name.into_iter().flatten().find(|name| name.is_string())?;
            Some(InvalidParam::new(
                text(Some(name)),
                text(param.get("reason")),
            ))
        })
        .collect();
    (text(body.get("message")), params)
}
