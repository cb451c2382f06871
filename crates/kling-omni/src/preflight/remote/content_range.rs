/// `Content-Range: bytes FIRST-LAST/TOTAL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ContentRange {
    pub(super) first: u64,
    pub(super) last: u64,
    /// None for `*`.
    pub(super) total: Option<u64>,
}

/// None for what is no range of bytes, or none that adds up.
pub(super) fn parse(text: &str) -> Option<ContentRange> {
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let [first, last] = [number(first)?, number(last)?];
    let total = match total {
        "*" => None,
        total => Some(number(total)?),
    };
    let adds_up = first <= last && last < total.unwrap_or(u64::MAX);
    adds_up.then_some(ContentRange { first, last, total })
}

/// The length in `bytes */TOTAL`, with which a range beyond the end is refused.
pub(super) fn total(text: &str) -> Option<u64> {
    number(text.trim().strip_prefix("bytes */")?)
}

/// Digits alone: no sign, no blank.
fn number(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_adds_up_is_believed() {
        for (text, expected) in [
            ("bytes 0-9/10", Some((0, 9, Some(10)))),
            ("bytes 5-9/*", Some((5, 9, None))),
            ("bytes 0-9/5", None),
            ("bytes 9-0/10", None),
            ("bytes 0-18446744073709551615/*", None),
            ("bytes +0-9/10", None),
            ("bytes -9/10", None),
            ("bytes */10", None),
            ("items 0-9/10", None),
            ("", None),
        ] {
            let parsed = parse(text).map(|range| (range.first, range.last, range.total));
            assert_eq!(parsed, expected, "{text}");
        }
        assert_eq!(total("bytes */10"), Some(10));
        assert_eq!(total("bytes 0-9/10"), None);
    }
}
