//! The delivered states of tasks.

use std::time::SystemTime;

use crate::engine::state::TaskState;
use crate::engine::webhook::correlation::Token;
use crate::engine::webhook::delivery::Delivery;
use crate::engine::webhook::receiver::bounded_map::BoundedMap;

/// The latest delivered state of each task.
pub(crate) struct TaskStates {
    tasks: BoundedMap<EvictionOrder, TaskEntry>,
    arrivals: u64,
}

/// The order of eviction: completed and failed tasks before running ones, and older ones before younger ones.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct EvictionOrder {
    is_running: bool,
    arrival: u64,
}

struct TaskEntry {
    state: TaskState,
    sent_at: SystemTime,
    /// The tokens of its deliveries: one, unless a party on the way has changed it.
    tokens: Vec<Token>,
}

/// The maximum number of tokens of a task: two are ambiguous already.
const MAX_TOKENS: usize = 2;

impl TaskEntry {
    fn has(&self, token: &str) -> bool {
        self.tokens.iter().any(|known| known.as_str() == token)
    }

    fn add(&mut self, token: &Token) {
        if !self.has(token.as_str()) && self.tokens.len() < MAX_TOKENS {
            self.tokens.push(token.clone());
        }
    }
}

impl TaskStates {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            tasks: BoundedMap::new(capacity),
            arrivals: 0,
        }
    }

    pub(crate) fn state(&self, task_id: &str) -> Option<&TaskState> {
        self.tasks.get(task_id).map(|known| &known.state)
    }

    /// The tasks with a delivery that had this token.
    pub(crate) fn correlated(&self, token: &str) -> Vec<String> {
        let tasks = self.tasks.iter();
        let ours = tasks.filter(|(_, known)| known.has(token));
        let mut ids: Vec<_> = ours.map(|(id, _)| id.to_owned()).collect();
        ids.sort_unstable();
        ids
    }

    /// Whether a task has deliveries, but none with this token.
    pub(crate) fn belongs_to_another(&self, task_id: &str, token: &str) -> bool {
        let known = self.tasks.get(task_id);
        known.is_some_and(|known| !known.has(token))
    }

    /// Applies a delivery, unless a later state of the task is known.
    pub(crate) fn advance(&mut self, delivery: &Delivery) -> bool {
        let (state, sent_at) = (delivery.state(), delivery.sent_at());
        let mut tokens = Vec::new();
        if let Some(known) = self.tasks.get_mut(state.id()) {
            // A late delivery still names the create that the task belongs to.
            if let Some(token) = delivery.correlation() {
                known.add(token);
            }
            // Of equal ones, the later arrival counts: timestamps have whole seconds.
            if (state.progress(), sent_at) < (known.state.progress(), known.sent_at) {
                return false;
            }
            tokens = std::mem::take(&mut known.tokens);
        } else {
            tokens.extend(delivery.correlation().cloned());
        }
        self.arrivals += 1;
        let order = EvictionOrder {
            is_running: !state.status().is_terminal(),
            arrival: self.arrivals,
        };
        let entry = TaskEntry {
            state: state.clone(),
            sent_at,
            tokens,
        };
        self.tasks.insert(state.id(), order, entry);
        true
    }
}
