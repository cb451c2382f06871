//! Why a delivery is refused.

use std::fmt;

use http::StatusCode;
use serde::Serialize;

/// Why a delivery was not accepted.
///
/// `Display` says what was wrong and what to do. It is meant for your log; a sender needs no more than
/// [`status`](Self::status). It holds no secret, no signature and nothing of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookError {
    kind: WebhookErrorKind,
    summary: String,
}

/// The kinds of refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WebhookErrorKind {
    /// One of the three headers of the scheme is not there. Not from the service, or something on the way drops headers.
    MissingHeader,
    /// One of the three headers is there twice or has a value that none of its kind can have.
    MalformedHeader,
    /// There are signatures, and all of them are of a version that is not known here.
    UnknownVersion,
    /// No secret fits: forged, changed on its way, or signed with a secret that you have not given.
    BadSignature,
    /// Authentic, and sent longer ago than is tolerated: very late, a replay, or a wrong clock.
    TooOld,
    /// Authentic, and from a time further ahead than is tolerated: a wrong clock.
    TooNew,
    /// The body is larger than the limit.
    BodyTooLarge,
    /// The body did not arrive whole, or is authentic and yet no task.
    BodyUnreadable,
    /// Authentic, and from a moment of which ids had to be forgotten, since more deliveries came than can be
    /// remembered: it might be a replay. A repetition by the service has a new timestamp and is accepted.
    ReplayWindowExceeded,
}

impl WebhookErrorKind {
    fn help(self) -> &'static str {
        match self {
            Self::MissingHeader | Self::MalformedHeader => {
                "if it came from the service, look for a proxy that drops or joins headers"
            }
            Self::UnknownVersion => {
                "if it came from the service, look for a newer version of this crate"
            }
            Self::BadSignature => {
                "if it came from the service, check the secret, and that the body is handed over as it came"
            }
            Self::TooOld | Self::TooNew => {
                "check the clock of this machine; polling tells what the delivery would have"
            }
            Self::BodyTooLarge => "if it came from the service, raise the limit of the inbox",
            Self::BodyUnreadable => "polling tells what the delivery would have",
            Self::ReplayWindowExceeded => "raise the number of deliveries that the inbox remembers",
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
            format!("the `{header}` header is there twice or cannot be read"),
        )
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        Self::new(
            WebhookErrorKind::BodyTooLarge,
            format!("the body is larger than {limit} bytes"),
        )
    }

    /// The kind of the refusal.
    pub fn kind(&self) -> WebhookErrorKind {
        self.kind
    }

    /// What was wrong, without the help.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// What to do about it.
    pub fn help(&self) -> &'static str {
        self.kind.help()
    }

    /// The HTTP status to respond with: 400 for a malformed delivery, 401 for an untrusted one, 413 for a body above the
    /// limit, and 503 if a repetition will be accepted.
    pub fn status(&self) -> u16 {
        self.status_code().as_u16()
    }

    pub(crate) fn status_code(&self) -> StatusCode {
        match self.kind {
            WebhookErrorKind::MissingHeader
            | WebhookErrorKind::MalformedHeader
            | WebhookErrorKind::UnknownVersion
            | WebhookErrorKind::BodyUnreadable => StatusCode::BAD_REQUEST,
            WebhookErrorKind::BadSignature | WebhookErrorKind::TooOld | WebhookErrorKind::TooNew => {
                StatusCode::UNAUTHORIZED
            }
            WebhookErrorKind::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            WebhookErrorKind::ReplayWindowExceeded => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl fmt::Display for WebhookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.summary, self.help())
    }
}

impl std::error::Error for WebhookError {}
