//! Extracts the JSON from the body of a response: undoes content codings, and removes prefixes and suffixes.

use std::borrow::Cow;
use std::io::Read;

use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use serde::de::IgnoredAny;

/// The maximum number of nested content codings.
const MAX_CODINGS: usize = 3;
/// The maximum length of text before or after the JSON, such as `)]}',`, `while(1);` or the name of a callback.
const MAX_WRAPPER: usize = 64;

/// A decoded body.
#[derive(Debug)]
pub(crate) struct DecodedBody {
    /// The JSON alone if `is_json`, else the decoded body.
    pub(crate) bytes: Bytes,
    /// Whether the body is not truncated.
    pub(crate) is_complete: bool,
    pub(crate) is_json: bool,
}

impl DecodedBody {
    /// Decodes a body and keeps at most `max_size` bytes.
    ///
    /// The bytes decide about the coding: proxies drop the header, or name a coding that they have undone.
    pub(crate) fn read(
        headers: &HeaderMap,
        body: Bytes,
        is_complete: bool,
        max_size: usize,
    ) -> Self {
        let (body, is_complete) = decoded(headers, body, is_complete, max_size);
        let text = match utf8(&body) {
            Cow::Borrowed(text) => body.slice_ref(text),
            Cow::Owned(text) => text.into(),
        };
        let json = find_json(&text).map(|json| text.slice_ref(json));
        let json = json.filter(|_| is_complete);
        Self {
            is_complete,
            is_json: json.is_some(),
            bytes: json.unwrap_or(text),
        }
    }
}

/// Undoes content codings. The client requests none.
fn decoded(
    headers: &HeaderMap,
    mut body: Bytes,
    mut is_complete: bool,
    max_size: usize,
) -> (Bytes, bool) {
    let declares_deflate = headers.get_all(CONTENT_ENCODING).iter().any(|coding| {
        let coding = coding.as_bytes().to_ascii_lowercase();
        coding.windows(7).any(|part| part == b"deflate")
    });
    for _ in 0..MAX_CODINGS {
        let bytes = &body[..];
        let decoded = match bytes {
            [0x1f, 0x8b, ..] => inflate(MultiGzDecoder::new(bytes), max_size),
            // The header of zlib: its method, a valid window, and a checksum.
            [first, second, ..]
                if first & 0x8f == 8 && u16::from_be_bytes([*first, *second]) % 31 == 0 =>
            {
                inflate(ZlibDecoder::new(bytes), max_size)
            }
            // Raw deflate has no header: the header of the response must name it, and it must decode to text from something else.
            _ if declares_deflate && std::str::from_utf8(bytes).is_err() => {
                inflate(DeflateDecoder::new(bytes), max_size)
                    .filter(|(text, _)| begins_as_text(&utf8(text)))
            }
            _ => None,
        };
        let Some((bytes, fits)) = decoded else {
            break;
        };
        body = bytes;
        is_complete &= fits;
    }
    (body, is_complete)
}

/// Whether bytes are UTF-8 that may be truncated within a character.
fn begins_as_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).map_or_else(|error| error.error_len().is_none(), |_| true)
}

/// Returns the bytes that can be decoded, and whether they are not more than `max_size`. `None` without any.
fn inflate(from: impl Read, max_size: usize) -> Option<(Bytes, bool)> {
    let mut bytes = Vec::new();
    let most = u64::try_from(max_size)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    // An error in the middle keeps the bytes before it.
    let _ = from.take(most).read_to_end(&mut bytes);
    let fits = bytes.len() <= max_size;
    bytes.truncate(max_size);
    (!bytes.is_empty()).then(|| (bytes.into(), fits))
}

/// Removes a byte order mark, and converts UTF-16 to UTF-8.
fn utf8(bytes: &[u8]) -> Cow<'_, [u8]> {
    let from_utf16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        let text = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
        Cow::Owned(text.collect::<String>().into_bytes())
    };
    match bytes {
        [0xef, 0xbb, 0xbf, text @ ..] => Cow::Borrowed(text),
        [0xff, 0xfe, text @ ..] => from_utf16(text, u16::from_le_bytes),
        [0xfe, 0xff, text @ ..] => from_utf16(text, u16::from_be_bytes),
        [b'{' | b'[', 0, _, 0, ..] => from_utf16(bytes, u16::from_le_bytes),
        [0, b'{' | b'[', 0, _, ..] => from_utf16(bytes, u16::from_be_bytes),
        text => Cow::Borrowed(text),
    }
}

/// Finds the one JSON value in a text, without the short text around it. Text with a quote or an angle bracket is a part of
/// JSON, or a page, and not around JSON.
fn find_json(text: &[u8]) -> Option<&[u8]> {
    let is_json = |text: &[u8]| serde_json::from_slice::<IgnoredAny>(text).is_ok();
    if is_json(text) {
        return Some(text);
    }
    let blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0;
    let end = text.iter().rposition(|byte| !blank(byte))?;
    let text = &text[..=end];
    let begins = |byte: &u8| matches!(byte, b'{' | b'[');
    let ends = |byte: &u8| matches!(byte, b'}' | b']');
    let is_inside = |byte: &u8| matches!(byte, b'"' | b'<');
    for (start, _) in text.iter().enumerate().filter(|(_, byte)| begins(byte)) {
        if start > MAX_WRAPPER || text[..start].iter().any(is_inside) {
            return None;
        }
        let mut values = serde_json::Deserializer::from_slice(&text[start..]).into_iter();
        let Some(Ok(IgnoredAny)) = values.next() else {
            continue;
        };
        let (value, behind) = text[start..].split_at(values.byte_offset());
        let is_last = !behind.iter().any(|byte| begins(byte) || is_inside(byte));
        if is_last && behind.len() <= MAX_WRAPPER && !behind.iter().any(ends) {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use http::HeaderValue;

    use super::*;

    const JSON: &str = r#"{"data":{"task_id":"a","status":"CREATED"}}"#;

    fn read(coding: Option<&'static str>, body: &[u8]) -> DecodedBody {
        let mut headers = HeaderMap::new();
        if let Some(coding) = coding {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        DecodedBody::read(&headers, Bytes::copy_from_slice(body), true, 1_000)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut to = GzEncoder::new(Vec::new(), Compression::fast());
        to.write_all(bytes).unwrap();
        to.finish().unwrap()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut to = ZlibEncoder::new(Vec::new(), Compression::fast());
        to.write_all(bytes).unwrap();
        to.finish().unwrap()
    }

    fn deflate(bytes: &[u8]) -> Vec<u8> {
        let mut to = DeflateEncoder::new(Vec::new(), Compression::fast());
        to.write_all(bytes).unwrap();
        to.finish().unwrap()
    }

    #[test]
    fn json_is_extracted_from_wrappers() {
        let json = JSON.as_bytes();
        let utf16 = |unit: fn(u16) -> [u8; 2], mark: bool| {
            let mark = mark.then_some(0xfeff);
            let units = mark.into_iter().chain(JSON.encode_utf16());
            units.flat_map(unit).collect::<Vec<_>>()
        };
        for (name, coding, body) in [
            ("plain", None, json.to_vec()),
            ("byte order mark", None, [b"\xef\xbb\xbf", json].concat()),
            ("guard", None, [b")]}',\n", json].concat()),
            ("loop", None, [b"while(1);", json].concat()),
            ("object guard", None, [b"{}&& ", json].concat()),
            ("callback", None, [b"/**/cb(", json, b");"].concat()),
            ("comment", None, [b"/*-secure-\n", json, b"*/"].concat()),
            ("blanks", None, [b"\r\n\t ", json, &[0; 500]].concat()),
            ("behind", None, [json, b"\r\n0\r\n"].concat()),
            ("gzip", Some("gzip"), gzip(json)),
            ("gzip, not declared", None, gzip(json)),
            (
                "gzip of its mark",
                None,
                gzip(&[b"\xef\xbb\xbf", json].concat()),
            ),
            ("gzip twice", Some("gzip, gzip"), gzip(&gzip(json))),
            ("gzip, undone", Some("gzip"), json.to_vec()),
            ("zlib", Some("deflate"), zlib(json)),
            ("deflate", Some("Deflate"), deflate(json)),
            ("deflate, undone", Some("deflate"), json.to_vec()),
            ("unknown", Some("aws-chunked"), json.to_vec()),
            ("UTF-16LE", None, utf16(u16::to_le_bytes, true)),
            ("UTF-16BE", None, utf16(u16::to_be_bytes, true)),
            (
                "UTF-16LE without a mark",
                None,
                utf16(u16::to_le_bytes, false),
            ),
            (
                "UTF-16BE without a mark",
                None,
                utf16(u16::to_be_bytes, false),
            ),
        ] {
            let content = read(coding, &body);
            assert!(content.is_json && content.is_complete, "{name}");
            assert_eq!(content.bytes, JSON, "{name}");
        }
    }

    #[test]
    fn pages_and_fragments_are_not_json() {
        for body in [
            "",
            "<html><script>x = {}</script></html>",
            r#"{"data":{"task_id":"a"}"#,
            r#"{"a":1} {"a":2}"#,
            r#""text" {"a":2}"#,
            "no JSON at all",
            "{",
        ] {
            let content = read(None, body.as_bytes());
            assert!(!content.is_json, "{body}");
            assert_eq!(content.bytes, body);
        }
    }

    #[test]
    fn decoded_size_is_bounded() {
        let content = read(Some("gzip"), &gzip(&vec![b' '; 10_000_000]));
        assert!(!content.is_complete && !content.is_json);
        assert_eq!(content.bytes.len(), 1_000);
    }

    #[test]
    fn truncated_body_is_decoded() {
        let long = format!(r#"{{"task_id":"a","x":"{}"}}"#, "0123456789".repeat(20));
        let body = gzip(long.as_bytes());
        let content = read(Some("gzip"), &body[..body.len() - 9]);
        assert!(!content.is_json);
        assert!(content.bytes.starts_with(b"{\"task_id\":\"a\""));
    }
}
