use std::time::SystemTime;

use super::bounded::Bounded;
use crate::state::TaskState;
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
        };
        self.tasks.insert(state.id(), rank, known);
        true
    }
}
