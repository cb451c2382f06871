use std::time::SystemTime;

use crate::engine::state::TaskState;
use crate::engine::webhook::correlation::Token;
use crate::engine::webhook::delivery::Delivery;
use crate::engine::webhook::inbox::bounded::Bounded;

/// Where each task stands, by its deliveries.
pub(crate) struct Standing {
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
    /// The tokens that deliveries brought: one, unless it went into several creates or somebody changed it on the way.
    tokens: Vec<Token>,
}

/// More tokens of one task are not remembered: the answer is ambiguous with two.
const MAX_TOKENS: usize = 2;

impl Known {
    fn has(&self, token: &str) -> bool {
        self.tokens.iter().any(|known| known.as_str() == token)
    }

    fn add(&mut self, token: &Token) {
        if !self.has(token.as_str()) && self.tokens.len() < MAX_TOKENS {
            self.tokens.push(token.clone());
        }
    }
}

impl Standing {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            tasks: Bounded::new(capacity),
            arrivals: 0,
        }
    }

    pub(crate) fn state(&self, task_id: &str) -> Option<&TaskState> {
        self.tasks.get(task_id).map(|known| &known.state)
    }

    /// The tasks about which a delivery brought this token.
    pub(crate) fn correlated(&self, token: &str) -> Vec<String> {
        let tasks = self.tasks.iter();
        let ours = tasks.filter(|(_, known)| known.has(token));
        let mut ids: Vec<_> = ours.map(|(id, _)| id.to_owned()).collect();
        ids.sort_unstable();
        ids
    }

    /// Whether deliveries about a task came, and not one of them with this token.
    pub(crate) fn is_of_another(&self, task_id: &str, token: &str) -> bool {
        let known = self.tasks.get(task_id);
        known.is_some_and(|known| !known.has(token))
    }

    /// Takes over what a delivery says, unless the task is known to be further.
    pub(crate) fn advance(&mut self, delivery: &Delivery) -> bool {
        let (state, sent_at) = (delivery.state(), delivery.sent_at());
        let mut tokens = Vec::new();
        if let Some(known) = self.tasks.get_mut(state.id()) {
            // What is too old to change the state still says whose the task is.
            if let Some(token) = delivery.correlation() {
                known.add(token);
            }
            // Among equals the later one counts, and timestamps have whole seconds only.
            if (state.progress(), sent_at) < (known.state.progress(), known.sent_at) {
                return false;
            }
            tokens = std::mem::take(&mut known.tokens);
        } else {
            tokens.extend(delivery.correlation().cloned());
        }
        self.arrivals += 1;
        let rank = Rank {
            is_running: !state.status().is_terminal(),
            arrival: self.arrivals,
        };
        let known = Known {
            state: state.clone(),
            sent_at,
            tokens,
        };
        self.tasks.insert(state.id(), rank, known);
        true
    }
}
