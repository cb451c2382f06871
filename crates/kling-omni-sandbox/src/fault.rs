//! Faults on request: what can go wrong, when it does, and the one place on each side where it acts.

mod answer;
mod body;
mod rules;
mod text;
mod when;

use std::time::Duration;

use http::StatusCode;

pub(crate) use answer::Strike;
pub(crate) use rules::{Faults, Spot};
pub use when::{FaultRule, InvalidFault, Place, When};

/// What goes wrong with a request, its answer or a webhook.
///
/// Its text, and in `Debug` the same without secrets, is what stands in a [`FaultRule`] between
/// the place and the conditions.
///
/// ```
/// use kling_omni_sandbox::Fault;
///
/// let fault: Fault = "slow-body=2s".parse()?;
/// assert_eq!(fault, Fault::SlowBody(std::time::Duration::from_secs(2)));
/// assert_eq!(fault.to_string(), "slow-body=2s");
/// # Ok::<(), kling_omni_sandbox::InvalidFault>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// `lost`: nothing is done, and the connection is closed without an answer. A webhook is not sent.
    Lost,
    /// `drop`: the request is carried out, a task made and charged, and the connection closed without an answer.
    Drop,
    /// `hang`: the request is carried out, and the answer never comes. It ends with the connection, or the sandbox.
    Hang,
    /// `CODE`, `accept-CODE`, `CODE-html`, each with `=RETRY-AFTER` if need be: an error as the answer.
    Status {
        /// 400 to 599.
        code: StatusCode,
        /// Whether the request is carried out before, so that a task is made and charged.
        accepted: bool,
        /// Whether the body is a page, as gateways have it, in place of JSON.
        html: bool,
        /// The `Retry-After` of the answer, as it is sent.
        retry_after: Option<String>,
    },
    /// `slow-headers=TIME`: the answer begins this much later, by the sandbox's clock.
    SlowHeaders(Duration),
    /// `slow-body=TIME`: the body comes in eight pieces, this long after each other by the sandbox's clock.
    SlowBody(Duration),
    /// `truncate` or `truncate=BYTES`: only so much of the body, half of it by default, as if that were all.
    Truncate(Option<u64>),
    /// `cut` or `cut=BYTES`: the connection is closed after so much of the body, half of it by default. At the storage
    /// host it is the body of the request.
    Cut(Option<u64>),
    /// `length=NUMBER`: `Content-Length` is off by so much.
    Length(i64),
    /// `oversize=BYTES`: the body is filled up with blanks to this size and announces none.
    Oversize(u64),
    /// `content-type=TYPE`: the answer calls itself something else.
    ContentType(String),
    /// `redirect` or `redirect=URL`: a 307 in place of the answer, by default to the same port under another name of
    /// this machine. Nothing is done.
    Redirect(Option<String>),
    /// `unknown-status=NAME`: tasks are shown with this status.
    UnknownStatus(String),
    /// `null=FIELD`: a field of the task, or `data` itself, is `null`; of places for uploads, `files` and what is in it.
    Null(String),
    /// `missing=FIELD`: the same, and the field is not there.
    Missing(String),
    /// `empty`: the task is shown without result URLs.
    Empty,
    /// `expired-url`: the result URLs, or those of places for uploads, have expired already.
    ExpiredUrl,
    /// `fresh-url`: the result URLs are signed anew, for a whole lifetime from now.
    FreshUrl,
    /// `epoch-reset`: `x-ratelimit-reset` is a point in time, seconds since 1970, in place of a span.
    EpochReset,
    /// `duplicate`: a webhook comes twice, byte for byte.
    Duplicate,
    /// `late=TIME`: a webhook comes this much later, by the sandbox's clock, and does not hold up the next.
    Late(Duration),
    /// `reordered`: a webhook comes after the next one of its task; after the last there is none, and it comes as usual.
    Reordered,
    /// `forged`: before the webhook comes one that tells of a failure and is signed with a wrong secret.
    Forged,
    /// `replay=TIME`: a webhook comes a second time so much later, by the sandbox's clock, with its old timestamp.
    Replay(Duration),
    /// `rotated=SECRET`: a webhook is signed with this secret; `rotating=SECRET`: with this one and the usual one.
    Rotated {
        /// The new secret, in the form of [`webhook_secret`](crate::SandboxBuilder::webhook_secret).
        secret: String,
        /// Whether the usual secret signs as well.
        both: bool,
    },
}

impl Fault {
    /// Whether it takes the place of the work, so that nothing is done.
    fn refuses(&self) -> bool {
        matches!(
            self,
            Self::Lost
                | Self::Redirect(_)
                | Self::Status {
                    accepted: false,
                    ..
                }
        )
    }

    /// Whether it can happen at `place`.
    fn suits(&self, place: &Place) -> bool {
        match self {
            Self::Lost => true,
            Self::Duplicate
            | Self::Late(_)
            | Self::Reordered
            | Self::Forged
            | Self::Replay(_)
            | Self::Rotated { .. } => *place == Place::Webhook,
            Self::Null(_) | Self::Missing(_) | Self::ExpiredUrl | Self::EpochReset => {
                !matches!(place, Place::Webhook | Place::Result | Place::Storage)
            }
            Self::UnknownStatus(_) | Self::Empty | Self::FreshUrl => !matches!(
                place,
                Place::Webhook | Place::Result | Place::Storage | Place::Upload
            ),
            _ => *place != Place::Webhook,
        }
    }
}
