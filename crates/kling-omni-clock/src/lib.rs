#![doc = include_str!("../README.md")]
#![warn(missing_debug_implementations, missing_docs, unreachable_pub)]

mod boot_time;
mod manual;
mod system;

use std::fmt;
use std::pin::Pin;
use std::time::{Duration, Instant, SystemTime};

pub use boot_time::BootTime;
pub use manual::ManualClock;
pub use system::SystemClock;

/// The maximum sleep, as in tokio, if the deadline is not representable as an [`Instant`]: about thirty years.
const FAR_FUTURE: Duration = Duration::from_secs(86_400 * 365 * 30);

/// The future of [`Clock::sleep`] and [`Clock::sleep_until`].
pub type Sleep<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// A source of time that can be waited for.
///
/// Use [`SystemClock`], or [`ManualClock`] in tests. Timeouts of single network operations (connect, read) do not use a
/// `Clock`: they always run in real time.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Returns a monotonic reading, for deadlines and durations.
    fn now(&self) -> Instant;

    /// Returns the wall-clock time, for expiry and HTTP dates. It may be stepped in either direction at any time.
    fn system_time(&self) -> SystemTime;

    /// Returns a monotonic reading that can be compared with those of other processes of the same boot.
    ///
    /// The default uses [`now`](Self::now), so only readings of one process can be compared. An implementation should
    /// count suspension if possible.
    fn boot_time(&self) -> BootTime {
        BootTime::from_process(self.now())
    }

    /// Completes when [`now`](Self::now) reaches `deadline`.
    fn sleep_until(&self, deadline: Instant) -> Sleep<'_>;

    /// Completes when `duration` has passed since the call.
    fn sleep(&self, duration: Duration) -> Sleep<'_> {
        let now = self.now();
        let deadline = now.checked_add(duration);
        self.sleep_until(deadline.unwrap_or_else(|| now + FAR_FUTURE))
    }
}
