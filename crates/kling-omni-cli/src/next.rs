//! The commands that messages suggest, quoted for a POSIX shell.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::path::Path;

use crate::report;

/// A command that a message suggests. The tests run each of them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NextCommand<'a> {
    /// Waits for a task and saves its video.
    Wait {
        id: &'a str,
        output: Option<&'a Path>,
    },
    /// Saves the video of a completed task.
    Download {
        id: &'a str,
        output: Option<&'a Path>,
    },
    /// Prints the status of a task.
    Status { id: &'a str },
    /// Resumes a journal.
    Resume { journal: &'a Path },
    /// Resumes a journal with a task whose id the user inserts.
    ResumeWithTask { journal: &'a Path },
    /// Lists the tasks of the account.
    List,
    /// A command about a batch.
    Batch {
        verb: &'static str,
        operands: &'a [&'a str],
        flags: &'a [&'static str],
        options: &'a [CommandOption],
    },
    /// Prints the schema of a request file.
    Schema,
    /// Runs the sandbox.
    Sandbox,
}

/// An option and its value.
pub(crate) type CommandOption = (&'static str, OsString);

/// The connection options that select the same server.
pub(crate) type ConnectionOptions = Vec<CommandOption>;

impl NextCommand<'_> {
    /// Returns the command line. `connection` is omitted for commands that do not contact the service.
    pub(crate) fn to_shell(self, connection: &ConnectionOptions) -> String {
        let mut words = vec!["kling-omni".to_owned()];
        let mut operands: Vec<&str> = Vec::new();
        let mut options = connection.clone();
        match self {
            Self::Wait { id, output } | Self::Download { id, output } => {
                let is_wait = matches!(self, Self::Wait { .. });
                words.push(if is_wait { "wait" } else { "download" }.to_owned());
                operands.push(id);
                options.extend(output.map(|output| ("-o", output.into())));
            }
            Self::Status { id } => {
                words.push("status".to_owned());
                operands.push(id);
            }
            Self::Resume { journal } | Self::ResumeWithTask { journal } => {
                words.push("generate".to_owned());
                options.insert(0, ("--resume", journal.into()));
                if let Self::ResumeWithTask { .. } = self {
                    options.push(("--task", "ID".into()));
                }
            }
            Self::List => words.push("list".to_owned()),
            Self::Batch {
                verb,
                operands: given,
                flags,
                options: own,
            } => {
                words.extend(["batch".to_owned(), verb.to_owned()]);
                words.extend(flags.iter().map(|flag| (*flag).to_owned()));
                operands.extend(given);
                options.splice(0..0, own.iter().cloned());
            }
            Self::Schema | Self::Sandbox => {
                let is_schema = matches!(self, Self::Schema);
                words.push(if is_schema { "schema" } else { "sandbox" }.to_owned());
                options.clear();
            }
        }
        // An operand that begins with a dash must follow `--`.
        let has_dash = operands.iter().any(|operand| operand.starts_with('-'));
        let operands: Vec<_> = operands
            .into_iter()
            .map(|operand| quote(operand.as_ref()))
            .collect();
        if !has_dash {
            words.extend_from_slice(&operands);
        }
        for (name, value) in options {
            let word = quote(&value);
            match value.as_encoded_bytes().starts_with(b"-") {
                true => words.push(format!("{name}={word}")),
                false => words.extend([name.to_owned(), word]),
            }
        }
        if has_dash {
            words.push("--".to_owned());
            words.extend(operands);
        }
        words.join(" ")
    }
}

/// Quotes a word for a POSIX shell. Characters that are unsafe to print, and bytes that are not UTF-8, become octal escapes
/// for `printf`.
fn quote(word: &OsStr) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,=[]".contains(c);
    match word.to_str() {
        Some(word) if !word.is_empty() && word.chars().all(is_plain) => word.to_owned(),
        Some(word) if report::printable(word) == word => {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
        _ => quote_with_printf(word.as_encoded_bytes()),
    }
}

fn quote_with_printf(word: &[u8]) -> String {
    // A command substitution removes trailing newlines.
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
    fn quote_is_shortest_for_plain_words() {
        for (word, shown) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("046b6c7f-0b8a", "046b6c7f-0b8a"),
            ("my clip.mp4", "'my clip.mp4'"),
            ("it's", r"'it'\''s'"),
            ("$HOME;`x`", "'$HOME;`x`'"),
            ("", "''"),
            ("a\x1b[m", r#""$(printf -- 'a\033\133m')""#),
        ] {
            assert_eq!(quote(word.as_ref()), shown);
        }
    }

    /// Returns a case for each command, with the words that the shell must pass to the program.
    #[cfg(unix)]
    fn cases<'a>(
        name: &'a OsStr,
        operands: &'a [&'a str],
        options: &'a [CommandOption],
    ) -> Vec<(NextCommand<'a>, Vec<OsString>)> {
        let path = Path::new(name);
        let id = operands[0];
        let batch = |verb, flags| NextCommand::Batch {
            verb,
            operands,
            flags,
            options,
        };
        let kinds = [
            NextCommand::Wait {
                id,
                output: Some(path),
            },
            NextCommand::Wait { id, output: None },
            NextCommand::Download {
                id,
                output: Some(path),
            },
            NextCommand::Status { id },
            NextCommand::Resume { journal: path },
            NextCommand::ResumeWithTask { journal: path },
            NextCommand::List,
            NextCommand::Schema,
            NextCommand::Sandbox,
            batch("resume", &[]),
            batch("retry", &["--failed"]),
        ];
        let expected = |next: &NextCommand<'_>| match next {
            // A new command needs a case above.
            NextCommand::Wait { output: None, .. } | NextCommand::Status { .. } => vec![id.into()],
            NextCommand::Wait { .. } | NextCommand::Download { .. } => {
                vec![id.into(), name.to_owned()]
            }
            NextCommand::Resume { .. } => vec![name.to_owned()],
            NextCommand::ResumeWithTask { .. } => vec![name.to_owned(), "ID".into()],
            NextCommand::Batch { .. } => vec![id.into(), name.to_owned()],
            NextCommand::List | NextCommand::Schema | NextCommand::Sandbox => Vec::new(),
        };
        kinds.map(|next| (next, expected(&next))).into()
    }

    /// The shell passes every name unchanged, and the program accepts the command.
    #[cfg(unix)]
    #[test]
    fn commands_can_be_pasted_into_a_shell() {
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
            let name = OsStr::from_bytes(name);
            let operands = [name.to_str().unwrap_or("--force")];
            let folder = [("--out", name.to_owned())];
            for (next, expected) in cases(name, &operands, &folder) {
                let line = next.to_shell(&options);
                let controls = line
                    .trim_end_matches('\n')
                    .contains(|c: char| c.is_control() && c != '\n');
                assert!(!controls, "{line:?}");
                let script = format!("kling-omni() {{ printf '%s\\0' \"$@\"; }}\n{line}\n");
                // Some shells do not allow a dash in the name of a function.
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
                // A journal cannot be standard input.
                let path_is_stdin = name == "-"
                    && matches!(
                        next,
                        NextCommand::Resume { .. }
                            | NextCommand::ResumeWithTask { .. }
                            | NextCommand::Batch { .. }
                    );
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
