//! Headers of a response that describe the file in it.

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_RANGE};

/// `Content-Range: bytes FIRST-LAST/TOTAL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ContentRange {
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// `None` for `*`.
    pub(crate) total: Option<u64>,
}

/// Returns the range of a partial response. `None` if the header is missing or inconsistent.
pub(crate) fn partial_range(headers: &HeaderMap) -> Option<ContentRange> {
    parse(headers.get(CONTENT_RANGE)?.to_str().ok()?)
}

/// Returns the length of the file from a response to a range beyond its end.
pub(crate) fn unsatisfied_length(headers: &HeaderMap) -> Option<u64> {
    total(headers.get(CONTENT_RANGE)?.to_str().ok()?)
}

/// Returns the content codings that the sender declares, in lower case and joined by commas; `None` without any.
///
/// `identity` and an empty value mean no coding. `aws-chunked` is a framing of uploads that object stores repeat by mistake
/// with the file. The header is not reliable: hosts repeat whatever was uploaded with the file.
pub(crate) fn coding(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(CONTENT_ENCODING);
    let text = values
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase())
        .collect::<Vec<_>>()
        .join(",");
    let codings: Vec<_> = text
        .split(',')
        .map(str::trim)
        .filter(|coding| !matches!(*coding, "" | "identity" | "aws-chunked"))
        .collect();
    (!codings.is_empty()).then(|| codings.join(", "))
}

fn parse(text: &str) -> Option<ContentRange> {
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

/// The length in `bytes */TOTAL`, which a response to a range beyond the end has.
fn total(text: &str) -> Option<u64> {
    number(text.trim().strip_prefix("bytes */")?)
}

/// Parses digits only: no sign, no whitespace.
fn number(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coding_ignores_identity() {
        for (values, expected) in [
            (&[][..], None),
            (&[""], None),
            (&["identity"], None),
            (&["Identity, aws-chunked ,"], None),
            (&["AWS-Chunked", ""], None),
            (&["GZip"], Some("gzip")),
            (&["aws-chunked,gzip"], Some("gzip")),
            (&["identity", "br", "x"], Some("br, x")),
            (&["utf-8"], Some("utf-8")),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_ENCODING, value.parse().unwrap());
            }
            assert_eq!(coding(&headers).as_deref(), expected, "{values:?}");
        }
    }

    #[test]
    fn content_range_must_be_consistent() {
        for (text, expected) in [
            ("bytes 0-9/10", Some((0, 9, Some(10)))),
            ("bytes 5-9/*", Some((5, 9, None))),
            ("bytes 0-0/1", Some((0, 0, Some(1)))),
            ("bytes 0-9/5", None),
            ("bytes 5-10/10", None),
            ("bytes 5-/10", None),
            ("bytes -5-9/10", None),
            ("bytes=5-9/10", None),
            ("bytes 5-99999999999999999999/*", None),
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
