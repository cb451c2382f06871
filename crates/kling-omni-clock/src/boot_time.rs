//! Monotonic readings that can be compared across processes.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// A reading of a monotonic clock, with an identifier of the period in which readings can be compared.
///
/// On Linux the period is the boot of the machine: readings of several processes can be compared, and suspension
/// counts. On other systems it is the process. Readings of different periods cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BootTime {
    boot_id: Box<str>,
    uptime_ms: u64,
}

impl BootTime {
    /// The reading `since` the start of the period `boot`, in milliseconds.
    pub fn new(boot: impl Into<Box<str>>, since: Duration) -> Self {
        Self {
            boot_id: boot.into(),
            uptime_ms: whole_millis(since),
        }
    }

    pub(crate) fn from_process(now: Instant) -> Self {
        static PROCESS: LazyLock<(Box<str>, Instant)> = LazyLock::new(|| {
            let name = format!("process-{:016x}", fastrand::u64(..));
            let now = Instant::now();
            // A custom clock may start earlier than its first reading here.
            let origin = now.checked_sub(Duration::from_secs(86_400)).unwrap_or(now);
            (name.into(), origin)
        });
        let (name, origin) = &*PROCESS;
        Self::new(name.clone(), now.saturating_duration_since(*origin))
    }

    /// The time since `earlier`: zero if `earlier` is later, `None` if the readings cannot be compared.
    pub fn since(&self, earlier: &Self) -> Option<Duration> {
        let is_comparable = self.boot_id == earlier.boot_id;
        is_comparable
            .then(|| Duration::from_millis(self.uptime_ms.saturating_sub(earlier.uptime_ms)))
    }

    /// The reading `span` later, saturating at the end of the period.
    pub fn saturating_add(&self, span: Duration) -> Self {
        Self {
            boot_id: self.boot_id.clone(),
            uptime_ms: self.uptime_ms.saturating_add(whole_millis(span)),
        }
    }
}

fn whole_millis(span: Duration) -> u64 {
    span.as_millis().try_into().unwrap_or(u64::MAX)
}
