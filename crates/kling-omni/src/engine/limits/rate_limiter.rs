//! The rate limit: how many requests are sent per second.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Throttles requests: spaces them evenly if a rate was set, and pauses them for the time that the service requests.
pub(crate) struct RateLimiter {
    interval: Duration,
    slots: Mutex<SlotState>,
}

/// When requests may be sent.
#[derive(Default)]
struct SlotState {
    /// The first free slot.
    next_free: Option<Instant>,
    /// The end of the pause.
    paused_until: Option<Instant>,
}

impl RateLimiter {
    /// Allows at most one request in each `interval`. Zero means no limit.
    pub(crate) fn new(interval: Duration) -> Self {
        Self {
            interval,
            slots: Mutex::default(),
        }
    }

    /// Acquires the next slot and returns the wait until it. Does not acquire a slot that is more than `max_wait` away, and
    /// returns the wait as the error.
    pub(crate) fn acquire(&self, now: Instant, max_wait: Duration) -> Result<Duration, Duration> {
        let mut slots = self.slots();
        let slot = [slots.next_free, slots.paused_until].into_iter().flatten();
        let slot = slot.fold(now, Instant::max);
        let wait = slot.duration_since(now);
        if wait > max_wait {
            return Err(wait);
        }
        slots.next_free = slot.checked_add(self.interval);
        Ok(wait)
    }

    /// When the next slot is, if it is in the future. Does not acquire it.
    pub(crate) fn next_slot(&self, now: Instant) -> Option<Instant> {
        let slots = self.slots();
        let next = slots.next_free.max(slots.paused_until);
        next.filter(|slot| *slot > now)
    }

    /// Pauses all requests for this long.
    pub(crate) fn pause(&self, now: Instant, duration: Duration) {
        let until = now.checked_add(duration);
        let mut slots = self.slots();
        slots.paused_until = slots.paused_until.max(until);
    }

    fn slots(&self) -> MutexGuard<'_, SlotState> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
