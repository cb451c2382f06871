//! The result of one attempt, and what it means for the caller: an error, a charge, a retry.

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

/// What a repetition of a request would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Idempotency {
    /// Nothing that lasts or costs: it may be repeated at will.
    Read,
    /// Pay for a second task, unless the first attempt certainly made none.
    Create,
}

/// How one attempt ended.
pub(crate) enum AttemptResult {
    /// The service answered.
    Reply(Reply),
    /// The service began to answer and did not finish.
    BrokenReply {
        status: StatusCode,
        headers: HeaderMap,
        /// What came of it.
        body: Bytes,
        redirected: bool,
        error: reqwest::Error,
    },
    /// There was no answer, perhaps not even a connection.
    NoReply(reqwest::Error),
}

pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whether `body` is all of it, and not cut off for its size.
    pub(crate) complete: bool,
    /// Whether that is JSON.
    pub(crate) is_json: bool,
    /// Whether the answer comes from another URL than the one that was asked.
    pub(crate) redirected: bool,
    /// The one that was asked.
    pub(crate) url: Url,
}

impl Reply {
    fn is_good(&self) -> bool {
        self.status.is_success() && self.is_json && !self.redirected
    }
}

impl AttemptResult {
    pub(crate) fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Reply(reply) => Some(reply.status),
            Self::BrokenReply { status, .. } => Some(*status),
            Self::NoReply(_) => None,
        }
    }

    fn headers(&self) -> Option<&HeaderMap> {
        match self {
            Self::Reply(reply) => Some(&reply.headers),
            Self::BrokenReply { headers, .. } => Some(headers),
            Self::NoReply(_) => None,
        }
    }

    pub(crate) fn request_id(&self) -> Option<String> {
        self.headers().and_then(retry_headers::request_id)
    }

    /// Whether it is a 429 about the limit of a trial or a plan: a wait is of no use, whatever the headers say.
    fn is_plan_limit(&self) -> bool {
        let (Self::Reply(Reply { status, body, .. }) | Self::BrokenReply { status, body, .. }) =
            self
        else {
            return false;
        };
        *status == StatusCode::TOO_MANY_REQUESTS && plan_limit::is_told(body)
    }

    /// How long the service asks to wait, if it does.
    fn hint(&self, http: &Http) -> Option<Duration> {
        if self.is_plan_limit() {
            return None;
        }
        let limited = self.status() == Some(StatusCode::TOO_MANY_REQUESTS);
        retry_headers::wait(self.headers()?, limited, http.clock.system_time())
    }

    /// How long the service asks to wait, as far as it can be believed.
    pub(crate) fn requested_pause(&self, http: &Http) -> Option<Duration> {
        let hint = self.hint(http)?;
        Some(hint.min(http.settings.max_retry_delay))
    }

    /// How long the service takes no further requests, as far as it says so and can be believed.
    pub(crate) fn hold(&self, http: &Http) -> Option<Duration> {
        if self.is_plan_limit() {
            return None;
        }
        let limited = self.status() == Some(StatusCode::TOO_MANY_REQUESTS);
        retry_headers::hold(self.headers()?, limited, http.clock.system_time())
            .filter(|hold| *hold <= http.settings.max_retry_delay)
    }

    /// Whether the same request may succeed when sent again, whatever it does.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            _ if self.is_plan_limit() => false,
            Self::Reply(reply) if reply.is_good() => false,
            Self::Reply(reply) if reply.status.is_success() => true,
            Self::Reply(Reply { status, .. }) | Self::BrokenReply { status, .. } => {
                status.is_success() || is_transient_status(*status)
            }
            Self::NoReply(error) => !error.is_builder(),
        }
    }

    /// Whether the request certainly made no task: it never left, or the service refused it. A refusal that names a task
    /// contradicts itself.
    fn is_without_effect(&self, http: &Http) -> bool {
        match self {
            // A client that follows redirects fails to connect after the service has long had the request.
            Self::NoReply(error) => {
                http.is_own_client && (error.is_connect() || error.is_builder())
            }
            Self::Reply(Reply {
                status, redirected, ..
            })
            | Self::BrokenReply {
                status, redirected, ..
            } => !redirected && is_refusal(*status) && self.named_tasks().is_empty(),
        }
    }

    fn may_repeat(&self, effect: Idempotency, http: &Http) -> bool {
        self.is_transient() && (effect == Idempotency::Read || self.is_without_effect(http))
    }

    /// The ids of tasks in the answer, even if the rest of it is of no known shape or did not come.
    fn named_tasks(&self) -> Vec<String> {
        match self {
            Self::Reply(Reply { body, .. }) | Self::BrokenReply { body, .. } => {
                task_ids::named_tasks(body)
            }
            Self::NoReply(_) => Vec::new(),
        }
    }

    /// Whether the service itself answered with success.
    pub(crate) fn is_accepted(&self) -> bool {
        match self {
            Self::Reply(Reply {
                status, redirected, ..
            })
            | Self::BrokenReply {
                status, redirected, ..
            } => status.is_success() && !redirected,
            Self::NoReply(_) => false,
        }
    }

    /// The pause before the next attempt; `None` if there should be none.
    pub(crate) fn wait_before_retry(
        &self,
        effect: Idempotency,
        backoff: &mut Backoff,
        http: &Http,
    ) -> Option<Duration> {
        if !self.may_repeat(effect, http) {
            return None;
        }
        match self.hint(http) {
            Some(hint) if hint > http.settings.max_retry_delay => None,
            // The backoff on top keeps clients that were told the same moment from coming back at once.
            Some(hint) => Some(hint + backoff.next_pause() / 4),
            None => Some(backoff.next_pause()),
        }
    }

    /// What the caller is told; `None` for a good answer.
    pub(crate) fn to_error(
        &self,
        effect: Idempotency,
        attempts: u32,
        http: &Http,
        server: &Server,
    ) -> Option<Error> {
        let charged = match effect {
            Idempotency::Create if !self.is_without_effect(http) => Charged::Unknown,
            _ => Charged::No,
        };
        let error = match self {
            Self::Reply(reply) if reply.is_good() => return None,
            Self::Reply(reply) => refused(reply, effect, charged, http),
            Self::BrokenReply { error, .. } if error.is_timeout() => {
                lost(charged, "the answer was not complete within the time limit")
            }
            Self::BrokenReply { .. } => lost(
                charged,
                "the connection was lost before the answer was complete",
            ),
            Self::NoReply(error) if error.is_connect() => Error::new(
                ErrorKind::Transport,
                charged,
                format!("no connection to {}", redact::RedactedUrl(&server.base_url)),
            )
            .with_help("check the network, the base URL and any proxy"),
            Self::NoReply(error) if error.is_timeout() => {
                lost(charged, "there was no answer within the time limit")
            }
            Self::NoReply(_) => lost(
                charged,
                "the connection was lost before there was an answer",
            ),
        };
        let hint = self.hint(http);
        let mut error = error
            .with_status(self.status())
            .with_request_id(self.request_id())
            .with_retry_after(hint)
            .with_retryable(self.may_repeat(effect, http));
        if let Some(hint) = hint.filter(|_| charged == Charged::No) {
            error = error.with_help(format!(
                "try again in {} s",
                retry_headers::whole_seconds(hint)
            ));
        }
        if attempts > 1 {
            error = error.with_attempts(attempts);
        }
        match self {
            Self::NoReply(source) | Self::BrokenReply { error: source, .. } => {
                Some(error.with_source(Cause::of(source)))
            }
            Self::Reply(_) => Some(error),
        }
    }

    /// The answer as it came; a failure without any answer stays one.
    #[cfg(feature = "raw")]
    pub(crate) fn into_response(self) -> reqwest::Result<reqwest::Response> {
        match self {
            Self::Reply(reply) => {
                let mut response = response(reply.status, reply.url, reply.body);
                *response.headers_mut() = reply.headers;
                Ok(response)
            }
            Self::BrokenReply { error, .. } | Self::NoReply(error) => Err(error.without_url()),
        }
    }
}

/// An answer without headers, for the generated code to read.
pub(crate) fn response(status: StatusCode, url: Url, body: Bytes) -> reqwest::Response {
    // Without a URL, the HTTP stack would parse one that stands for none.
    let response = http::Response::builder().status(status).url(url);
    response.body(body).unwrap_or_default().into()
}

impl fmt::Display for AttemptResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply(reply) => write!(f, "status {}", reply.status.as_u16()),
            Self::BrokenReply { status, .. } => {
                write!(f, "status {}, then a broken body", status.as_u16())
            }
            Self::NoReply(error) if error.is_connect() => f.write_str("no connection"),
            Self::NoReply(error) if error.is_timeout() => f.write_str("no answer in time"),
            Self::NoReply(_) => f.write_str("no answer"),
        }
    }
}

/// Whether a status says that the request was turned away before any work.
///
/// The others of its class may come after it: 408 and 499 when someone on the way lost patience, 409 when the request was
/// sent on twice, and what nobody has defined for whatever reason.
fn is_refusal(status: StatusCode) -> bool {
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

/// The chain of causes behind a transport failure, as text: the HTTP stack's own error prints URLs.
#[derive(Debug)]
struct Cause(String);

impl Cause {
    fn of(error: &reqwest::Error) -> Self {
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

fn lost(charged: Charged, what: &str) -> Error {
    Error::new(ErrorKind::Transport, charged, what)
}

fn refused(reply: &Reply, effect: Idempotency, charged: Charged, http: &Http) -> Error {
    let status = reply.status;
    let (kind, what, advice) = match status.as_u16() {
        _ if reply.redirected || status.is_redirection() => (
            ErrorKind::UnexpectedResponse,
            "the service redirected to another URL, which is not followed",
            Some("check the base URL"),
        ),
        200..=299 if !reply.complete => (
            ErrorKind::UnexpectedResponse,
            "the service answered a body larger than this client reads",
            None,
        ),
        200..=299 => (
            ErrorKind::UnexpectedResponse,
            "the service answered something that is not JSON",
            Some("check the base URL: a proxy or a web page may have answered"),
        ),
        401 => (
            ErrorKind::Authentication,
            "the service refused the API key",
            Some("check that the key is complete and belongs to this host"),
        ),
        402 => (
            ErrorKind::InsufficientCredits,
            "the account is out of credits",
            Some("add credits to the account"),
        ),
        403 => (
            ErrorKind::Permission,
            "the service does not allow this to the API key",
            Some("check that the account is not suspended, and that its plan includes this"),
        ),
        404 | 405 | 410 => {
            let what = match effect {
                Idempotency::Create => "the service does not know this route",
                Idempotency::Read => "the service does not know what was asked for",
            };
            (ErrorKind::NotFound, what, None)
        }
        429 if plan_limit::is_told(&reply.body) => (
            ErrorKind::PlanLimit,
            "the account's trial or plan has reached its limit",
            Some("waiting does not help: upgrade the plan or add credits"),
        ),
        429 => (ErrorKind::RateLimited, "the rate limit is used up", None),
        408 | 500..=599 => (ErrorKind::Server, "the service failed", None),
        _ if is_refusal(status) => (
            ErrorKind::InvalidRequest,
            "the service refused the request",
            None,
        ),
        _ => (
            ErrorKind::UnexpectedResponse,
            "the service answered a status that it does not document",
            None,
        ),
    };
    let (said, invalid_params) = said(reply, http.key.expose());
    let mut summary = format!("{what} ({status}{})", unreadable(reply));
    if !said.is_empty() {
        summary.push_str(": ");
        summary.push_str(&said);
    }
    for param in &invalid_params {
        summary.push_str(&format!("; {}: {}", param.name, param.reason));
    }
    let error = Error::new(kind, charged, summary)
        .with_invalid_params(invalid_params)
        .with_words(!said.is_empty());
    match advice {
        Some(advice) => error.with_help(advice),
        None => error,
    }
}

/// What stands in place of the service's own words where the body has none.
fn unreadable(reply: &Reply) -> String {
    match reply.body.len() {
        0 => ", empty body".to_owned(),
        length if !reply.is_json => format!(", {length} bytes that are no JSON"),
        _ => String::new(),
    }
}

/// The service's own words, as far as they are fit to be shown: a message, and the parameters that it names, by `name` or
/// `field`. The three documented forms are read, and whatever of them an odd body has.
fn said(reply: &Reply, key: &str) -> (String, Vec<InvalidParam>) {
    let Ok(body) = serde_json::from_slice::<Value>(&reply.body) else {
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
