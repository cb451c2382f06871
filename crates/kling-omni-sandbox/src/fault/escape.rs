//! Bytes as text on one line, for faults whose values may hold any byte.

use std::fmt::Write as _;

use super::InvalidFault;

/// Reads `\r`, `\n`, `\t`, `\\`, `\xNN` (a byte) and `\u{N}` (a character); every other character stands for itself.
pub(super) fn read(text: &str) -> Result<Vec<u8>, InvalidFault> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        rest = escaped(after, &mut bytes).ok_or_else(|| {
            let names = r"\r, \n, \t, \\, \xNN and \u{N}";
            InvalidFault(format!("`{text}` has an escape other than {names}"))
        })?;
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

/// The same for a value that must be UTF-8.
pub(super) fn read_text(text: &str) -> Result<String, InvalidFault> {
    String::from_utf8(read(text)?)
        .map_err(|_| InvalidFault(format!("`{text}` must be UTF-8 once it is read")))
}

/// Reads one escape behind its backslash, and returns what follows it.
fn escaped<'a>(after: &'a str, bytes: &mut Vec<u8>) -> Option<&'a str> {
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

/// Writes what [`read`] reads as the same bytes.
pub(super) fn write(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\r' | '\n' | '\t' | '\\' => text.extend(c.escape_default()),
                // Numbers and a probability may follow the value behind these signs.
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
    fn bytes_survive_being_written() {
        for (bytes, text) in [
            (&b")]}',"[..], ")]}',"),
            (b"Set-Cookie: a=1\r\n   b", r"Set-Cookie: a=1\r\n   b"),
            (b"\xef\xbb\xbf", r"\u{feff}"),
            (b"\xffa\\", r"\xffa\\"),
            (b"a@1~0.5\0\t", r"a\x401\x7e0.5\u{0}\t"),
            ("ä\u{202e}".as_bytes(), r"ä\u{202e}"),
        ] {
            assert_eq!(write(bytes), text);
            assert_eq!(read(text).unwrap(), bytes, "{text}");
        }
        for text in [r"\q", r"\x4", r"\xä", r"\u{d800}", r"\u41", "\\"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read_text(r"\xff").is_err());
    }
}
