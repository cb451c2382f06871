//! The waits that the headers of a response request.

use std::time::{Duration, SystemTime};

use http::header::{HeaderMap, RETRY_AFTER};

/// A longer wait is not a number of seconds but a timestamp or a mistake.
const MAX_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Returns the service's id of the request.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<String> {
    text(headers, "x-request-id")
        .filter(|id| id.len() <= 128 && id.bytes().all(|b| b.is_ascii_graphic()))
        .map(str::to_owned)
}

/// Returns the wait that the service requests: `Retry-After` in seconds or as a date, else, if `limited`, the seconds until
/// the rate limit window resets.
pub(crate) fn wait(headers: &HeaderMap, limited: bool, now: SystemTime) -> Option<Duration> {
    let plausible = |wait: &Duration| *wait <= MAX_WAIT;
    text(headers, RETRY_AFTER.as_str())
        .and_then(|value| retry_after(value, now))
        .filter(plausible)
        .or_else(|| limited.then(|| rate_limit_reset(headers)).flatten())
        .filter(plausible)
}

/// Returns how long the service throttles further requests: the wait that a 429 requests, or the time until an exhausted
/// rate limit window resets.
pub(crate) fn throttled_for(
    headers: &HeaderMap,
    limited: bool,
    now: SystemTime,
) -> Option<Duration> {
    let is_exhausted = text(headers, "x-ratelimit-remaining") == Some("0");
    match (limited, is_exhausted) {
        (true, _) => wait(headers, true, now),
        (false, true) => rate_limit_reset(headers).filter(|wait| *wait <= MAX_WAIT),
        (false, false) => None,
    }
}

fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    if let Some(wait) = seconds(value) {
        return Some(wait);
    }
    let date = httpdate::parse_http_date(value).ok()?;
    let wait = date.duration_since(now).unwrap_or_default();
    Some(Duration::from_secs(whole_seconds(wait)))
}

fn rate_limit_reset(headers: &HeaderMap) -> Option<Duration> {
    seconds(text(headers, "x-ratelimit-reset")?)
}

/// Parses a number of seconds, with or without a decimal fraction, and rounds it up.
fn seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number =
        |digits: &str| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let more = fraction.bytes().any(|digit| digit != b'0');
    let seconds: u64 = whole.parse().ok()?;
    Some(Duration::from_secs(seconds.saturating_add(more.into())))
}

/// Returns the seconds of a wait, rounded up, because an earlier request would be rejected again.
pub(crate) fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs()
        .saturating_add(u64::from(wait.subsec_nanos() > 0))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Headers, whether the rate limit was hit, and the seconds to wait.
    type Case = (&'static [(&'static str, &'static str)], bool, Option<u64>);

    #[test]
    fn wait_is_read_from_the_headers_of_the_service() {
        let now = httpdate::parse_http_date("Sun, 22 Nov 2026 10:00:00 GMT").unwrap();
        let cases: &[Case] = &[
            (&[], true, None),
            (&[("retry-after", "7")], false, Some(7)),
            (
                &[("retry-after", "7"), ("x-ratelimit-reset", "60")],
                true,
                Some(7),
            ),
            (
                &[("retry-after", "Sun, 22 Nov 2026 10:00:30 GMT")],
                false,
                Some(30),
            ),
            (
                &[("retry-after", "Sun, 22 Nov 2026 09:00:00 GMT")],
                false,
                Some(0),
            ),
            (
                &[("retry-after", "soon"), ("x-ratelimit-reset", "60")],
                true,
                Some(60),
            ),
            (&[("retry-after", "292.05")], true, Some(293)),
            (&[("retry-after", "0.001")], true, Some(1)),
            (&[("retry-after", "7.000")], true, Some(7)),
            (&[("retry-after", "86400.5")], true, None),
            (&[("x-ratelimit-reset", "59.01")], true, Some(60)),
            (
                &[("retry-after", "1e3"), ("x-ratelimit-reset", "60")],
                true,
                Some(60),
            ),
            (&[("retry-after", "7.")], true, None),
            (&[("retry-after", ".5")], true, None),
            (&[("retry-after", "inf")], true, None),
            (&[("retry-after", "-0.5")], true, None),
            (&[("retry-after", "-5")], true, None),
            (&[("x-ratelimit-reset", "60")], true, Some(60)),
            (&[("x-ratelimit-reset", "60")], false, None),
            (&[("x-ratelimit-reset", "1761445403")], true, None),
            (&[("retry-after", "18446744073709551615")], true, None),
        ];
        for (headers, limited, seconds) in cases {
            let map = headers
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .collect();
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(wait(&map, *limited, now), expected, "{headers:?} {limited}");
        }
    }
}
