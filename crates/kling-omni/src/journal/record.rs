//! The records of a journal, and their valid order.

use serde::{Deserialize, Serialize};

use crate::engine::download::Saved;
use crate::engine::recovery::reconciled::MatchedBy;
use crate::engine::state::TaskStatus;
use crate::engine::unconfirmed::UnconfirmedCreate;
use crate::fingerprint::RequestFingerprint;
use crate::journal::state::State;

/// One step of a create, of its task, or of the video.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub(super) enum Record {
    Prepared(RequestFingerprint),
    Sending {
        create: UnconfirmedCreate,
    },
    Unconfirmed {
        create: UnconfirmedCreate,
        reason: String,
    },
    Rejected {
        reason: String,
    },
    NotCreated {
        known_by: KnownBy,
    },
    Created {
        task_id: String,
        known_by: KnownBy,
    },
    Ended {
        status: TaskStatus,
    },
    Publishing {
        file: Saved,
    },
    Saved {
        file: Saved,
    },
}

/// How the outcome of a create became known.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum KnownBy {
    Response,
    Webhook,
    List,
    Operator,
}

impl From<MatchedBy> for KnownBy {
    fn from(matched_by: MatchedBy) -> Self {
        match matched_by {
            MatchedBy::Response => Self::Response,
            MatchedBy::Webhook => Self::Webhook,
            MatchedBy::OnlyNewTask => Self::List,
        }
    }
}

impl Record {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Prepared(_) => "prepared",
            Self::Sending { .. } => "sending",
            Self::Unconfirmed { .. } => "unconfirmed",
            Self::Rejected { .. } => "rejected",
            Self::NotCreated { .. } => "not_created",
            Self::Created { .. } => "created",
            Self::Ended { .. } => "ended",
            Self::Publishing { .. } => "publishing",
            Self::Saved { .. } => "saved",
        }
    }

    /// The state after this record; `None` if the record is not valid in `state`.
    pub(super) fn next_state(&self, state: &State) -> Option<State> {
        let next = match (self, state) {
            (Self::Prepared(_), State::Empty) => State::Prepared,
            // Repeated if a route does not exist and the next one is tried.
            (
                Self::Sending { create },
                State::Prepared | State::Rejected { .. } | State::Unconfirmed(_),
            )
            | (Self::Unconfirmed { create, .. }, State::Unconfirmed(_)) => {
                State::Unconfirmed(create.clone())
            }
            (
                Self::Rejected { reason },
                State::Prepared | State::Rejected { .. } | State::Unconfirmed(_),
            ) => State::Rejected {
                reason: reason.clone(),
            },
            (Self::NotCreated { .. }, State::Unconfirmed(_)) => State::Prepared,
            (Self::Created { task_id, .. }, State::Unconfirmed(_)) => State::Created {
                task_id: task_id.clone(),
            },
            (Self::Ended { status }, state) => State::Ended {
                task_id: state.task_id()?.to_owned(),
                status: status.clone(),
            },
            (Self::Publishing { file }, state) => State::Publishing {
                task_id: state.task_id()?.to_owned(),
                file: file.clone(),
            },
            (Self::Saved { file }, State::Publishing { task_id, .. }) => State::Saved {
                task_id: task_id.clone(),
                file: file.clone(),
            },
            _ => return None,
        };
        Some(next)
    }
}
