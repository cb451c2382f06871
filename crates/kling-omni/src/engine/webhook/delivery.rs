//! One authentic delivery.

use std::time::SystemTime;

use serde_json::Value;

use crate::engine::state::TaskState;
use crate::engine::task_id::TaskId;
use crate::engine::webhook::correlation::{self, Token};
use crate::engine::webhook::error::{WebhookError, WebhookErrorKind};
use crate::engine::webhook::verifier::Verified;

/// An authentic delivery: the state of a task at one time.
///
/// `Debug` redacts the tokens in result URLs.
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
                "the delivery is authentic, but its body is not a task",
            )
        })?;
        Ok(Self {
            verified,
            state,
            correlation: query.and_then(correlation::parse),
        })
    }

    /// The `webhook-id` of the delivery. A repetition has the same id.
    pub fn id(&self) -> &str {
        self.verified.id()
    }

    /// When the delivery was sent, in whole seconds.
    pub fn sent_at(&self) -> SystemTime {
        self.verified.sent_at()
    }

    /// The state of the task at that time, in the form of a poll response.
    pub fn state(&self) -> &TaskState {
        &self.state
    }

    /// The token that [`correlation::attach`] added to the `webhook_url`, if any.
    ///
    /// The signature does not cover the URL, so the token is reliable only while it is secret.
    pub fn correlation(&self) -> Option<&Token> {
        self.correlation.as_ref()
    }
}

/// The result of an authentic delivery. Respond with success to all of them, or the service repeats the delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Received {
    /// The delivery is new, and was published.
    Accepted(Delivery),
    /// A delivery with the same id was received before. Not published.
    Duplicate(Delivery),
    /// A later state of the task is known. Not published.
    OutOfOrder(Delivery),
}

impl Received {
    /// The delivery.
    pub fn delivery(&self) -> &Delivery {
        match self {
            Self::Accepted(delivery) | Self::Duplicate(delivery) | Self::OutOfOrder(delivery) => {
                delivery
            }
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
