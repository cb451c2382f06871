use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// When the next request may be sent: evenly spaced if a rate was set, and not before the moment that the service has
/// named.
pub(crate) struct RateLimiter {
    interval: Duration,
    turns: Mutex<Turns>,
}

#[derive(Default)]
struct Turns {
    /// The first turn that nobody has taken.
    free_from: Option<Instant>,
    /// The service takes no requests before.
    held_until: Option<Instant>,
}

impl RateLimiter {
    /// No more than one request in each `interval`, which is zero for no limit.
    pub(crate) fn new(interval: Duration) -> Self {
        Self {
            interval,
            turns: Mutex::default(),
        }
    }

    /// Takes the next turn, unless it is more than `most` away, and says how far off it is either way.
    pub(crate) fn take(&self, now: Instant, most: Duration) -> Result<Duration, Duration> {
        let mut turns = self.turns();
        let turn = [turns.free_from, turns.held_until].into_iter().flatten();
        let turn = turn.fold(now, Instant::max);
        let wait = turn.duration_since(now);
        if wait > most {
            return Err(wait);
        }
        turns.free_from = turn.checked_add(self.interval);
        Ok(wait)
    }

    /// When the next turn is, if that is still to come. Takes none.
    pub(crate) fn next_turn(&self, now: Instant) -> Option<Instant> {
        let turns = self.turns();
        let next = turns.free_from.max(turns.held_until);
        next.filter(|turn| *turn > now)
    }

    /// The service takes no requests for this long.
    pub(crate) fn hold(&self, now: Instant, span: Duration) {
        let until = now.checked_add(span);
        let mut turns = self.turns();
        turns.held_until = turns.held_until.max(until);
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
