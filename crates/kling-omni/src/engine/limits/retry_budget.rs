//! The retry budget of a client, which throttles the retries of all its calls, and its health.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::Serialize;

/// A number of retries that all calls of a client share, so retries do not make an outage worse.
///
/// Each retry takes one out of the budget, and successes put it back. With an empty budget, each call makes a single
/// attempt. Without the retry, the call fails, as it most likely would have with it.
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
    /// Allows at most this many retries, and restores one for every five successes.
    pub const fn new(retries: u32) -> Self {
        Self {
            capacity: Some(retries),
            successes_per_retry: 5,
        }
    }

    /// Sets no limit for all calls together. Each call has its own limit.
    pub const fn unlimited() -> Self {
        Self {
            capacity: None,
            successes_per_retry: 1,
        }
    }

    /// Sets how many successes restore one retry. At least one. Default: 5.
    pub const fn successes_per_retry(mut self, successes: u32) -> Self {
        self.successes_per_retry = if successes == 0 { 1 } else { successes };
        self
    }
}

impl Default for RetryBudget {
    /// 50 retries, of which one is restored for every five successes.
    fn default() -> Self {
        Self::new(50)
    }
}

/// The health of the connection to the service, from the attempts of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Health {
    /// Whether failed attempts are retried.
    pub circuit: CircuitState,
    /// The rest of the [`RetryBudget`]; `None` if it is unlimited.
    pub retries_left: Option<u32>,
    /// The number of failed attempts since the last success: connection errors, incomplete responses, 408, 429 and 5xx.
    pub consecutive_failures: u32,
    /// When an attempt last succeeded. A rejection counts as a success: the service responds.
    pub last_success: Option<SystemTime>,
    /// When an attempt last failed.
    pub last_failure: Option<SystemTime>,
    /// The number of tasks of this client that are in flight, as
    /// [`ClientBuilder::max_in_flight_tasks`](crate::ClientBuilder::max_in_flight_tasks) counts them. Includes creates in progress.
    pub in_flight_tasks: usize,
}

/// Whether failed attempts are retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CircuitState {
    /// Failed attempts are retried.
    Closed,
    /// Failed attempts are not retried: the [`RetryBudget`] is exhausted. Each call makes a single attempt until successes
    /// restore the budget.
    Open,
}

/// Throttles the retries of all calls of a client, and records its health.
pub(crate) struct RetryThrottle {
    rules: RetryBudget,
    state: Mutex<BudgetState>,
}

struct BudgetState {
    /// The rest of the budget, in successes: each retry costs as many as restore it.
    left: u64,
    consecutive_failures: u32,
    last_success: Option<SystemTime>,
    last_failure: Option<SystemTime>,
}

impl RetryThrottle {
    pub(crate) fn new(rules: RetryBudget) -> Self {
        Self {
            state: Mutex::new(BudgetState {
                left: rules.max(),
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
        let left = state.left.checked_sub(self.rules.cost());
        state.left = left.unwrap_or(state.left);
        left.is_some()
    }

    /// Records the result of an attempt.
    pub(crate) fn record(&self, succeeded: bool, now: SystemTime) {
        let mut state = self.state();
        if succeeded {
            state.left = (state.left + 1).min(self.rules.max());
            state.consecutive_failures = 0;
            state.last_success = Some(now);
        } else {
            state.consecutive_failures = state.consecutive_failures.saturating_add(1);
            state.last_failure = Some(now);
        }
    }

    pub(crate) fn health(&self, in_flight_tasks: usize) -> Health {
        let state = self.state();
        let left = u32::try_from(state.left / self.rules.cost()).unwrap_or(u32::MAX);
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
    fn cost(&self) -> u64 {
        self.successes_per_retry.into()
    }

    fn max(&self) -> u64 {
        u64::from(self.capacity.unwrap_or_default()) * self.cost()
    }
}
