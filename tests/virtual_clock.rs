//! A time that passes only when someone waits for it.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kling_omni::Clock;
use kling_omni_sandbox::{Clock as _, ManualClock};

/// The client's clock, tied to the sandbox's: each wait of the client moves both on at once.
#[derive(Clone, Debug)]
pub struct VirtualClock {
    wall: ManualClock,
    origin: (Instant, SystemTime),
    sleeps: Arc<Mutex<Vec<Duration>>>,
}

impl VirtualClock {
    /// Begins at a fixed moment.
    pub fn new() -> Self {
        let start = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        Self {
            wall: ManualClock::new(start),
            origin: (Instant::now(), start),
            sleeps: Arc::default(),
        }
    }

    /// The same time for a sandbox.
    pub fn for_sandbox(&self) -> ManualClock {
        self.wall.clone()
    }

    /// Lets time pass without anyone waiting.
    pub fn advance(&self, span: Duration) {
        self.wall.advance(span);
    }

    /// Every wait of the client so far.
    pub fn sleeps(&self) -> Vec<Duration> {
        self.sleeps.lock().unwrap().clone()
    }

    /// How long the client has waited so far.
    pub fn slept(&self) -> Duration {
        self.sleeps().iter().sum()
    }
}

impl Default for VirtualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Instant {
        let (instant, wall) = self.origin;
        instant + self.wall.now().duration_since(wall).unwrap_or_default()
    }

    fn system_time(&self) -> SystemTime {
        self.wall.now()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.sleeps.lock().unwrap().push(duration);
        self.wall.advance(duration);
        Box::pin(tokio::task::yield_now())
    }
}
