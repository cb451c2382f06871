//! Escapes bytes as one line of text, for faults whose values may be any bytes.

use std::fmt::Write as _;

use super::InvalidFault;

/// Decodes the escapes `\r`, `\n`, `\t`, `\\`, `\xNN` (a byte) and `\u{N}` (a character).
pub(super) fn decode(text: &str) -> Result<Vec<u8>, InvalidFault> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        rest = decode_escape(after, &mut bytes).ok_or_else(|| {
            let names = r"\r, \n, \t, \\, \xNN or \u{N}";
            InvalidFault(format!("invalid escape in `{text}`, expected {names}"))
        })?;
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

/// Decodes a text that must be UTF-8.
pub(super) fn decode_text(text: &str) -> Result<String, InvalidFault> {
    String::from_utf8(decode(text)?)
        .map_err(|_| InvalidFault(format!("`{text}` does not decode to UTF-8")))
}

/// Decodes one escape after its backslash, and returns the rest of the text.
fn decode_escape<'a>(after: &'a str, bytes: &mut Vec<u8>) -> Option<&'a str> {
    let mut rest = after.chars();
    match rest.next()? {
        'r' => bytes.push(b'\r'),
        'n' => bytes.push(b'\n'),
        't' => bytes.push(b'\t'),
        '\\' => bytes.push(b'\\'),
        'x' => {
            let digits = after.get(1..3)?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            return after.get(3..);
        }
        'u' => {
            let (digits, rest) = after.strip_prefix("u{")?.split_once('}')?;
            let c = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(rest);
        }
        _ => return None,
    }
    Some(rest.as_str())
}

/// Encodes bytes as [`decode`] reads them.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\r' | '\n' | '\t' | '\\' => text.extend(c.escape_default()),
                // They separate the value from the conditions of a rule.
                '@' | '~' => {
                    let _ = write!(text, r"\x{:02x}", c as u32);
                }
                ' '..='}' => text.push(c),
                c if c.is_alphanumeric() => text.push(c),
                c => text.extend(c.escape_unicode()),
            }
        }
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(text, r"\x{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encode_and_decode_are_inverse() {
        for (bytes, text) in [
            (&b")]}',"[..], ")]}',"),
            (b"Set-Cookie: a=1\r\n   b", r"Set-Cookie: a=1\r\n   b"),
            (b"\xef\xbb\xbf", r"\u{feff}"),
            (b"\xffa\\", r"\xffa\\"),
            (b"a@1~0.5\0\t", r"a\x401\x7e0.5\u{0}\t"),
            ("ä\u{202e}".as_bytes(), r"ä\u{202e}"),
        ] {
            assert_eq!(encode(bytes), text);
            assert_eq!(decode(text).unwrap(), bytes, "{text}");
        }
        for text in [r"\q", r"\x4", r"\xä", r"\u{d800}", r"\u41", "\\"] {
            assert!(decode(text).is_err(), "{text}");
        }
        assert!(decode_text(r"\xff").is_err());
    }
}
