use std::time::SystemTime;

use super::bounded::Bounded;
use crate::state::TaskState;
use crate::webhook::correlation::Token;
use crate::webhook::delivery::Delivery;

/// Where each task stands, by its deliveries.
pub(super) struct Standing {
    tasks: Bounded<Rank, Known>,
    arrivals: u64,
}

/// Tasks that have ended are forgotten before those that run, and the older before the younger.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    is_running: bool,
    arrival: u64,
}

struct Known {
    state: TaskState,
    sent_at: SystemTime,
    correlation: Option<Token>,
}

impl Known {
    fn has(&self, token: &str) -> bool {
        let correlation = self.correlation.as_ref().map(Token::as_str);
        correlation == Some(token)
    }
}

impl Standing {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            tasks: Bounded::new(capacity),
            arrivals: 0,
        }
    }

    pub(super) fn state(&self, task_id: &str) -> Option<&TaskState> {
        self.tasks.get(task_id).map(|known| &known.state)
    }

    /// The tasks whose latest delivery brought this token.
    pub(super) fn correlated(&self, token: &str) -> Vec<String> {
        let tasks = self.tasks.iter();
        let ours = tasks.filter(|(_, known)| known.has(token));
        let mut ids: Vec<_> = ours.map(|(id, _)| id.to_owned()).collect();
        ids.sort_unstable();
        ids
    }

    /// Whether deliveries about a task came, the latest of them without this token.
    pub(super) fn is_of_another(&self, task_id: &str, token: &str) -> bool {
        let known = self.tasks.get(task_id);
        known.is_some_and(|known| !known.has(token))
    }

    /// Takes over what a delivery says, unless the task is known to be further.
    pub(super) fn advance(&mut self, delivery: &Delivery) -> bool {
        let (state, sent_at) = (delivery.state(), delivery.sent_at());
        if let Some(known) = self.tasks.get(state.id()) {
            // Among equals the later one counts, and timestamps have whole seconds only.
            if (state.progress(), sent_at) < (known.state.progress(), known.sent_at) {
                return false;
            }
        }
        self.arrivals += 1;
        let rank = Rank {
            is_running: !state.status().is_terminal(),
            arrival: self.arrivals,
        };
        let known = Known {
            state: state.clone(),
            sent_at,
            correlation: delivery.correlation().cloned(),
        };
        self.tasks.insert(state.id(), rank, known);
        true
    }
}
