use std::time::SystemTime;

use serde_json::Value;

use crate::engine::state::TaskState;
use crate::engine::task_id::is_task_id;
use crate::engine::webhook::correlation::{self, Token};
use crate::engine::webhook::refusal::{Refusal, RefusalKind};
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
    /// Reads a body whose signature has been checked, and the query it was sent to.
    pub(crate) fn read(
        verified: Verified,
        query: Option<&str>,
        body: &[u8],
    ) -> Result<Self, Refusal> {
        let state = read_state(body).ok_or_else(|| {
            Refusal::new(
                RefusalKind::BodyUnreadable,
                "the delivery is authentic, and its body is no task",
            )
        })?;
        Ok(Self {
            verified,
            state,
            correlation: query.and_then(correlation::read),
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

    /// Where the task stood then: what a poll would have answered.
    pub fn state(&self) -> &TaskState {
        &self.state
    }

    /// The token that [`correlation::attach`] put into the `webhook_url`, if there is one.
    ///
    /// It comes from the URL, which the signature does not cover: it says which create the delivery belongs to as far as
    /// nobody else knows the token.
    pub fn correlation(&self) -> Option<&Token> {
        self.correlation.as_ref()
    }
}

/// What became of an authentic delivery. All of these are answered with success, so that none is sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Received {
    /// It is news, and was passed on.
    New(Delivery),
    /// One with the same id came before. Passed on to nobody.
    Duplicate(Delivery),
    /// The task is known to be further: this one was overtaken. Passed on to nobody.
    Late(Delivery),
}

impl Received {
    /// The delivery.
    pub fn delivery(&self) -> &Delivery {
        match self {
            Self::New(delivery) | Self::Duplicate(delivery) | Self::Late(delivery) => delivery,
        }
    }
}

/// A task as polls answer it, with or without the wrapper that they have.
fn read_state(body: &[u8]) -> Option<TaskState> {
    let mut task: Value = serde_json::from_slice(body).ok()?;
    if task.get("task_id").is_none() {
        task = task.get_mut("data")?.take();
    }
    let state: TaskState = serde_json::from_value(task).ok()?;
    is_task_id(state.id()).then_some(state)
}
