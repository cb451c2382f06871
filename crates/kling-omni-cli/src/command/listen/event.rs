//! Prints deliveries as text or JSON, without the URLs of results: a URL is enough to read the file.

use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use kling_omni::polling::TaskStatus;
use kling_omni::printable;
use kling_omni::webhook::correlation::Token;
use kling_omni::webhook::{Received, WebhookError, WebhookErrorKind};
use reqwest::StatusCode;
use serde::Serialize;

use super::forward::ForwardResult;
use crate::failure::Failure;
use crate::next::{ConnectionOptions, NextCommand};
use crate::task_runner::timestamp;
use crate::{duration, report};

/// Prints events to stdout.
pub(super) struct EventPrinter {
    json: bool,
    /// Whether a sender waits for a response. A replay has none.
    has_sender: bool,
}

/// An authentic delivery, and how it was handled.
pub(super) struct HandledDelivery<'a> {
    pub(super) received: &'a Received,
    pub(super) received_at: SystemTime,
    pub(super) forwarded: Option<&'a ForwardResult>,
    /// The status of the response to the sender, if there is one.
    pub(super) status: Option<StatusCode>,
}

/// A request that is not an authentic delivery.
pub(super) struct RejectedRequest {
    pub(super) kind: RejectionKind,
    pub(super) message: String,
    pub(super) help: Option<String>,
    pub(super) status: StatusCode,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum RejectionKind {
    Library(WebhookErrorKind),
    Custom(&'static str),
}

/// The JSON output for an event.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum ListenEvent<'a> {
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
        forwarded: Option<&'a ForwardResult>,
        http_status: Option<u16>,
    },
    Rejected {
        kind: &'a RejectionKind,
        message: &'a str,
        help: Option<&'a str>,
        received_at: Option<String>,
        http_status: u16,
    },
}

impl EventPrinter {
    pub(super) fn new(json: bool, has_sender: bool) -> Self {
        Self { json, has_sender }
    }

    pub(super) fn has_sender(&self) -> bool {
        self.has_sender
    }

    pub(super) fn print_listening(&self, address: SocketAddr) -> Result<(), Failure> {
        let url = format!("http://{address}");
        let port = address.port();
        self.print(
            &ListenEvent::Listening { url: &url },
            format_args!(
                "Listening on {url}, on all paths, until Ctrl-C.\n\n\
                 The service needs a public URL. A tunnel provides one, for example\n\n  \
                 cloudflared tunnel --url {url}\n  \
                 ngrok http {port}\n\n\
                 Pass it to a task with --webhook-url https://NAME-OF-THE-TUNNEL.\n\n\
                 `{}` needs no tunnel: --webhook-url {url}\n",
                NextCommand::Sandbox.to_shell(&ConnectionOptions::new())
            ),
        )
    }

    pub(super) fn print_delivery(&self, handled: &HandledDelivery<'_>) -> Result<(), Failure> {
        let delivery = handled.received.delivery();
        let state = delivery.state();
        let event = ListenEvent::Delivery {
            verdict: verdict(handled.received).0,
            delivery_id: delivery.id(),
            task_id: state.id(),
            status: state.status().to_string(),
            error: state.shown_error(),
            results: state.generated().len(),
            url_expires_at: state.expires_at().and_then(timestamp),
            correlation: delivery.correlation(),
            sent_at: timestamp(delivery.sent_at()),
            received_at: timestamp(handled.received_at),
            forwarded: handled.forwarded,
            http_status: handled.status.map(|status| status.as_u16()),
        };
        self.print(&event, handled)?;
        let is_new = matches!(handled.received, Received::Accepted(_));
        if !self.json && is_new && *state.status() == TaskStatus::Completed {
            self.suggest_download(state);
        }
        Ok(())
    }

    pub(super) fn print_rejected(&self, rejected: &RejectedRequest) -> Result<(), Failure> {
        let received_at = timestamp(SystemTime::now());
        let mut text = format!(
            "{} rejected with {}: {}",
            received_at.as_deref().unwrap_or_default(),
            rejected.status.as_u16(),
            printable(&rejected.message)
        );
        if let Some(help) = &rejected.help {
            text.push_str(&format!(" (help: {})", printable(help)));
        }
        let event = ListenEvent::Rejected {
            kind: &rejected.kind,
            message: &rejected.message,
            help: rejected.help.as_deref(),
            received_at,
            http_status: rejected.status.as_u16(),
        };
        self.print(&event, text)
    }

    fn suggest_download(&self, state: &kling_omni::polling::TaskState) {
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
            NextCommand::Download {
                id: state.id(),
                output: None
            }
            .to_shell(&ConnectionOptions::new())
        ));
    }

    fn print(&self, event: &ListenEvent<'_>, text: impl Display) -> Result<(), Failure> {
        if self.json {
            report::json_line(event)
        } else {
            report::line(text)
        }
    }
}

/// Returns the name of a verdict, and what the text output adds about it.
fn verdict(received: &Received) -> (&'static str, &'static str) {
    match received {
        Received::Accepted(_) => ("accepted", ""),
        Received::Duplicate(_) => ("duplicate", ", duplicate"),
        Received::OutOfOrder(_) => (
            "out_of_order",
            ", out of order: a later status was received before",
        ),
        _ => ("other", ", unknown verdict"),
    }
}

impl Display for HandledDelivery<'_> {
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
            (Some(status), _) => write!(f, "; forwarded, response {status}")?,
            (None, reason) => {
                let reason = reason.as_deref().unwrap_or_default();
                write!(f, "; not forwarded: {reason}")?;
                if forwarded.attempts > 1 {
                    write!(f, " ({} attempts)", forwarded.attempts)?;
                }
            }
        }
        match self.status.map(|status| status.as_u16()) {
            Some(status) if forwarded.http_status != Some(status) => {
                write!(f, "; response to the sender {status}")
            }
            _ => Ok(()),
        }
    }
}

impl From<&WebhookError> for RejectedRequest {
    fn from(error: &WebhookError) -> Self {
        Self {
            kind: RejectionKind::Library(error.kind()),
            message: error.summary().to_owned(),
            help: match error.kind() {
                // Their help is about settings that only programs can change.
                WebhookErrorKind::BodyTooLarge | WebhookErrorKind::ReplayWindowExceeded => None,
                _ => Some(error.help().to_owned()),
            },
            // The library uses valid statuses only.
            status: StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST),
        }
    }
}
