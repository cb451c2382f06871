use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::Instant;

/// The future of [`Clock::sleep_until`].
pub type Sleep<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Where the sandbox takes the time from: task life, rate limit windows, result expiry, webhook timestamps and the
/// `date` header all follow it.
///
/// Tests give a [`ManualClock`]; the default is [`SystemClock`].
pub trait Clock: fmt::Debug + Send + Sync {
    /// The wall time now.
    fn now(&self) -> SystemTime;

    /// Waits until [`now`](Self::now) has reached `deadline`.
    fn sleep_until(&self, deadline: SystemTime) -> Sleep<'_>;
}

/// The wall time of the machine when it was made, carried on by tokio's clock.
///
/// It does not jump when the machine's clock is set, and stands still under tokio's paused time.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    wall: SystemTime,
    instant: Instant,
}

impl SystemClock {
    /// Starts from the machine's wall time.
    pub fn new() -> Self {
        Self {
            wall: SystemTime::now(),
            instant: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        self.wall + self.instant.elapsed()
    }

    fn sleep_until(&self, deadline: SystemTime) -> Sleep<'_> {
        let since_start = deadline.duration_since(self.wall).unwrap_or_default();
        Box::pin(tokio::time::sleep_until(self.instant + since_start))
    }
}

/// A clock that only moves when told to. Clones share the time.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use kling_omni_sandbox::{Clock, ManualClock};
///
/// let clock = ManualClock::new(UNIX_EPOCH + Duration::from_secs(1_800_000_000));
/// let shared = clock.clone();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(shared.now(), UNIX_EPOCH + Duration::from_secs(1_800_000_060));
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock {
    time: Arc<watch::Sender<SystemTime>>,
}

impl ManualClock {
    /// Stands at `start` until it is advanced.
    pub fn new(start: SystemTime) -> Self {
        Self {
            time: Arc::new(watch::Sender::new(start)),
        }
    }

    /// Moves the time forward by `span` and wakes everyone whose deadline has come.
    pub fn advance(&self, span: Duration) {
        self.time.send_modify(|time| *time += span);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        *self.time.borrow()
    }

    fn sleep_until(&self, deadline: SystemTime) -> Sleep<'_> {
        let mut time = self.time.subscribe();
        Box::pin(async move {
            // The sender is borrowed for as long as this future lives, so that the wait cannot end in an error.
            let _ = time.wait_for(|time| *time >= deadline).await;
        })
    }
}
