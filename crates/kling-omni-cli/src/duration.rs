//! Parses and formats durations, such as `1h30m`.

use std::time::Duration;

/// Parses `90`, `90s`, `15m` or `1h30m`. A bare number is in seconds.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let is_bare = text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || c == '.');
    let duration = if is_bare {
        text.parse()
            .ok()
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    } else {
        humantime::parse_duration(text).ok()
    };
    duration.ok_or_else(|| "expected a duration such as 90s, 15m or 1h30m, or seconds".to_owned())
}

/// Formats a duration as [`parse`] reads it. From one second on, fractions are cut off.
pub(crate) fn text(duration: Duration) -> String {
    let duration = match duration.as_secs() {
        0 => Duration::from_millis(u64::from(duration.subsec_millis())),
        seconds => Duration::from_secs(seconds),
    };
    humantime::format_duration(duration)
        .to_string()
        .replace(' ', "")
}

/// Returns the seconds of a retry delay, rounded up, so a script that waits for them does not retry too early.
pub(crate) fn whole_seconds(delay: Duration) -> u64 {
    delay
        .as_secs()
        .saturating_add(u64::from(delay.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_accepts_units_and_bare_seconds() {
        for (text, milliseconds) in [
            ("900", Some(900_000)),
            ("0", Some(0)),
            ("0.25", Some(250)),
            ("900s", Some(900_000)),
            ("250ms", Some(250)),
            ("15m", Some(900_000)),
            ("1h30m", Some(5_400_000)),
            ("1h 30m", Some(5_400_000)),
            (" 7 ", Some(7_000)),
            ("", None),
            ("-5", None),
            ("1.2.3", None),
            (".", None),
            ("soon", None),
            ("15 parsecs", None),
            ("99999999999999999999999999", None),
        ] {
            let expected = milliseconds.map(Duration::from_millis);
            assert_eq!(parse(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn text_uses_the_units_of_parse() {
        for (milliseconds, shown) in [
            (0, "0s"),
            (250, "250ms"),
            (1_900, "1s"),
            (73_000, "1m13s"),
            (1_800_000, "30m"),
            (5_400_000, "1h30m"),
        ] {
            assert_eq!(text(Duration::from_millis(milliseconds)), shown);
        }
    }
}
