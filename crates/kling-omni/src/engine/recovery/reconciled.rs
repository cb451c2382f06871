//! The result of reconciling a create.

use std::fmt;
use std::time::SystemTime;

use serde::Serialize;

use crate::clock;
use crate::engine::task::Task;

/// The result of reconciling a create. [`Reconcile`](crate::recovery::Reconcile) documents the assumptions.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reconciled {
    /// A paid task exists. Continue with it.
    Found {
        /// The task.
        task: Task,
        /// How it was found.
        matched_by: MatchedBy,
    },
    /// No task was created. Creating again is safe.
    NotCreated,
    /// The outcome is still unknown. Creating again may pay for a second task.
    Ambiguous {
        /// The ids of tasks that may belong to the create. There may be others.
        candidates: Vec<String>,
        /// Why the result is ambiguous.
        reason: AmbiguityReason,
    },
}

/// How a task was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MatchedBy {
    /// The response to the create, which names the task, arrived after its future had been dropped.
    Response,
    /// A delivery with the token of the create named the task.
    Webhook,
    /// The only task on the list that is new and belongs to no other create. Correct if nothing else creates tasks on the
    /// account.
    OnlyNewTask,
}

/// Why the outcome of a create, or its task, cannot be determined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AmbiguityReason {
    /// The tasks before the create are not known, so old and new tasks cannot be told apart: the list was not read before the
    /// create, or its set of [known tasks](crate::recovery::KnownTasks) is missing or has lost entries.
    NoSnapshot,
    /// Several tasks may belong to the create.
    MultipleCandidates,
    /// The list could not be read completely, before the create or now: it is too long, or changed while it was read.
    ListIncomplete,
    /// Tasks that were listed before the create have disappeared, so its task may have disappeared, too.
    ListShrank,
    /// A task is listed that was not before the create, but the service returned 404 for the list then, as it does for an
    /// account without tasks. The task may be an older one.
    NoListBefore,
    /// The service returns 404 for the list, as it does for an account without tasks. It would do the same for a list that
    /// was moved.
    NoListNow,
    /// No new task is listed, and tasks of this route, the older one, are not known to be listed.
    RouteNotListed,
    /// Another create of this client is unconfirmed or in flight, and the new task may belong to it. Reconcile that one first,
    /// or both [together](crate::Client::reconcile_all). Of creates that are reconciled together, the new task may belong to
    /// several.
    OtherCreates,
    /// The settle time is not over. Either no new task is listed and the task may still appear, or one new task is listed and
    /// a delivery may still attribute it.
    TooEarly {
        /// When a search can settle it.
        until: SystemTime,
    },
}

impl fmt::Display for MatchedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Response => "named by the response to the create",
            Self::Webhook => "named by a delivery with the token of the create",
            Self::OnlyNewTask => "the only new task on the list",
        })
    }
}

impl AmbiguityReason {
    /// What to do about it, as an imperative clause.
    pub fn help(&self) -> &'static str {
        match self {
            Self::NoSnapshot => {
                "inspect the candidates yourself, and create with `with_list_snapshot` next time"
            }
            Self::MultipleCandidates => "exclude the tasks that you know with `exclude`",
            Self::ListIncomplete => "try again when fewer tasks are created",
            Self::ListShrank | Self::NoListNow | Self::RouteNotListed => {
                "check the usage of the account"
            }
            Self::NoListBefore => "inspect the candidate yourself",
            Self::OtherCreates => "reconcile the other create first",
            Self::TooEarly { .. } => "reconcile again later, or use `until_settled`",
        }
    }
}

impl fmt::Display for AmbiguityReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSnapshot => "the list of tasks was not read before the create",
            Self::MultipleCandidates => "several tasks may belong to the create",
            Self::ListIncomplete => "the list of tasks could not be read completely",
            Self::ListShrank => "tasks have disappeared from the list since the create",
            Self::NoListBefore => {
                "the service had no list of tasks before the create, so the candidate may be an older task"
            }
            Self::NoListNow => "the service has no list of tasks, which does not prove that there is no task",
            Self::RouteNotListed => "no new task is listed, but the service may not list tasks of this route",
            Self::OtherCreates => "the new task may belong to another unconfirmed create of this client",
            Self::TooEarly { until } => {
                f.write_str("the task may still be listed or named by a delivery")?;
                return match clock::shown(*until) {
                    Some(until) => write!(f, " until {until}"),
                    None => Ok(()),
                };
            }
        })
    }
}
