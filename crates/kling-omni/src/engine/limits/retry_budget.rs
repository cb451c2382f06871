//! Limits the retries of all calls of a client, and records how its attempts have gone.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::Serialize;

/// How many retries all calls of a client have in common, so that an outage is not made worse by everyone trying again.
///
/// Each retry takes one out; successes put them back one by one. With none left, a call is one attempt. A retry that is
/// not made costs nothing but the failure of its call, which would most likely have failed again.
///
/// ```
/// use kling_omni::client::RetryBudget;
/// use kling_omni::{ApiKey, Client};
///
/// let client = Client::builder()
///     .api_key(ApiKey::new("FPSX-secret")?)
///     .retry_budget(RetryBudget::new(20).successes_per_retry(10))
///     .build()?;
/// assert_eq!(client.health().retries_left, Some(20));
/// # Ok::<(), kling_omni::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryBudget {
    capacity: Option<u32>,
    successes_per_retry: u32,
}

impl RetryBudget {
    /// This many retries at the most, and one back for every five successes.
    pub const fn new(retries: u32) -> Self {
        Self {
            capacity: Some(retries),
            successes_per_retry: 5,
        }
    }

    /// No limit but that of each call.
    pub const fn unlimited() -> Self {
        Self {
            capacity: None,
            successes_per_retry: 1,
        }
    }

    /// How many successes put one retry back; at least one.
    pub const fn successes_per_retry(mut self, successes: u32) -> Self {
        self.successes_per_retry = if successes == 0 { 1 } else { successes };
        self
    }
}

impl Default for RetryBudget {
    /// 50 retries, and one back for every five successes.
    fn default() -> Self {
        Self::new(50)
    }
}

/// How a client and the service get on, from what the client's attempts came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Health {
    /// Whether failed attempts are followed by others.
    pub circuit: CircuitState,
    /// What is left of the [`RetryBudget`]; `None` if it is unlimited.
    pub retries_left: Option<u32>,
    /// How many attempts have failed since the last success: no connection, no whole answer in time, 408, 429 or 5xx.
    pub consecutive_failures: u32,
    /// When an attempt last succeeded. A refusal is a success here, since the service is there and answers.
    pub last_success: Option<SystemTime>,
    /// When an attempt last failed.
    pub last_failure: Option<SystemTime>,
    /// How many tasks of this client are in flight, as [`ClientBuilder::max_in_flight_tasks`](crate::ClientBuilder::max_in_flight_tasks)
    /// counts them, creates under way included.
    pub in_flight_tasks: usize,
}

/// Whether failed attempts are followed by others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CircuitState {
    /// They are.
    Closed,
    /// They are not: the [`RetryBudget`] is used up, and each call is a single attempt until successes refill it.
    Open,
}

/// Limits the retries of all calls of a client, and records its health.
pub(crate) struct RetryThrottle {
    rules: RetryBudget,
    state: Mutex<BudgetState>,
}

struct BudgetState {
    /// What is left, in successes: each retry costs as many as put it back.
    left: u64,
    consecutive_failures: u32,
    last_success: Option<SystemTime>,
    last_failure: Option<SystemTime>,
}

impl RetryThrottle {
    pub(crate) fn new(rules: RetryBudget) -> Self {
        Self {
            state: Mutex::new(BudgetState {
                left: rules.most(),
                consecutive_failures: 0,
                last_success: None,
                last_failure: None,
            }),
            rules,
        }
    }

    /// Acquires a retry if one is left.
    pub(crate) fn acquire(&self) -> bool {
        if self.rules.capacity.is_none() {
            return true;
        }
        let mut state = self.state();
        let left = state.left.checked_sub(self.rules.price());
        state.left = left.unwrap_or(state.left);
        left.is_some()
    }

    /// Records the result of an attempt.
    pub(crate) fn record(&self, succeeded: bool, now: SystemTime) {
        let mut state = self.state();
        if succeeded {
            state.left = (state.left + 1).min(self.rules.most());
            state.consecutive_failures = 0;
            state.last_success = Some(now);
        } else {
            state.consecutive_failures = state.consecutive_failures.saturating_add(1);
            state.last_failure = Some(now);
        }
    }

    pub(crate) fn health(&self, in_flight_tasks: usize) -> Health {
        let state = self.state();
        let left = u32::try_from(state.left / self.rules.price()).unwrap_or(u32::MAX);
        let retries_left = self.rules.capacity.map(|_| left);
        Health {
            circuit: match retries_left {
                Some(0) => CircuitState::Open,
                _ => CircuitState::Closed,
            },
            retries_left,
            consecutive_failures: state.consecutive_failures,
            last_success: state.last_success,
            last_failure: state.last_failure,
            in_flight_tasks,
        }
    }

    fn state(&self) -> MutexGuard<'_, BudgetState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RetryBudget {
    fn price(&self) -> u64 {
        self.successes_per_retry.into()
    }

    fn most(&self) -> u64 {
        u64::from(self.capacity.unwrap_or_default()) * self.price()
    }
}
