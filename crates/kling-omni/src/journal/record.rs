//! The records of a journal, the valid order of records, and their text form.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::digest;
use crate::engine::download::Saved;
use crate::engine::recovery::reconciled::MatchedBy;
use crate::engine::state::TaskStatus;
use crate::engine::unconfirmed::UnconfirmedCreate;
use crate::fingerprint::RequestFingerprint;
use crate::journal::state::State;

/// The first line of a journal.
pub(super) const HEADER: &str = "kling-omni journal 2\n";
/// The beginning of the first line, in all versions.
pub(super) const NAME: &str = "kling-omni journal ";

/// One line of a journal.
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

/// The checksums of a journal. Each covers its record and the previous checksum, and thereby all earlier records.
#[derive(Clone, Debug, Default)]
pub(super) struct ChecksumChain {
    last: String,
}

impl ChecksumChain {
    /// The length of a checksum in hexadecimal digits. It is a prefix of a SHA-256.
    const DIGITS: usize = 16;

    /// Encodes a record as a line.
    pub(super) fn encode(&mut self, record: &Record) -> serde_json::Result<String> {
        let json = serde_json::to_string(record)?;
        self.last = self.sum(&json);
        Ok(format!("{} {json}\n", self.last))
    }

    /// Decodes a line without its line end; `None` if it is damaged.
    pub(super) fn decode(&mut self, line: &[u8]) -> Option<Record> {
        let (sum, json) = std::str::from_utf8(line).ok()?.split_once(' ')?;
        if sum != self.sum(json) {
            return None;
        }
        self.last = sum.to_owned();
        serde_json::from_str(json).ok()
    }

    fn sum(&self, json: &str) -> String {
        let mut sum = digest::hex(Sha256::new_with_prefix(&self.last).chain_update(json));
        sum.truncate(Self::DIGITS);
        sum
    }
}
