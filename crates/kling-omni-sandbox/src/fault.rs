//! Faults on request: what can go wrong.

mod escape;
mod rule;
mod text;

use std::time::Duration;

use http::StatusCode;
use kling_omni_api::Role;

pub use rule::{FaultMatcher, FaultRule, FaultTarget, InvalidFault};

/// What goes wrong with a request, its answer or a webhook.
///
/// Its text, and in `Debug` the same without secrets, is what stands in a [`FaultRule`] between
/// the target and the conditions.
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
    /// `content-encoding=TOKEN`: the answer names this content coding. With `gzip` or `deflate` the body has it; with any
    /// other token, or an empty one, the body stays as it is.
    ContentEncoding(String),
    /// `header=LINE`: a line in the head of the answer, with the escapes of [`Prefix`](Self::Prefix). A well-formed one
    /// takes the place of the header of its name; any other, folded ones included, is sent byte for byte.
    Header(Vec<u8>),
    /// `success=CODE`: the answer has this status, from 200 to 299, and otherwise stays as it is.
    Success(StatusCode),
    /// `bom`: the body begins with a byte order mark, `EF BB BF`.
    Bom,
    /// `prefix=TEXT`: these bytes come before the body, as in `)]}',\n`. The text has the escapes `\r`, `\n`, `\t`,
    /// `\\`, `\xNN` for a byte and `\u{N}` for a character.
    Prefix(Vec<u8>),
    /// `body=TEXT`: these bytes take the place of the body, whatever the status is; with the same escapes.
    Body(Vec<u8>),
    /// `message=TEXT`: an error of the API says this; with the same escapes.
    Message(String),
    /// `drip=BYTES/TIME`: the body comes forward by so many bytes, so long after each other by the sandbox's clock.
    Drip {
        /// At least 1.
        bytes: u64,
        /// The time before each piece.
        every: Duration,
    },
    /// `plan-limit`: a 429 that speaks of the limit of a trial or a plan. Nothing is done.
    PlanLimit,
    /// `has-more`: a list says that there is more of it.
    HasMore,
    /// `hide-newest=NUMBER`: so many of the newest rows are missing on a page of a list.
    HideNewest(u64),
    /// `id=TEXT`: a created task has this id, with a number behind it where another has it already; with the escapes of
    /// [`Prefix`](Self::Prefix).
    Id(String),
    /// `lenient`: a create that breaks the schema makes a task all the same, and is charged. What cannot be used of it
    /// is taken as if it were not there.
    Lenient,
    /// `silent-failure` or `silent-failure=TIME`: a created task ends in `FAILED` after 3 seconds or this time, and gives
    /// no reason.
    SilentFailure(Option<Duration>),
    /// `moderated`: a created task ends in `COMPLETED` without a result URL, as one that the content filter stopped.
    Moderated,
    /// `redirect` or `redirect=URL`: a 307 in place of the answer, by default to the same port under another name of
    /// this machine. Nothing is done.
    Redirect(Option<String>),
    /// `unknown-status=NAME`: tasks are shown with this status.
    UnknownStatus(String),
    /// `null=FIELD`: a field of the task, or `data` itself, is `null`; of upload slots, `files` and what is in it.
    Null(String),
    /// `missing=FIELD`: the same, and the field is not there.
    Missing(String),
    /// `empty`: the task is shown without result URLs.
    Empty,
    /// `expired-url`: the result URLs, or those of upload slots, have expired already.
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
    pub(crate) fn refuses(&self) -> bool {
        matches!(
            self,
            Self::Lost
                | Self::PlanLimit
                | Self::Redirect(_)
                | Self::Status {
                    accepted: false,
                    ..
                }
        )
    }

    /// Whether it can happen at `target`.
    fn suits(&self, target: &FaultTarget) -> bool {
        match self {
            Self::Lost => true,
            Self::Duplicate
            | Self::Late(_)
            | Self::Reordered
            | Self::Forged
            | Self::Replay(_)
            | Self::Rotated { .. } => *target == FaultTarget::Webhook,
            Self::Null(_) | Self::Missing(_) | Self::ExpiredUrl | Self::EpochReset => !matches!(
                target,
                FaultTarget::Webhook | FaultTarget::Result | FaultTarget::Storage
            ),
            Self::UnknownStatus(_) | Self::Empty | Self::FreshUrl => !matches!(
                target,
                FaultTarget::Webhook
                    | FaultTarget::Result
                    | FaultTarget::Storage
                    | FaultTarget::Upload
            ),
            Self::PlanLimit | Self::Message(_) => !matches!(
                target,
                FaultTarget::Webhook | FaultTarget::Result | FaultTarget::Storage
            ),
            Self::HasMore | Self::HideNewest(_) => {
                target.may_be(FaultTarget::List, |role| matches!(role, Role::List(_)))
            }
            Self::Id(_) | Self::Lenient | Self::SilentFailure(_) | Self::Moderated => {
                target.may_be(FaultTarget::Create, Role::is_paid)
            }
            _ => *target != FaultTarget::Webhook,
        }
    }
}
