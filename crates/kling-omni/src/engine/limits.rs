//! The limits of a client: retries, requests per second, tasks in flight, spending.

pub(crate) mod in_flight;
pub(crate) mod rate_limiter;
pub(crate) mod retry_budget;
pub(crate) mod spend;
