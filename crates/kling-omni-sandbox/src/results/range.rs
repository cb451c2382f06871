use http::request::Parts;
use http::{HeaderValue, Method, header};

/// What of a file a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    /// The first and the last byte, both counted from 0 and both within the file.
    Range(u64, u64),
    Unsatisfiable,
}

/// Reads `Range` and `If-Range`. A range that is malformed, one of several, or bound to another state of the file is
/// ignored, as HTTP allows.
pub(super) fn requested(parts: &Parts, etag: &HeaderValue, length: u64) -> Part {
    let headers = &parts.headers;
    let Some(range) = headers.get(header::RANGE) else {
        return Part::Whole;
    };
    let changed = headers
        .get(header::IF_RANGE)
        .is_some_and(|known| known != etag);
    if parts.method != Method::GET || changed {
        return Part::Whole;
    }
    let range = range
        .to_str()
        .ok()
        .map(http_range_header::parse_range_header);
    let Some(Ok(ranges)) = range else {
        return Part::Whole;
    };
    match ranges.validate(length).as_deref() {
        Ok([one]) => Part::Range(*one.start(), *one.end()),
        Ok(_) => Part::Whole,
        Err(_) => Part::Unsatisfiable,
    }
}
