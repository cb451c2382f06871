//! What is told of deliveries, to people and to scripts. The URLs of results are not in it, since whoever has one can
//! read the file.

use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use kling_omni::polling::TaskStatus;
use kling_omni::printable;
use kling_omni::webhook::correlation::Token;
use kling_omni::webhook::{Received, WebhookError, WebhookErrorKind};
use reqwest::StatusCode;
use serde::Serialize;

use super::forward::Forwarded;
use crate::failure::Failure;
use crate::next::{Next, Options};
use crate::task_runner::timestamp;
use crate::{duration, report};

pub(super) struct Printer {
    json: bool,
    /// Whether there is a sender to be answered.
    answers: bool,
}

/// An authentic delivery, and what was done with it.
pub(super) struct Delivered<'a> {
    pub(super) received: &'a Received,
    pub(super) received_at: SystemTime,
    pub(super) forwarded: Option<&'a Forwarded>,
    /// What the sender was told, if there is one.
    pub(super) answer: Option<StatusCode>,
}

/// Something that came in and is not to be trusted, or is none at all.
pub(super) struct Refused {
    pub(super) kind: Reason,
    pub(super) message: String,
    pub(super) answer: StatusCode,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Reason {
    Library(WebhookErrorKind),
    Own(&'static str),
}

/// What scripts get.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event<'a> {
    Listening {
        url: &'a str,
    },
    Delivery {
        verdict: &'static str,
        delivery_id: &'a str,
        task_id: &'a str,
        status: String,
        error: Option<String>,
        results: usize,
        url_expires_at: Option<String>,
        correlation: Option<&'a Token>,
        sent_at: Option<String>,
        received_at: Option<String>,
        forwarded: Option<&'a Forwarded>,
        http_status: Option<u16>,
    },
    Rejected {
        kind: &'a Reason,
        message: &'a str,
        received_at: Option<String>,
        http_status: u16,
    },
}

impl Printer {
    pub(super) fn new(json: bool, answers: bool) -> Self {
        Self { json, answers }
    }

    pub(super) fn answers(&self) -> bool {
        self.answers
    }

    pub(super) fn listening(&self, address: SocketAddr) -> Result<(), Failure> {
        let url = format!("http://{address}");
        let port = address.port();
        self.print(
            &Event::Listening { url: &url },
            format_args!(
                "Listens on {url} until Ctrl-C, at every path.\n\n\
                 The service needs a public URL that leads here, which a tunnel has, such as\n\n  \
                 cloudflared tunnel --url {url}\n  \
                 ngrok http {port}\n\n\
                 Give it to a task with --webhook-url https://NAME-OF-THE-TUNNEL.\n\n\
                 `{}` delivers to this machine without one: --webhook-url {url}\n",
                Next::Sandbox.command(&Options::new())
            ),
        )
    }

    pub(super) fn delivered(&self, delivered: &Delivered<'_>) -> Result<(), Failure> {
        let delivery = delivered.received.delivery();
        let state = delivery.state();
        let event = Event::Delivery {
            verdict: verdict(delivered.received).0,
            delivery_id: delivery.id(),
            task_id: state.id(),
            status: state.status().to_string(),
            error: state.shown_error(),
            results: state.generated().len(),
            url_expires_at: state.expires_at().and_then(timestamp),
            correlation: delivery.correlation(),
            sent_at: timestamp(delivery.sent_at()),
            received_at: timestamp(delivered.received_at),
            forwarded: delivered.forwarded,
            http_status: delivered.answer.map(|answer| answer.as_u16()),
        };
        self.print(&event, delivered)?;
        let is_news = matches!(delivered.received, Received::Accepted(_));
        if !self.json && is_news && *state.status() == TaskStatus::Completed {
            self.say_how_to_save(state);
        }
        Ok(())
    }

    pub(super) fn refused(&self, refused: &Refused) -> Result<(), Failure> {
        let received_at = timestamp(SystemTime::now());
        let text = format!(
            "{} refused with {}: {}",
            received_at.as_deref().unwrap_or_default(),
            refused.answer.as_u16(),
            printable(&refused.message)
        );
        let event = Event::Rejected {
            kind: &refused.kind,
            message: &refused.message,
            received_at,
            http_status: refused.answer.as_u16(),
        };
        self.print(&event, text)
    }

    fn say_how_to_save(&self, state: &kling_omni::polling::TaskState) {
        if state.generated().is_empty() {
            return;
        }
        let left = state
            .expires_at()
            .map(|end| end.duration_since(SystemTime::now()));
        let within = match left {
            None => String::new(),
            Some(left) => format!(
                ", within {}",
                duration::text(left.unwrap_or(Duration::ZERO))
            ),
        };
        report::say(format_args!(
            "to save the video{within}: {}",
            Next::Download {
                id: state.id(),
                output: None
            }
            .command(&Options::new())
        ));
    }

    fn print(&self, event: &Event<'_>, text: impl Display) -> Result<(), Failure> {
        if self.json {
            report::json_line(event)
        } else {
            report::line(text)
        }
    }
}

/// What became of a delivery: in a word, and what that means where it is not plain.
fn verdict(received: &Received) -> (&'static str, &'static str) {
    match received {
        Received::Accepted(_) => ("accepted", ""),
        Received::Duplicate(_) => ("duplicate", ", a duplicate: its id came before"),
        Received::OutOfOrder(_) => ("out_of_order", ", late: the task is known to be further"),
        _ => ("other", ", of a kind that this version does not know"),
    }
}

impl Display for Delivered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let delivery = self.received.delivery();
        let state = delivery.state();
        let at = timestamp(self.received_at).unwrap_or_default();
        write!(
            f,
            "{at} {}: task {} {}",
            printable(delivery.id()),
            printable(state.id()),
            state.status()
        )?;
        match state.generated().len() {
            0 => {}
            1 => f.write_str(" with 1 result")?,
            results => write!(f, " with {results} results")?,
        }
        if let Some(reason) = state.shown_error() {
            write!(f, " ({reason})")?;
        }
        f.write_str(verdict(self.received).1)?;
        let Some(forwarded) = self.forwarded else {
            return Ok(());
        };
        match (forwarded.http_status, &forwarded.error) {
            (Some(status), _) => write!(f, "; forwarded, answered {status}")?,
            (None, reason) => {
                let reason = reason.as_deref().unwrap_or_default();
                write!(f, "; not forwarded: {reason}")?;
                if forwarded.attempts > 1 {
                    write!(f, ", {} times", forwarded.attempts)?;
                }
            }
        }
        match self.answer.map(|answer| answer.as_u16()) {
            Some(answer) if forwarded.http_status != Some(answer) => {
                write!(f, "; so the sender was answered {answer}")
            }
            _ => Ok(()),
        }
    }
}

impl From<&WebhookError> for Refused {
    fn from(refusal: &WebhookError) -> Self {
        Self {
            kind: Reason::Library(refusal.kind()),
            message: match refusal.kind() {
                // The advice is for programs, which can change these limits.
                WebhookErrorKind::BodyTooLarge | WebhookErrorKind::ReplayWindowExceeded => {
                    refusal.summary().to_owned()
                }
                _ => refusal.to_string(),
            },
            // The library's statuses are ones that HTTP has.
            answer: StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST),
        }
    }
}
