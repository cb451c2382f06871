//! Exponential backoff with jitter between attempts.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// Exponential backoff with jitter, for when the service requests no delay of its own.
#[derive(Debug)]
pub(crate) struct Backoff(ExponentialBackoff);

impl Backoff {
    const FIRST: Duration = Duration::from_millis(500);
    pub(crate) const LONGEST: Duration = Duration::from_secs(8);

    pub(crate) fn next_pause(&mut self) -> Duration {
        self.0.next().unwrap_or(Self::LONGEST)
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self(
            ExponentialBuilder::default()
                .with_min_delay(Self::FIRST)
                .with_max_delay(Self::LONGEST)
                .with_jitter()
                .without_max_times()
                .build(),
        )
    }
}
