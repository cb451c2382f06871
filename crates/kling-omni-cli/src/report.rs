//! The two streams: results for scripts on stdout, everything for people on stderr.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use anstyle::{AnsiColor, Style as Ansi};
/// A text of strangers, which must not steer the terminal.
pub(crate) use kling_omni::printable;
use kling_omni::validation::Finding;
use serde::Serialize;

use crate::failure::Failure;

/// How a word is set off on a terminal; elsewhere it stays plain.
#[derive(Clone, Copy)]
pub(crate) enum Style {
    Error,
    Warning,
    Heading,
}

impl Style {
    pub(crate) fn paint(self, text: &str) -> String {
        let style = match self {
            Self::Error => Ansi::new().bold().fg_color(Some(AnsiColor::Red.into())),
            Self::Warning => Ansi::new().bold().fg_color(Some(AnsiColor::Yellow.into())),
            Self::Heading => Ansi::new().bold(),
        };
        format!("{style}{text}{style:#}")
    }
}

/// Tells the person something, on stderr. If nobody listens there, the work goes on.
pub(crate) fn say(text: impl Display) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Tells the person about a finding that stops nothing.
pub(crate) fn warn_of(finding: &Finding) {
    warn(finding);
    if let Some(help) = finding.help() {
        say(format_args!("  try: {help}"));
    }
}

/// Tells the person about something that is legal and looks like a mistake.
pub(crate) fn warn(text: impl Display) {
    say(format_args!("{} {text}", Style::Warning.paint("warning:")));
}

/// Writes a line of the result to stdout.
///
/// # Errors
///
/// A silent failure when the reader has gone, such as `head`; a real one when stdout cannot be written.
pub(crate) fn line(text: impl Display) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    written(writeln!(out, "{text}").and_then(|()| out.flush()))
}

/// Writes bytes to stdout as they are, for what need not be text.
pub(crate) fn raw(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    written(out.write_all(bytes).and_then(|()| out.flush()))
}

/// Writes a path on a line of its own, whatever its encoding.
pub(crate) fn path_line(path: &Path) -> Result<(), Failure> {
    raw(&[path.as_os_str().as_encoded_bytes(), b"\n"].concat())
}

/// Writes one JSON object on one line of stdout.
pub(crate) fn json_line(value: &impl Serialize) -> Result<(), Failure> {
    json(serde_json::to_string(value))
}

/// Writes JSON to stdout over several lines, for people to read.
pub(crate) fn pretty_json(value: &impl Serialize) -> Result<(), Failure> {
    json(serde_json::to_string_pretty(value))
}

fn json(written: serde_json::Result<String>) -> Result<(), Failure> {
    let json = written.map_err(|error| {
        Failure::unexpected("the result could not be written as JSON").with_cause(error)
    })?;
    raw(format!("{}\n", escaped(&json)).as_bytes())
}

/// JSON with the characters escaped that have no shape of their own: a reader gets them back, and a terminal does not
/// obey them. They occur in strings alone, except for the ends of lines.
fn escaped(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        let mut buffer = [0; 4];
        let text = &*c.encode_utf8(&mut buffer);
        if c == '\n' || matches!(printable(text), Cow::Borrowed(_)) {
            escaped.push(c);
        } else {
            for unit in text.encode_utf16() {
                // Writing to a String cannot fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    escaped
}

fn written(result: io::Result<()>) -> Result<(), Failure> {
    result.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::broken_pipe(),
        _ => Failure::file("standard output could not be written").with_cause(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_hides_no_character_and_loses_none() {
        let text = "a\u{202e}b\u{2028}\u{200b}\u{85}\u{e0041}\u{1b}\nä🎬";
        for json in [
            serde_json::to_string(text),
            serde_json::to_string_pretty(&[text]),
        ] {
            let json = escaped(&json.unwrap());
            for hidden in [
                '\u{202e}',
                '\u{2028}',
                '\u{200b}',
                '\u{85}',
                '\u{e0041}',
                '\u{1b}',
            ] {
                assert!(!json.contains(hidden), "{json}");
            }
            assert!(json.contains("ä🎬"), "{json}");
            let read: serde_json::Value = serde_json::from_str(&json).unwrap();
            let read = read.get(0).unwrap_or(&read);
            assert_eq!(read, text);
        }
    }
}
