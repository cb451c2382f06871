//! A clock for tests.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;

use crate::{BootTime, Clock, Sleep};

/// A clock that advances only on request. Clones share the time.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use kling_omni_clock::{Clock, ManualClock};
///
/// let start = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
/// let clock = ManualClock::new(start);
/// let shared = clock.clone();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(shared.system_time(), start + Duration::from_secs(60));
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock {
    /// The initial value of [`Clock::now`].
    origin: Instant,
    boot: Arc<str>,
    reading: Arc<watch::Sender<Reading>>,
}

#[derive(Clone, Copy, Debug)]
struct Reading {
    /// The time since the origin.
    elapsed: Duration,
    wall: SystemTime,
}

impl ManualClock {
    /// Creates a clock at `start`.
    pub fn new(start: SystemTime) -> Self {
        let reading = Reading {
            elapsed: Duration::ZERO,
            wall: start,
        };
        Self {
            origin: Instant::now(),
            boot: format!("manual-{:016x}", fastrand::u64(..)).into(),
            reading: Arc::new(watch::Sender::new(reading)),
        }
    }

    /// Advances all readings by `span`, and wakes all sleeps whose deadline has passed.
    ///
    /// The time advances in one step: a task that wakes and sleeps again sleeps from the new time on, until the clock
    /// is advanced again.
    pub fn advance(&self, span: Duration) {
        self.reading.send_modify(|reading| {
            reading.elapsed += span;
            reading.wall += span;
        });
    }

    /// Sets the wall clock, as an administrator or a time server does. Monotonic readings do not change, and no sleep
    /// completes.
    ///
    /// A client reads the wall clock each time it needs it; a sandbox reads it once, at its start.
    pub fn set_system_time(&self, time: SystemTime) {
        self.reading.send_modify(|reading| reading.wall = time);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        self.origin + self.reading.borrow().elapsed
    }

    fn system_time(&self) -> SystemTime {
        self.reading.borrow().wall
    }

    fn boot_time(&self) -> BootTime {
        BootTime::new(&*self.boot, self.reading.borrow().elapsed)
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep<'_> {
        let deadline = deadline.saturating_duration_since(self.origin);
        let mut reading = self.reading.subscribe();
        Box::pin(async move {
            // The future borrows the sender, so the wait cannot fail.
            let _ = reading
                .wait_for(|reading| reading.elapsed >= deadline)
                .await;
        })
    }
}
