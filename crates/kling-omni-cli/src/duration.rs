//! Spans of time as people write and read them.

use std::time::Duration;

/// Reads `90`, `90s`, `15m` or `1h30m`; a bare number is in seconds.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let bare = text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || c == '.');
    let span = if bare {
        text.parse()
            .ok()
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    } else {
        humantime::parse_duration(text).ok()
    };
    span.ok_or_else(|| "write it as 90s, 15m or 1h30m; a bare number is in seconds".to_owned())
}

/// Writes a span as [`parse`] reads it; of a second and more, whole seconds only.
pub(crate) fn text(span: Duration) -> String {
    let span = match span.as_secs() {
        0 => Duration::from_millis(u64::from(span.subsec_millis())),
        seconds => Duration::from_secs(seconds),
    };
    humantime::format_duration(span)
        .to_string()
        .replace(' ', "")
}

/// The seconds of a wait, rounded up: a script that comes back after them does not come too early.
pub(crate) fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs()
        .saturating_add(u64::from(wait.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_people_write_them() {
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
    fn spans_are_written_as_they_are_read() {
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
