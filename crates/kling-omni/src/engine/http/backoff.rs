//! Exponential backoff with jitter between attempts.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// Exponential backoff with jitter, for when the service requests no delay of its own.
#[derive(Debug)]
pub(crate) struct Backoff(ExponentialBackoff);

impl Backoff {
    const MIN_DELAY: Duration = Duration::from_millis(500);
    pub(crate) const MAX_DELAY: Duration = Duration::from_secs(8);

    pub(crate) fn next_delay(&mut self) -> Duration {
        self.0.next().unwrap_or(Self::MAX_DELAY)
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self(
            ExponentialBuilder::default()
                .with_min_delay(Self::MIN_DELAY)
                .with_max_delay(Self::MAX_DELAY)
                .with_jitter()
                .without_max_times()
                .build(),
        )
    }
}
