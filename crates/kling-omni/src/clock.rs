//! Where the client reads the time and waits, so that both can be replaced.

use std::fmt::{self, Write as _};
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant, SystemTime};

/// Time as the client sees it: polls, backoff, deadlines and expiry go through it.
///
/// The default is [`TokioClock`]. Give another one to [`ClientBuilder::clock`](crate::ClientBuilder::clock) to drive
/// waits in tests without sleeping. Limits on a single network exchange (connect, attempt and idle timeouts) are not
/// part of it: they guard real sockets and always run in real time.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// A monotonic reading, for deadlines.
    fn now(&self) -> Instant;

    /// The wall-clock time, for expiry and HTTP dates.
    fn system_time(&self) -> SystemTime;

    /// Completes once `duration` has passed.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The time of the running tokio runtime; follows `tokio::time::pause`.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioClock;

impl Clock for TokioClock {
    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn system_time(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A moment as RFC 3339 writes it, in UTC; `None` for years that it cannot write.
pub(crate) fn shown(time: SystemTime) -> Option<String> {
    let mut text = String::new();
    // Where `to_string` would panic, this is an error.
    write!(text, "{}", humantime::format_rfc3339_seconds(time)).ok()?;
    Some(text)
}
