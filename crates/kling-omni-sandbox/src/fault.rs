//! The faults that a sandbox can inject.

mod escape;
mod rule;
mod text;

use std::time::Duration;

use http::StatusCode;
use kling_omni_api::Role;

pub use rule::{FaultMatcher, FaultRule, FaultTarget, InvalidFault};

/// A fault of a request, a response or a webhook.
///
/// The text form is the part of a [`FaultRule`] between the target and the conditions. `Debug` shows it without secrets.
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
    /// `lost`: the request is not executed, and the connection is closed without a response. A webhook is not sent.
    Lost,
    /// `drop`: the request is executed and charged, and the connection is closed without a response.
    Drop,
    /// `hang`: the request is executed and charged, and no response is sent until the connection is closed or the sandbox
    /// stops.
    Hang,
    /// `CODE`, `accept-CODE`, `CODE-html`, each optionally with `=RETRY-AFTER`: an error response.
    Status {
        /// The status, from 400 to 599.
        code: StatusCode,
        /// Whether the request is executed and charged before.
        accepted: bool,
        /// Whether the body is HTML, as from a gateway, instead of JSON.
        html: bool,
        /// The `Retry-After` of the response.
        retry_after: Option<String>,
    },
    /// `slow-headers=TIME`: the response starts after this delay, by the sandbox's clock.
    SlowHeaders(Duration),
    /// `slow-body=TIME`: the body is sent in eight chunks, with this delay before each, by the sandbox's clock.
    SlowBody(Duration),
    /// `truncate` or `truncate=BYTES`: the body is truncated to this size, by default to half, with a matching
    /// `Content-Length`.
    Truncate(Option<u64>),
    /// `cut` or `cut=BYTES`: the connection is closed after this many bytes of the body, by default after half. At the
    /// storage host, this is the body of the request.
    Cut(Option<u64>),
    /// `length=NUMBER`: this number is added to `Content-Length`.
    Length(i64),
    /// `oversize=BYTES`: the body is padded with spaces to this size, without a `Content-Length`.
    Oversize(u64),
    /// `content-type=TYPE`: the response has this content type.
    ContentType(String),
    /// `content-encoding=TOKEN`: the response has this content coding. `gzip` and `deflate` encode the body; any other
    /// token, or an empty one, leaves it unchanged.
    ContentEncoding(String),
    /// `header=LINE`: a header line of the response, with the escapes of [`Prefix`](Self::Prefix). A valid one replaces
    /// the header of its name; any other, also a folded one, is sent byte for byte.
    Header(Vec<u8>),
    /// `success=CODE`: the response has this status, from 200 to 299, and is otherwise unchanged.
    Success(StatusCode),
    /// `bom`: the body starts with a byte order mark, `EF BB BF`.
    Bom,
    /// `prefix=TEXT`: the body starts with these bytes, such as `)]}',\n`. The text may contain the escapes `\r`, `\n`,
    /// `\t`, `\\`, `\xNN` for a byte and `\u{N}` for a character.
    Prefix(Vec<u8>),
    /// `body=TEXT`: these bytes replace the body, with any status; with the same escapes.
    Body(Vec<u8>),
    /// `message=TEXT`: an error of the API has this message; with the same escapes.
    Message(String),
    /// `drip=BYTES/TIME`: the body is sent in chunks of this size, with this delay before each, by the sandbox's clock.
    Drip {
        /// The size of a chunk, at least 1.
        bytes: u64,
        /// The delay before each chunk.
        every: Duration,
    },
    /// `plan-limit`: a 429 with a message about the limit of a trial or a plan. The request is not executed.
    PlanLimit,
    /// `has-more`: a list has `"has_more": true`.
    HasMore,
    /// `hide-newest=NUMBER`: a page of a list lacks this many of its newest rows.
    HideNewest(u64),
    /// `id=TEXT`: a created task has this id, with a number appended if another task has it; with the escapes of
    /// [`Prefix`](Self::Prefix).
    Id(String),
    /// `lenient`: an invalid create is executed and charged. Its invalid fields are ignored.
    Lenient,
    /// `silent-failure` or `silent-failure=TIME`: a created task fails without a reason after this time, by default after
    /// 3 seconds.
    SilentFailure(Option<Duration>),
    /// `moderated`: a created task completes without a result URL, as if a content filter had rejected it.
    Moderated,
    /// `clip-seconds=NUMBER`: the video of a created task has this length, from 1 to 60 seconds.
    ClipSeconds(u32),
    /// `clip-size=WIDTHxHEIGHT`: the video of a created task has this size, in multiples of 16 pixels, such as `720x1280`.
    ClipSize {
        /// The width in pixels.
        width: u16,
        /// The height in pixels.
        height: u16,
    },
    /// `clip-sound=yes` or `clip-sound=no`: whether the video of a created task has sound.
    ClipSound(bool),
    /// `redirect` or `redirect=URL`: a 307 to this URL, by default to the same port under another name of this machine.
    /// The request is not executed.
    Redirect(Option<String>),
    /// `unknown-status=NAME`: tasks have this status in the response.
    UnknownStatus(String),
    /// `null=FIELD`: a field of the task, or `data`, is `null`; for upload slots, a field of the slot, or `files`.
    Null(String),
    /// `missing=FIELD`: the same field is missing.
    Missing(String),
    /// `empty`: the task has no result URLs in the response.
    Empty,
    /// `expired-url`: the result URLs, or those of upload slots, have expired.
    ExpiredUrl,
    /// `fresh-url`: the result URLs have a new signature, with a full lifetime.
    FreshUrl,
    /// `epoch-reset`: `x-ratelimit-reset` is a time, in seconds since 1970, instead of a duration.
    EpochReset,
    /// `duplicate`: a webhook is sent twice, unchanged.
    Duplicate,
    /// `late=TIME`: a webhook is sent after this delay, by the sandbox's clock, and does not delay the next one.
    Late(Duration),
    /// `reordered`: a webhook is sent after the next one of its task. The last one is sent as usual.
    Reordered,
    /// `forged`: a webhook about a failure, signed with a wrong secret, is sent before.
    Forged,
    /// `replay=TIME`: a webhook is sent again after this delay, by the sandbox's clock, with its old timestamp.
    Replay(Duration),
    /// `rotated=SECRET`: a webhook is signed with this secret; `rotating=SECRET`: with this and the configured one.
    Rotated {
        /// The new secret, in the form of [`webhook_secret`](crate::SandboxBuilder::webhook_secret).
        secret: String,
        /// Whether it is signed with the configured secret, too.
        both: bool,
    },
}

impl Fault {
    /// Returns whether the request is not executed.
    pub(crate) fn rejects(&self) -> bool {
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

    /// Returns whether the fault is possible at `target`.
    fn is_possible_at(&self, target: &FaultTarget) -> bool {
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
                target.includes(FaultTarget::List, |role| matches!(role, Role::List(_)))
            }
            Self::Id(_)
            | Self::Lenient
            | Self::SilentFailure(_)
            | Self::Moderated
            | Self::ClipSeconds(_)
            | Self::ClipSize { .. }
            | Self::ClipSound(_) => target.includes(FaultTarget::Create, Role::is_paid),
            _ => *target != FaultTarget::Webhook,
        }
    }
}
