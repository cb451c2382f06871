//! A clock that runs faster.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kling_omni::clock::Clock;
use kling_omni::clock::Sleep;

/// Time that passes faster than it does, for client and sandbox alike: they are different processes, and count from the
/// same moment.
#[derive(Clone, Copy, Debug)]
pub struct FastClock {
    wall: SystemTime,
    instant: Instant,
    faster: u32,
}

impl FastClock {
    /// Starts now, and runs so many times as fast as time.
    pub fn new(faster: u32) -> Self {
        Self {
            wall: SystemTime::now(),
            instant: Instant::now(),
            faster,
        }
    }

    /// Goes with a clock that was started at this moment, in nanoseconds since 1970.
    pub fn since(origin: u64, faster: u32) -> Self {
        let wall = UNIX_EPOCH + Duration::from_nanos(origin);
        let passed = wall.elapsed().unwrap_or_default();
        Self {
            wall,
            instant: Instant::now() - passed,
            faster,
        }
    }

    pub fn origin(&self) -> u64 {
        let origin = self.wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(origin.as_nanos()).unwrap_or(u64::MAX)
    }

    /// The seconds that a moment comes after the origin.
    pub fn age(&self, moment: SystemTime) -> f64 {
        let age = moment.duration_since(self.wall).unwrap_or_default();
        age.as_secs_f64()
    }

    fn passed(&self) -> Duration {
        self.instant.elapsed() * self.faster
    }
}

impl Clock for FastClock {
    fn now(&self) -> Instant {
        self.instant + self.passed()
    }

    fn system_time(&self) -> SystemTime {
        self.wall + self.passed()
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep<'_> {
        let since = deadline.saturating_duration_since(self.instant);
        let deadline = self.instant + since / self.faster;
        Box::pin(tokio::time::sleep_until(deadline.into()))
    }
}
