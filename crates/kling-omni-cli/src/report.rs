//! Prints results on stdout and messages on stderr.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use anstyle::{AnsiColor, Style as Ansi};
/// Escapes control characters in text from elsewhere.
pub(crate) use kling_omni::printable;
use kling_omni::validation::Finding;
use serde::Serialize;

use crate::failure::Failure;

/// The style of a word on a terminal. Elsewhere it is plain.
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

/// Prints a message on stderr. A closed stderr is ignored.
pub(crate) fn say(text: impl Display) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Prints a finding as a warning.
pub(crate) fn warn_finding(finding: &Finding) {
    warn(finding);
    if let Some(help) = finding.help() {
        say(format_args!("  help: {help}"));
    }
}

/// Prints a warning on stderr.
pub(crate) fn warn(text: impl Display) {
    say(format_args!("{} {text}", Style::Warning.paint("warning:")));
}

/// Prints a line of the result on stdout.
///
/// # Errors
///
/// Fails silently if the reader, such as `head`, closed stdout, and with an error if stdout cannot be written.
pub(crate) fn line(text: impl Display) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    written(writeln!(out, "{text}").and_then(|()| out.flush()))
}

/// Writes bytes to stdout, which need not be text.
pub(crate) fn raw(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    written(out.write_all(bytes).and_then(|()| out.flush()))
}

/// Prints a path of any encoding on stdout.
pub(crate) fn path_line(path: &Path) -> Result<(), Failure> {
    raw(&[path.as_os_str().as_encoded_bytes(), b"\n"].concat())
}

/// Prints a value as JSON on one line of stdout.
pub(crate) fn json_line(value: &impl Serialize) -> Result<(), Failure> {
    json(serde_json::to_string(value))
}

/// Prints a value as indented JSON on stdout.
pub(crate) fn pretty_json(value: &impl Serialize) -> Result<(), Failure> {
    json(serde_json::to_string_pretty(value))
}

fn json(written: serde_json::Result<String>) -> Result<(), Failure> {
    let json = written.map_err(|error| {
        Failure::unexpected("cannot serialize the result as JSON").with_cause(error)
    })?;
    raw(format!("{}\n", escape_invisible(&json)).as_bytes())
}

/// Escapes control and other invisible characters in JSON, so a terminal does not interpret them. Apart from newlines, they
/// occur in strings only, so the parsed value is unchanged.
fn escape_invisible(json: &str) -> String {
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
        _ => Failure::file("cannot write standard output").with_cause(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_invisible_characters_escaped() {
        let text = "a\u{202e}b\u{2028}\u{200b}\u{85}\u{e0041}\u{1b}\nä🎬";
        for json in [
            serde_json::to_string(text),
            serde_json::to_string_pretty(&[text]),
        ] {
            let json = escape_invisible(&json.unwrap());
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
