//! The time of the sandbox, based on any clock.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

pub use kling_omni_clock::{Clock, ManualClock, Sleep, SystemClock};

/// The wall time at the start of the sandbox, advanced by the monotonic clock.
///
/// A step of the wall clock does not affect it, because tasks, rate limit windows and signed URLs would end too early or
/// too late.
#[derive(Clone, Debug)]
pub(crate) struct ServiceClock {
    clock: Arc<dyn Clock>,
    wall: SystemTime,
    instant: Instant,
}

impl ServiceClock {
    /// Starts at the current wall time of `clock`.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let (wall, instant) = (clock.system_time(), clock.now());
        Self {
            clock,
            wall,
            instant,
        }
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.wall + self.clock.now().duration_since(self.instant)
    }

    /// Completes when [`now`](Self::now) reaches `deadline`.
    pub(crate) fn sleep_until(&self, deadline: SystemTime) -> Sleep<'_> {
        let since_start = deadline.duration_since(self.wall).unwrap_or_default();
        self.clock.sleep_until(self.instant + since_start)
    }
}

/// Returns the seconds since 1970, rounded down.
pub(crate) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
