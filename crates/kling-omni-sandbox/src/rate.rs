//! The rate limit of each key.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, header};

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// The rate limiter: a fixed window for each key, which starts at the first request of the key.
#[derive(Debug)]
pub(crate) struct RateLimits {
    limit: u32,
    window: Duration,
    /// By the index of the key among the accepted keys.
    windows: Mutex<HashMap<usize, Window>>,
}

#[derive(Debug)]
struct Window {
    started: SystemTime,
    used: u32,
}

/// The rate limit headers for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RateLimitStatus {
    pub(crate) allowed: bool,
    limit: u32,
    remaining: u32,
    reset: u64,
}

impl RateLimits {
    pub(crate) fn new(limit: u32, window: Duration) -> Self {
        Self {
            limit,
            window,
            windows: Mutex::default(),
        }
    }

    /// Counts one request of `key`. A rejected request does not count.
    pub(crate) fn acquire(&self, key: usize, now: SystemTime) -> RateLimitStatus {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.entry(key).or_insert(Window {
            started: now,
            used: 0,
        });
        let mut elapsed = now.duration_since(window.started).unwrap_or_default();
        if elapsed >= self.window {
            *window = Window {
                started: now,
                used: 0,
            };
            elapsed = Duration::ZERO;
        }
        let allowed = window.used < self.limit;
        if allowed {
            window.used += 1;
        }
        let left = self.window - elapsed;
        RateLimitStatus {
            allowed,
            limit: self.limit,
            remaining: self.limit - window.used,
            reset: left.as_secs() + u64::from(left.subsec_nanos() > 0),
        }
    }
}

impl RateLimitStatus {
    /// Sets the rate limit headers of a response.
    pub(crate) fn write(self, headers: &mut HeaderMap, retry_after: bool) {
        headers.insert(LIMIT, self.limit.into());
        headers.insert(REMAINING, self.remaining.into());
        headers.insert(RESET, HeaderValue::from(self.reset));
        if retry_after && !self.allowed {
            headers.insert(header::RETRY_AFTER, self.reset.into());
        }
    }
}

/// Replaces the seconds until the reset by its unix time.
pub(crate) fn reset_as_time(headers: &mut HeaderMap, now: u64) {
    let seconds = headers.get(RESET).and_then(|value| value.to_str().ok());
    let seconds = seconds
        .and_then(|text| text.parse::<u64>().ok())
        .unwrap_or(0);
    headers.insert(RESET, HeaderValue::from(now + seconds));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_is_exhausted_and_reset() {
        let limits = RateLimits::new(2, Duration::from_secs(10));
        let start = SystemTime::UNIX_EPOCH;
        // key, milliseconds, allowed, remaining, reset
        let cases = [
            (0, 0, true, 1, 10),
            (0, 9_001, true, 0, 1),
            (0, 9_999, false, 0, 1),
            (1, 9_999, true, 1, 10),
            (0, 10_000, true, 1, 10),
            (1, 19_998, true, 0, 1),
            (1, 19_999, true, 1, 10),
        ];
        for (key, at, allowed, remaining, reset) in cases {
            let expected = RateLimitStatus {
                allowed,
                limit: 2,
                remaining,
                reset,
            };
            let status = limits.acquire(key, start + Duration::from_millis(at));
            assert_eq!(status, expected, "key {key} at {at} ms");
        }
    }
}
