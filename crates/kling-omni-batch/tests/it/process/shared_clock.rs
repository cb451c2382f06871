//! A time that a sandbox and the processes of a test share.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kling_omni::clock::{BootTime, Clock, Sleep};

/// A time in a file. In a process that runs a batch, each wait advances it at once, so nothing is slept. In the sandbox, a
/// wait ends when another process has advanced it.
#[derive(Clone, Debug)]
pub(crate) struct SharedClock {
    file: Arc<File>,
    origin: Instant,
    /// Locked while the time is advanced; `None` in the sandbox.
    advances: Option<Arc<Mutex<()>>>,
}

impl SharedClock {
    /// The clock of a sandbox, in a new file.
    pub(crate) fn create(path: &Path) -> Self {
        let clock = Self::new(path, None);
        clock.write(Duration::ZERO);
        clock
    }

    /// The clock of a process that runs a batch.
    pub(crate) fn open(path: &Path) -> Self {
        Self::new(path, Some(Arc::default()))
    }

    fn new(path: &Path, advances: Option<Arc<Mutex<()>>>) -> Self {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        Self {
            file: Arc::new(options.open(path).unwrap()),
            origin: Instant::now(),
            advances,
        }
    }

    fn elapsed(&self) -> Duration {
        let mut bytes = [0; 8];
        self.file.read_exact_at(&mut bytes, 0).unwrap();
        Duration::from_micros(u64::from_le_bytes(bytes))
    }

    fn write(&self, elapsed: Duration) {
        let micros = u64::try_from(elapsed.as_micros()).unwrap();
        self.file.write_all_at(&micros.to_le_bytes(), 0).unwrap();
    }

    /// Advances the time while no process runs that does.
    pub(crate) fn advance(&self, span: Duration) {
        self.write(self.elapsed() + span);
    }
}

impl Clock for SharedClock {
    fn now(&self) -> Instant {
        self.origin + self.elapsed()
    }

    fn system_time(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_000) + self.elapsed()
    }

    fn boot_time(&self) -> BootTime {
        BootTime::new("shared", self.elapsed())
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep<'_> {
        // A microsecond later than the deadline, which may be between two.
        let until = deadline.saturating_duration_since(self.origin) + Duration::from_micros(1);
        Box::pin(async move {
            let Some(advances) = &self.advances else {
                while self.elapsed() < until {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                return;
            };
            // What is ready has a turn first.
            tokio::task::yield_now().await;
            {
                let _locked = advances.lock().unwrap();
                if self.elapsed() < until {
                    self.write(until);
                }
            }
            tokio::task::yield_now().await;
        })
    }
}
