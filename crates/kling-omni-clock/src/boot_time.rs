//! A monotonic reading that outlives the process.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// A reading of a monotonic clock, with an identifier of the period in which it ticks.
///
/// On Linux that period is the boot of the machine: readings of several processes can be compared, and time spent in
/// suspension counts. Elsewhere it is the process. Readings of different periods cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BootTime {
    boot_id: Box<str>,
    uptime_ms: u64,
}

impl BootTime {
    /// The reading `since` the beginning of the period that is named `boot`. Milliseconds are kept.
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
            // A clock of the caller's own may begin earlier than this one is first read.
            let origin = now.checked_sub(Duration::from_secs(86_400)).unwrap_or(now);
            (name.into(), origin)
        });
        let (name, origin) = &*PROCESS;
        Self::new(name.clone(), now.saturating_duration_since(*origin))
    }

    /// How much time has passed since `earlier`: zero if it is the later one, `None` if the two cannot be compared.
    pub fn since(&self, earlier: &Self) -> Option<Duration> {
        let is_comparable = self.boot_id == earlier.boot_id;
        is_comparable
            .then(|| Duration::from_millis(self.uptime_ms.saturating_sub(earlier.uptime_ms)))
    }

    /// The reading `span` later, or the latest one of the period if that is beyond it.
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
