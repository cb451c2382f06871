//! Words for a POSIX shell.

/// A word that a shell reads back as these bytes, in letters that a terminal shows as they are. None where no word can do it.
pub(super) fn word(bytes: &[u8]) -> Option<String> {
    match str::from_utf8(bytes) {
        Ok(text) if text.chars().all(|c| !is_hidden(c)) => Some(quoted(text)),
        // What comes from a command ends before its last line ends.
        _ if bytes.ends_with(b"\n") => None,
        _ => Some(format!("\"$(printf '{}')\"", escaped(bytes))),
    }
}

fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=+,@".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A format of `printf` that writes these bytes.
fn escaped(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| match byte {
            b'%' => "%%".to_owned(),
            b' ' | b'/' | b'.' | b'-' | b'_' | b':' => char::from(*byte).to_string(),
            byte if byte.is_ascii_alphanumeric() => char::from(*byte).to_string(),
            byte => format!("\\{byte:03o}"),
        })
        .collect()
}

/// What a terminal does not show, or shows elsewhere.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
}
