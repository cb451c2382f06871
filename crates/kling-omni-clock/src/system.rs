//! The time of the machine and of the tokio runtime.

use std::time::{Duration, Instant, SystemTime};

use crate::{BootTime, Clock, Sleep};

/// The time of the machine, or of tokio while its time is paused.
///
/// While tokio's time runs, [`system_time`](Clock::system_time) is the wall clock of the machine, including steps, and
/// [`boot_time`](Clock::boot_time) counts suspension. While it is paused, all readings follow it and agree with sleeps.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn system_time(&self) -> SystemTime {
        let (ahead, behind) = offset_from_machine();
        SystemTime::now() + ahead - behind
    }

    fn boot_time(&self) -> BootTime {
        let Some((boot, since)) = boot_clock() else {
            return BootTime::from_process(self.now());
        };
        let (ahead, behind) = offset_from_machine();
        BootTime::new(boot, (since + ahead).saturating_sub(behind))
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep<'_> {
        Box::pin(tokio::time::sleep_until(deadline.into()))
    }
}

/// The offset of tokio's time from the machine's, ahead and behind. It is nonzero only if tokio's time was paused.
fn offset_from_machine() -> (Duration, Duration) {
    let machine = Instant::now();
    let tokio = tokio::time::Instant::now().into_std();
    (
        tokio.saturating_duration_since(machine),
        machine.saturating_duration_since(tokio),
    )
}

/// The current boot and the time since it started, including suspension.
#[cfg(target_os = "linux")]
fn boot_clock() -> Option<(Box<str>, Duration)> {
    use std::sync::LazyLock;

    use rustix::time::{ClockId, clock_gettime};

    // A time namespace has its own offset within the same boot.
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
