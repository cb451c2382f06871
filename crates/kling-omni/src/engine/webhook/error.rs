//! The errors of rejected deliveries.

use std::fmt;

use http::StatusCode;
use serde::Serialize;

/// Why a delivery was rejected.
///
/// `Display` is one clause for your log. The sender needs only [`status`](Self::status). Contains no secret, no signature and
/// nothing of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookError {
    kind: WebhookErrorKind,
    summary: String,
}

/// The kinds of webhook errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WebhookErrorKind {
    /// A header of the scheme is missing. The request is not from the service, or a proxy drops headers.
    MissingHeader,
    /// A header of the scheme is duplicate or has an invalid value.
    MalformedHeader,
    /// All signatures have a version that this crate does not know.
    UnknownVersion,
    /// No secret matches the signature: the delivery is forged, was changed, or was signed with an unknown secret.
    BadSignature,
    /// Authentic, but older than the tolerance: very late, a replay, or a wrong clock.
    TooOld,
    /// Authentic, but further in the future than the tolerance: a wrong clock.
    TooNew,
    /// The body is larger than the limit.
    BodyTooLarge,
    /// The body did not arrive completely, or is authentic but not a task.
    BodyUnreadable,
    /// Authentic, but not younger than evicted ids, because more deliveries came than can be remembered: it might be a replay.
    /// A repetition by the service has a new timestamp and is accepted.
    ReplayWindowExceeded,
}

impl WebhookErrorKind {
    fn help(self) -> &'static str {
        match self {
            Self::MissingHeader | Self::MalformedHeader => {
                "check for a proxy that drops or joins headers if the request came from the service"
            }
            Self::UnknownVersion => {
                "check for a newer version of this crate if the request came from the service"
            }
            Self::BadSignature => "check the secret, and that the body is passed on unchanged",
            Self::TooOld | Self::TooNew => {
                "check the clock of this machine, and rely on polling for this state"
            }
            Self::BodyTooLarge => {
                "raise `max_body_size` of the receiver if the request came from the service"
            }
            Self::BodyUnreadable => "rely on polling for this state",
            Self::ReplayWindowExceeded => "raise `dedup_capacity` of the receiver",
        }
    }
}

impl WebhookError {
    pub(crate) fn new(kind: WebhookErrorKind, summary: impl Into<String>) -> Self {
        Self {
            kind,
            summary: summary.into(),
        }
    }

    pub(crate) fn malformed(header: &str) -> Self {
        Self::new(
            WebhookErrorKind::MalformedHeader,
            format!("the `{header}` header is duplicate or invalid"),
        )
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        Self::new(
            WebhookErrorKind::BodyTooLarge,
            format!("the body is too large (limit {limit} bytes)"),
        )
    }

    /// The kind of the error.
    pub fn kind(&self) -> WebhookErrorKind {
        self.kind
    }

    /// What was wrong. `Display` writes the same.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// What to do about the error, as an imperative clause.
    pub fn help(&self) -> &'static str {
        self.kind.help()
    }

    /// The HTTP status to respond with: 400 for a malformed delivery, 401 for an untrusted one, 413 for a body above the limit,
    /// and 503 if a repetition will be accepted.
    pub fn status(&self) -> u16 {
        self.status_code().as_u16()
    }

    pub(crate) fn status_code(&self) -> StatusCode {
        match self.kind {
            WebhookErrorKind::MissingHeader
            | WebhookErrorKind::MalformedHeader
            | WebhookErrorKind::UnknownVersion
            | WebhookErrorKind::BodyUnreadable => StatusCode::BAD_REQUEST,
            WebhookErrorKind::BadSignature
            | WebhookErrorKind::TooOld
            | WebhookErrorKind::TooNew => StatusCode::UNAUTHORIZED,
            WebhookErrorKind::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            WebhookErrorKind::ReplayWindowExceeded => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl fmt::Display for WebhookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary)
    }
}

impl std::error::Error for WebhookError {}
