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

/// What a sleep that no [`Instant`] can express is cut to, as tokio does: some thirty years.
const FAR_FUTURE: Duration = Duration::from_secs(86_400 * 365 * 30);

/// The future of [`Clock::sleep`] and [`Clock::sleep_until`].
pub type Sleep<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// A source of time, and a way to wait for it.
///
/// Use [`SystemClock`], or [`ManualClock`] in tests. Timeouts of single network operations (connect, read) do not follow
/// a `Clock`: they guard real sockets and always run in real time.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// A monotonic reading, for deadlines and durations.
    fn now(&self) -> Instant;

    /// The wall-clock time, for expiry and HTTP dates. It may be stepped in either direction at any time.
    fn system_time(&self) -> SystemTime;

    /// A monotonic reading that can be compared with one from another process of the same boot.
    ///
    /// The default counts from [`now`](Self::now), and only readings of one process can be compared. Where time spent in
    /// suspension can be counted, an implementation should count it.
    fn boot_time(&self) -> BootTime {
        BootTime::from_process(self.now())
    }

    /// Completes once [`now`](Self::now) has reached `deadline`.
    fn sleep_until(&self, deadline: Instant) -> Sleep<'_>;

    /// Completes once `duration` has passed since the call.
    fn sleep(&self, duration: Duration) -> Sleep<'_> {
        let now = self.now();
        let deadline = now.checked_add(duration);
        self.sleep_until(deadline.unwrap_or_else(|| now + FAR_FUTURE))
    }
}
