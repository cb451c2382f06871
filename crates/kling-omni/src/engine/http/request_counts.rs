//! Counts the requests of a client to the service.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// How many requests a client has sent for an operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RequestCount {
    /// The number of requests, retries included.
    pub requests: u64,
    /// The number of them that failed: no or an incomplete response, an error status, or a response that is not from the service.
    pub failures: u64,
}

/// The counts of all operations.
#[derive(Debug, Default)]
pub(crate) struct RequestCounts(Mutex<BTreeMap<&'static str, RequestCount>>);

impl RequestCounts {
    pub(crate) fn record(&self, operation: &'static str, failed: bool) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(operation).or_default();
        count.requests += 1;
        count.failures += u64::from(failed);
    }

    pub(crate) fn read(&self) -> BTreeMap<&'static str, RequestCount> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.clone()
    }
}
