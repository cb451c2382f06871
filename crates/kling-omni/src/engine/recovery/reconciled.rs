//! The result of reconciling a create.

use std::fmt;
use std::time::SystemTime;

use serde::Serialize;

use crate::clock;
use crate::engine::task::Task;

/// The result of reconciling a create. What it rests on, [`Reconcile`](crate::recovery::Reconcile) says.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reconciled {
    /// There is a paid task, and this is it: go on with it.
    Found {
        /// The task.
        task: Task,
        /// How it was found.
        matched_by: MatchedBy,
    },
    /// No task was made: it is safe to create it again.
    NotCreated,
    /// It cannot be told. Creating it again may pay for a second task.
    Ambiguous {
        /// The ids of the tasks that may be the one; there may be others.
        candidates: Vec<String>,
        /// What keeps it from being settled.
        reason: AmbiguityReason,
    },
}

/// How a task was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MatchedBy {
    /// The response to the create arrived after its caller had been dropped. It names exactly this task.
    Response,
    /// A delivery brought the create's own token: it is this task and no other.
    Webhook,
    /// It is the only task on the list that is new and belongs to no other create: it is the one if nobody else creates
    /// tasks on the account.
    OnlyNewTask,
}

/// Why it cannot be told whether a create has made a task, or which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AmbiguityReason {
    /// The list was not read before the create, so that old and new tasks look alike.
    NoSnapshot,
    /// Several tasks may be the one.
    MultipleCandidates,
    /// The list was not read as a whole, before the create or now: it is too long, or moved meanwhile.
    ListIncomplete,
    /// Tasks that were listed before the create are not any more, so the one that is looked for may be gone from it, too.
    ListShrank,
    /// A task is listed that was not before the create, but then the service answered that there was no list, as it does
    /// for an account without tasks: the task may be an older one, which the service did not show then.
    NoListBefore,
    /// The service answers that there is no list, as it does for an account without tasks. It would do so, too, for a list
    /// that has moved away.
    NoListNow,
    /// Nothing new is listed, and it is not known that tasks of this route, the older one, are listed at all.
    RouteNotListed,
    /// Another create of this client is unresolved or in flight, and the new task may be its. Reconcile that one first.
    OtherCreates,
    /// It is not settled yet: nothing new is listed and the task may still appear until then, or one new task is listed
    /// and a delivery may still say whose it is.
    TooEarly {
        /// From when on a look settles it.
        until: SystemTime,
    },
}

impl fmt::Display for MatchedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Response => "named by the answer to the create",
            Self::Webhook => "named by a delivery with the token of the create",
            Self::OnlyNewTask => "the only new task on the list",
        })
    }
}

impl fmt::Display for AmbiguityReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSnapshot => {
                "the list of tasks was not read before the create; look at the candidates yourself, and create with \
                 `with_list_snapshot` next time"
            }
            Self::MultipleCandidates => "several tasks may be the one; leave out those that you know with `exclude`",
            Self::ListIncomplete => "the list of tasks could not be read as a whole; try again when less is going on",
            Self::ListShrank => {
                "tasks have gone from the list since the create, and the one looked for may be among them; look at \
                 the account's usage"
            }
            Self::NoListBefore => {
                "the service showed no list of tasks before the create, as with an account without tasks, so that the \
                 candidate may be an older task; look at it yourself"
            }
            Self::NoListNow => {
                "the service shows no list of tasks, as with an account without tasks, which does not prove that there is \
                 none; look at the account's usage"
            }
            Self::RouteNotListed => {
                "nothing new is listed, but the service may not list tasks of this route; look at the account's usage"
            }
            Self::OtherCreates => {
                "another create of this client is unresolved, and the new task may be its; reconcile that one first"
            }
            Self::TooEarly { until } => {
                f.write_str("not settled yet: a task may still be listed or be named by a delivery")?;
                return match clock::shown(*until) {
                    Some(until) => write!(f, "; look again after {until}"),
                    None => Ok(()),
                };
            }
        })
    }
}
