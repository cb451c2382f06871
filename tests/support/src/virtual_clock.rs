//! A time that passes only when someone waits for it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kling_omni::{BootTime, Clock};
use kling_omni_sandbox::{Clock as _, ManualClock};

/// The client's clock, tied to the sandbox's: each wait of the client moves both on at once.
#[derive(Clone, Debug)]
pub struct VirtualClock {
    wall: ManualClock,
    origin: (Instant, SystemTime),
    /// Seconds by which the client's wall clock is wrong.
    wall_error: Arc<AtomicI64>,
    sleeps: Arc<Mutex<Vec<Duration>>>,
    events: Arc<Mutex<Vec<Event>>>,
}

struct Event {
    at: SystemTime,
    happen: Box<dyn FnOnce() + Send>,
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Event({:?})", self.at)
    }
}

impl VirtualClock {
    /// Begins at a fixed moment.
    pub fn new() -> Self {
        let start = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        Self {
            wall: ManualClock::new(start),
            origin: (Instant::now(), start),
            wall_error: Arc::default(),
            sleeps: Arc::default(),
            events: Arc::default(),
        }
    }

    /// Lets something happen so long after the beginning, in the middle of a wait: time stands still at that moment
    /// until everyone who was woken by it has had a turn.
    pub fn at(&self, since_start: Duration, happen: impl FnOnce() + Send + 'static) {
        let at = self.origin.1 + since_start;
        let happen = Box::new(happen);
        self.events.lock().unwrap().push(Event { at, happen });
    }

    /// How much time has passed since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.wall.now().duration_since(self.origin.1).unwrap()
    }

    fn advance_to(&self, moment: SystemTime) {
        let span = moment.duration_since(self.wall.now());
        self.wall.advance(span.unwrap_or_default());
    }

    /// The first event up to `until`, taken out.
    fn next_event(&self, until: SystemTime) -> Option<Event> {
        let mut events = self.events.lock().unwrap();
        let (index, event) = (0..).zip(events.iter()).min_by_key(|(_, event)| event.at)?;
        (event.at <= until).then(|| events.remove(index))
    }

    /// The same time for a sandbox.
    pub fn for_sandbox(&self) -> ManualClock {
        self.wall.clone()
    }

    /// Lets time pass without anyone waiting.
    pub fn advance(&self, span: Duration) {
        self.wall.advance(span);
    }

    /// Steps the client's wall clock by so many seconds. The monotonic clock and the sandbox's stay as they are.
    pub fn step_wall(&self, seconds: i64) {
        self.wall_error.fetch_add(seconds, Ordering::Relaxed);
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
        let error = self.wall_error.load(Ordering::Relaxed);
        let span = Duration::from_secs(error.unsigned_abs());
        match error < 0 {
            true => self.wall.now() - span,
            false => self.wall.now() + span,
        }
    }

    fn boot_time(&self) -> BootTime {
        BootTime::new("virtual", self.elapsed())
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.sleeps.lock().unwrap().push(duration);
        Box::pin(async move {
            let until = self.wall.now() + duration;
            while let Some(event) = self.next_event(until) {
                self.advance_to(event.at);
                (event.happen)();
                tokio::task::yield_now().await;
            }
            self.advance_to(until);
            tokio::task::yield_now().await;
        })
    }
}
