//! A time that passes only when someone waits for it.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kling_omni::clock::Sleep;
use kling_omni::clock::{BootTime, Clock, ManualClock};

/// The client's clock, tied to the sandbox's: each wait of the client moves both on at once.
#[derive(Clone, Debug)]
pub struct VirtualClock {
    time: ManualClock,
    origin: Instant,
    sleeps: Arc<Mutex<Vec<Duration>>>,
    events: Arc<Mutex<Vec<Event>>>,
}

struct Event {
    at: Instant,
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
        let time = ManualClock::new(UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        Self {
            origin: time.now(),
            time,
            sleeps: Arc::default(),
            events: Arc::default(),
        }
    }

    /// Lets something happen so long after the beginning, in the middle of a wait: time stands still at that moment
    /// until everyone who was woken by it has had a turn.
    pub fn at(&self, since_start: Duration, happen: impl FnOnce() + Send + 'static) {
        let at = self.origin + since_start;
        let happen = Box::new(happen);
        self.events.lock().unwrap().push(Event { at, happen });
    }

    /// How much time has passed since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.now() - self.origin
    }

    fn advance_to(&self, moment: Instant) {
        self.advance(moment.saturating_duration_since(self.now()));
    }

    /// The first event up to `until`, taken out.
    fn next_event(&self, until: Instant) -> Option<Event> {
        let mut events = self.events.lock().unwrap();
        let (index, event) = (0..).zip(events.iter()).min_by_key(|(_, event)| event.at)?;
        (event.at <= until).then(|| events.remove(index))
    }

    /// The same time for a sandbox, whose waits do not move it.
    pub fn for_sandbox(&self) -> ManualClock {
        self.time.clone()
    }

    /// Lets time pass without anyone waiting.
    pub fn advance(&self, span: Duration) {
        self.time.advance(span);
    }

    /// Steps the client's wall clock by so many seconds. The monotonic clock and the sandbox's stay as they are.
    pub fn step_wall(&self, seconds: i64) {
        let span = Duration::from_secs(seconds.unsigned_abs());
        let wall = self.system_time();
        self.time.set_system_time(match seconds < 0 {
            true => wall - span,
            false => wall + span,
        });
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
        self.time.now()
    }

    fn system_time(&self) -> SystemTime {
        self.time.system_time()
    }

    fn boot_time(&self) -> BootTime {
        BootTime::new("virtual", self.elapsed())
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep<'_> {
        let duration = deadline.saturating_duration_since(self.now());
        self.sleeps.lock().unwrap().push(duration);
        Box::pin(async move {
            let until = self.now() + duration;
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
