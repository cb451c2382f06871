//! The time of the service, made from any clock.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

pub use kling_omni_clock::{Clock, ManualClock, Sleep, SystemClock};

/// The wall time that a clock showed when the sandbox started, carried on by its monotonic readings.
///
/// It does not jump when the machine's clock is set: tasks, windows and signed URLs would end early or late.
#[derive(Clone, Debug)]
pub(crate) struct ServiceClock {
    clock: Arc<dyn Clock>,
    wall: SystemTime,
    instant: Instant,
}

impl ServiceClock {
    /// Starts from the clock's wall time.
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

    /// Completes once [`now`](Self::now) has reached `deadline`.
    pub(crate) fn sleep_until(&self, deadline: SystemTime) -> Sleep<'_> {
        let since_start = deadline.duration_since(self.wall).unwrap_or_default();
        self.clock.sleep_until(self.instant + since_start)
    }
}

/// Whole seconds since 1970, rounded down.
pub(crate) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
