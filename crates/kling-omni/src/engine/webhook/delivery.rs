//! One authentic delivery.

use std::time::SystemTime;

use serde_json::Value;

use crate::engine::state::TaskState;
use crate::engine::task_id::TaskId;
use crate::engine::webhook::correlation::{self, Token};
use crate::engine::webhook::refusal::{WebhookError, WebhookErrorKind};
use crate::engine::webhook::verifier::Verified;

/// An authentic delivery: what the service said about a task at one moment.
///
/// `Debug` leaves the tokens out of result URLs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    verified: Verified,
    state: TaskState,
    correlation: Option<Token>,
}

impl Delivery {
    /// Parses a verified body and the query of its URL.
    pub(crate) fn parse(
        verified: Verified,
        query: Option<&str>,
        body: &[u8],
    ) -> Result<Self, WebhookError> {
        let state = parse_state(body).ok_or_else(|| {
            WebhookError::new(
                WebhookErrorKind::BodyUnreadable,
                "the delivery is authentic, and its body is no task",
            )
        })?;
        Ok(Self {
            verified,
            state,
            correlation: query.and_then(correlation::parse),
        })
    }

    /// Its `webhook-id`: the same for each repetition.
    pub fn id(&self) -> &str {
        self.verified.id()
    }

    /// When it was sent, to the second.
    pub fn sent_at(&self) -> SystemTime {
        self.verified.sent_at()
    }

    /// The state of the task at that time, as a poll would have returned it.
    pub fn state(&self) -> &TaskState {
        &self.state
    }

    /// The token that [`correlation::attach`] put into the `webhook_url`, if there is one.
    ///
    /// The signature does not cover the URL that it comes from. It is only reliable if nobody else knows the token.
    pub fn correlation(&self) -> Option<&Token> {
        self.correlation.as_ref()
    }
}

/// The result of an authentic delivery. Respond with success to each of them, or the service repeats it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Received {
    /// It is new, and was passed on.
    Accepted(Delivery),
    /// A delivery with the same id came before. Not passed on.
    Duplicate(Delivery),
    /// A later state of the task is known. Not passed on.
    OutOfOrder(Delivery),
}

impl Received {
    /// The delivery.
    pub fn delivery(&self) -> &Delivery {
        match self {
            Self::Accepted(delivery) | Self::Duplicate(delivery) | Self::OutOfOrder(delivery) => delivery,
        }
    }
}

/// Parses a task as polls return it, with or without the `data` wrapper.
fn parse_state(body: &[u8]) -> Option<TaskState> {
    let mut task: Value = serde_json::from_slice(body).ok()?;
    if task.get("task_id").is_none() {
        task = task.get_mut("data")?.take();
    }
    let state: TaskState = serde_json::from_value(task).ok()?;
    TaskId::is_valid(state.id()).then_some(state)
}
