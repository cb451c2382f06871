//! Where the client reads the time and waits, so that both can be replaced.

use std::fmt::{self, Write as _};
use std::future::Future;
use std::pin::Pin;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

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

    /// A monotonic reading that another process can compare with its own. It measures how long a create may still make
    /// a task, which no step of the wall clock may shorten.
    ///
    /// The default counts from [`now`](Self::now), and only readings of one process can be compared. Where time spent in
    /// suspension can be counted, an implementation should count it.
    fn boot_time(&self) -> BootTime {
        BootTime::of_process(self.now())
    }

    /// Completes once `duration` has passed.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// A reading of a monotonic clock, with an identifier of the period in which it ticks.
///
/// On Linux that period is the boot of the machine: readings of several processes can be compared, and time spent in
/// suspension counts. Elsewhere it is the process. Readings of different periods cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BootTime {
    #[serde(rename = "boot_id")]
    boot: Box<str>,
    #[serde(rename = "uptime_ms")]
    ms: u64,
}

impl BootTime {
    /// The reading `since` the beginning of the period that is named `boot`. Milliseconds are kept.
    pub fn new(boot: impl Into<Box<str>>, since: Duration) -> Self {
        let boot = boot.into();
        let ms = since.as_millis().try_into().unwrap_or(u64::MAX);
        Self { boot, ms }
    }

    fn of_process(now: Instant) -> Self {
        static PROCESS: LazyLock<(Box<str>, Instant)> = LazyLock::new(|| {
            let name = format!("process-{:016x}", fastrand::u64(..));
            let now = Instant::now();
            // A clock of the caller's own may begin earlier than this one is first read.
            let origin = now.checked_sub(Duration::from_secs(86_400)).unwrap_or(now);
            (name.into(), origin)
        });
        let (name, origin) = &*PROCESS;
        Self::new(name.clone(), now.saturating_duration_since(*origin))
    }

    /// How much time has passed since `earlier`: zero if it is the later one, `None` if the two cannot be compared.
    pub fn since(&self, earlier: &Self) -> Option<Duration> {
        let is_comparable = self.boot == earlier.boot;
        is_comparable.then(|| Duration::from_millis(self.ms.saturating_sub(earlier.ms)))
    }

    /// The reading after another `span`.
    pub(crate) fn after(&self, span: Duration) -> Self {
        let ms = span.as_millis().try_into().unwrap_or(u64::MAX);
        Self {
            boot: self.boot.clone(),
            ms: self.ms.saturating_add(ms),
        }
    }
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

    fn boot_time(&self) -> BootTime {
        let (now, real) = (self.now(), Instant::now());
        let Some(boot) = boot_clock() else {
            return BootTime::of_process(now);
        };
        // Differs from the machine's time only while tokio's is paused.
        let since = boot.1 + now.saturating_duration_since(real);
        let since = since.saturating_sub(real.saturating_duration_since(now));
        BootTime::new(boot.0, since)
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// The running boot and the time since it began, suspension included.
#[cfg(target_os = "linux")]
fn boot_clock() -> Option<(Box<str>, Duration)> {
    use rustix::time::{ClockId, clock_gettime};

    // A time namespace has an offset of its own within the same boot.
    static BOOT: LazyLock<Option<Box<str>>> = LazyLock::new(|| {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let namespace = std::fs::read_link("/proc/self/ns/time").unwrap_or_default();
        Some(format!("{}/{}", boot.trim(), namespace.display()).into())
    });
    let boot = BOOT.clone()?;
    let reading = clock_gettime(ClockId::Boottime);
    Some((boot, reading.try_into().ok()?))
}

#[cfg(not(target_os = "linux"))]
fn boot_clock() -> Option<(Box<str>, Duration)> {
    None
}

/// A moment as RFC 3339 writes it, in UTC; `None` for years that it cannot write.
pub(crate) fn shown(time: SystemTime) -> Option<String> {
    let mut text = String::new();
    // Where `to_string` would panic, this is an error.
    write!(text, "{}", humantime::format_rfc3339_seconds(time)).ok()?;
    Some(text)
}
