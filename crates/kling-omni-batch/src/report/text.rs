//! Times, sizes and numbers as a page shows them, and text of others.

use std::time::{Duration, UNIX_EPOCH};

use kling_omni::printable;

/// A number with a thin gap between groups of three digits: `1,000`.
pub(crate) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with a noun: `1 task`, `2 tasks`.
pub(crate) fn count(count: u64, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{} {noun}s", number(count)),
    }
}

/// A span of time: `0.4 s`, `2 s`, `58 s`, `1 min 5 s`, `2 h 3 min`, `4 d 1 h`.
pub(crate) fn span(milliseconds: u64) -> String {
    let seconds = milliseconds / 1_000;
    let two = |big: u64, unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{big} {unit}"),
        _ => format!("{big} {unit} {small} {small_unit}"),
    };
    match seconds {
        0..10 => match milliseconds % 1_000 / 100 {
            0 => format!("{seconds} s"),
            tenths => format!("{seconds}.{tenths} s"),
        },
        10..60 => format!("{seconds} s"),
        60..3_600 => two(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

/// A size: `512 B`, `1.5 kB`, `12.3 MB`.
pub(crate) fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut unit = "B";
    for larger in ["kB", "MB", "GB"] {
        if value < 1_000.0 {
            break;
        }
        value /= 1_000.0;
        unit = larger;
    }
    match unit {
        "B" => format!("{bytes} B"),
        _ => format!("{value:.1} {unit}"),
    }
}

/// A time as RFC 3339 and for people: `2025-12-01T00:00:00Z`, `2025-12-01 00:00:00 UTC`. Empty after the year 9999.
pub(crate) fn time(at_ms: u64) -> (String, String) {
    use std::fmt::Write as _;
    let mut exact = String::new();
    let at = UNIX_EPOCH + Duration::from_millis(at_ms);
    // `to_string` would panic where `write!` returns an error.
    if write!(exact, "{}", humantime::format_rfc3339_seconds(at)).is_err() {
        return (String::new(), String::new());
    }
    let shown = exact.replace('T', " ").replace('Z', " UTC");
    (exact, shown)
}

/// Text of others, in which characters that cannot be seen are escaped. Lines and tabs stay.
pub(crate) fn visible(text: &str) -> String {
    text.lines()
        .map(visible_line)
        .collect::<Vec<_>>()
        .join("\n")
}

fn visible_line(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut before = ' ';
    for c in line.chars() {
        // Persian, Hindi and emoji need a joiner, and in other text it is hidden.
        let joins = is_joiner(c) && !before.is_ascii() && !is_joiner(before);
        match joins || c == '\t' {
            true => shown.push(c),
            false => shown.push_str(&printable(c.encode_utf8(&mut [0; 4]))),
        }
        before = c;
    }
    shown
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(number(value), text);
        }
        for (milliseconds, text) in [
            (0, "0 s"),
            (450, "0.4 s"),
            (58_900, "58 s"),
            (60_000, "1 min"),
            (65_000, "1 min 5 s"),
            (7_380_000, "2 h 3 min"),
            (349_200_000, "4 d 1 h"),
        ] {
            assert_eq!(span(milliseconds), text);
        }
        for (bytes, text) in [(512, "512 B"), (1_500, "1.5 kB"), (12_345_678, "12.3 MB")] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn invisible_characters_are_escaped_but_lines_stay() {
        let text = "a cat\r\n\tsleeps\u{0}\u{202e}\u{2028}";
        assert_eq!(visible(text), "a cat\n\tsleeps\\u{0}\\u{202e}\\u{2028}");
        for text in [
            "\u{645}\u{6cc}\u{200c}\u{62e}",
            "\u{1f469}\u{200d}\u{1f467}",
            "\n\na",
        ] {
            assert_eq!(visible(text), text);
        }
        let text = "a\u{200d}b \u{1f469}\u{200d}\u{200d}";
        assert_eq!(visible(text), "a\\u{200d}b \u{1f469}\u{200d}\\u{200d}");
        assert_eq!(time(1_764_547_200_000).0, "2025-12-01T00:00:00Z");
        assert_eq!(time(u64::MAX / 2).0, "");
    }
}
