//! The commands that messages tell people to run next, as a POSIX shell takes them.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::path::Path;

use crate::report;

/// A command that a message may name. Every one of them is made here, and each has its case in the tests.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Next<'a> {
    /// Waits for a task and saves its video.
    Wait {
        id: &'a str,
        output: Option<&'a Path>,
    },
    /// Saves the video of a finished task.
    Download {
        id: &'a str,
        output: Option<&'a Path>,
    },
    /// Says where a task stands.
    Status { id: &'a str },
    /// Goes on with a journal.
    Resume { journal: &'a Path },
    /// Goes on with a journal and a task, which the person has to look up.
    ResumeWithTask { journal: &'a Path },
    /// Lists the tasks of the account.
    List,
    /// Describes a request file.
    Schema,
    /// Runs the service on this machine.
    Sandbox,
}

/// The options of the connection that lead back to the same server.
pub(crate) type Options = Vec<(&'static str, OsString)>;

impl Next<'_> {
    /// The command line. `connection` is left out where a command has no use for it.
    pub(crate) fn command(&self, connection: &Options) -> String {
        let mut words = vec!["kling-omni".to_owned()];
        let mut operand = None;
        let mut options = connection.clone();
        match *self {
            Self::Wait { id, output } | Self::Download { id, output } => {
                let is_wait = matches!(self, Self::Wait { .. });
                words.push(if is_wait { "wait" } else { "download" }.to_owned());
                operand = Some(id);
                options.extend(output.map(|output| ("-o", output.into())));
            }
            Self::Status { id } => {
                words.push("status".to_owned());
                operand = Some(id);
            }
            Self::Resume { journal } | Self::ResumeWithTask { journal } => {
                words.push("generate".to_owned());
                options.insert(0, ("--resume", journal.into()));
                if let Self::ResumeWithTask { .. } = self {
                    options.push(("--task", "ID".into()));
                }
            }
            Self::List => words.push("list".to_owned()),
            Self::Schema | Self::Sandbox => {
                let is_schema = matches!(self, Self::Schema);
                words.push(if is_schema { "schema" } else { "sandbox" }.to_owned());
                options.clear();
            }
        }
        // What begins with a dash is no operand, unless it stands behind `--`.
        let is_option = operand.is_some_and(|operand| operand.starts_with('-'));
        words.extend(
            operand
                .filter(|_| !is_option)
                .map(|operand| quoted(operand.as_ref())),
        );
        for (name, value) in options {
            let word = quoted(&value);
            match value.as_encoded_bytes().starts_with(b"-") {
                true => words.push(format!("{name}={word}")),
                false => words.extend([name.to_owned(), word]),
            }
        }
        if let Some(operand) = operand.filter(|_| is_option) {
            words.extend(["--".to_owned(), quoted(operand.as_ref())]);
        }
        words.join(" ")
    }
}

/// A word as a POSIX shell reads it back. What a terminal must not get, and bytes that are not UTF-8, are written as
/// octal numbers for `printf`.
fn quoted(word: &OsStr) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,=[]".contains(c);
    match word.to_str() {
        Some(word) if !word.is_empty() && word.chars().all(is_plain) => word.to_owned(),
        Some(word) if report::printable(word) == word => {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
        _ => through_printf(word.as_encoded_bytes()),
    }
}

fn through_printf(word: &[u8]) -> String {
    // A command substitution drops the line ends at its end.
    let kept = word.len() - word.iter().rev().take_while(|byte| **byte == b'\n').count();
    let (word, ends) = word.split_at(kept);
    let mut text = String::new();
    for byte in word {
        let c = char::from(*byte);
        // Writing to a String cannot fail.
        let _ = match c.is_ascii_alphanumeric() || "-_./ ".contains(c) {
            true => write!(text, "{c}"),
            false => write!(text, "\\{byte:03o}"),
        };
    }
    // A format that begins with a dash would be an option.
    let mut quoted = format!("\"$(printf -- '{text}')\"");
    if !ends.is_empty() {
        let _ = write!(quoted, "'{}'", "\n".repeat(ends.len()));
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_a_shell() {
        for (word, shown) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("046b6c7f-0b8a", "046b6c7f-0b8a"),
            ("my clip.mp4", "'my clip.mp4'"),
            ("it's", r"'it'\''s'"),
            ("$HOME;`x`", "'$HOME;`x`'"),
            ("", "''"),
            ("a\x1b[m", r#""$(printf -- 'a\033\133m')""#),
        ] {
            assert_eq!(quoted(word.as_ref()), shown);
        }
    }

    /// A case for each command, with the words that the program has to get from the shell.
    #[cfg(unix)]
    fn cases(name: &OsStr) -> Vec<(Next<'_>, Vec<OsString>)> {
        let path = Path::new(name);
        let id = name.to_str().unwrap_or("--force");
        let kinds = [
            Next::Wait {
                id,
                output: Some(path),
            },
            Next::Wait { id, output: None },
            Next::Download {
                id,
                output: Some(path),
            },
            Next::Status { id },
            Next::Resume { journal: path },
            Next::ResumeWithTask { journal: path },
            Next::List,
            Next::Schema,
            Next::Sandbox,
        ];
        let expected = |next: &Next<'_>| match next {
            // A new command needs a case above.
            Next::Wait { output: None, .. } | Next::Status { .. } => vec![id.into()],
            Next::Wait { .. } | Next::Download { .. } => vec![id.into(), name.to_owned()],
            Next::Resume { .. } => vec![name.to_owned()],
            Next::ResumeWithTask { .. } => vec![name.to_owned(), "ID".into()],
            Next::List | Next::Schema | Next::Sandbox => Vec::new(),
        };
        kinds.map(|next| (next, expected(&next))).into()
    }

    /// Whatever a name holds, the shell gives the program that very name, and the program takes the command.
    #[cfg(unix)]
    #[test]
    fn each_command_can_be_pasted() {
        use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
        use std::process::Command;

        let names: [&[u8]; 16] = [
            b"plain",
            b"my clip.mp4",
            b"it's",
            b"\"quoted\"",
            b"$HOME;`x`&&|<>*?~#!\\",
            b"-o",
            b"--force",
            b"--",
            b"-",
            b"two\nlines",
            b"\nlines\n\n",
            b"\xff\xfe.mp4",
            b"-\xff%s\\n",
            b"\x1b[31m\x07",
            "ümläut \u{202e}4pm.\u{2066}".as_bytes(),
            b"'",
        ];
        let options = vec![("--base-url", "http://127.0.0.1:9/a b".into())];
        for name in names {
            for (next, expected) in cases(OsStr::from_bytes(name)) {
                let line = next.command(&options);
                let controls = line
                    .trim_end_matches('\n')
                    .contains(|c: char| c.is_control() && c != '\n');
                assert!(!controls, "{line:?}");
                let script = format!("kling-omni() {{ printf '%s\\0' \"$@\"; }}\n{line}\n");
                // Some shells take no dash in the name of a function.
                let script = script.replace("kling-omni", "kling_omni");
                let ran = Command::new("/bin/sh")
                    .args(["-c", &script])
                    .output()
                    .unwrap();
                assert!(ran.status.success(), "{line}");
                let words = ran.stdout.strip_suffix(b"\0").unwrap_or_default();
                let words: Vec<_> = words
                    .split(|byte| *byte == 0)
                    .map(|word| OsString::from_vec(word.to_vec()))
                    .collect();
                let program = [OsString::from("kling-omni")];
                let all = program.into_iter().chain(words.iter().cloned());
                // The journal cannot be standard input, which has no name of its own.
                let path_is_stdin = name == b"-"
                    && matches!(next, Next::Resume { .. } | Next::ResumeWithTask { .. });
                let parsed = crate::cli::command().try_get_matches_from(all);
                assert_eq!(parsed.is_ok(), !path_is_stdin, "{line}");
                for word in expected {
                    let is_there = words.iter().any(|found| {
                        let bytes = found.as_bytes();
                        let value = bytes.splitn(2, |byte| *byte == b'=').nth(1);
                        *found == word || value == Some(word.as_bytes())
                    });
                    assert!(is_there, "{word:?} in {words:?}");
                }
            }
        }
    }
}
