//! Files that the command line names, and standard input for `-`. Only regular files are read, and no more of them than
//! a limit, so that neither a device nor a pipe can hang the program or fill its memory.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser};

use crate::failure::Failure;
use crate::{media, report};

/// The most that is read of a request, a text or a file of task times.
pub(crate) const LARGEST_TEXT: u64 = 1024 * 1024;

/// What was read, and how messages name its origin.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) name: String,
    bytes: Vec<u8>,
}

/// Whether a path or a text stands for standard input.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// Reads a file, or standard input for `-`.
///
/// # Errors
///
/// The file is not a regular file, is larger than `limit` bytes, or cannot be read.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Input, Failure> {
    let name = name(path);
    let mut bytes = Vec::new();
    let read = match is_stdin(path) {
        true => {
            if io::stdin().is_terminal() {
                report::say("reading standard input, up to Ctrl-D");
            }
            io::stdin().take(limit + 1).read_to_end(&mut bytes)
        }
        false => open_regular(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes)),
    };
    read.map_err(|error| unreadable(&name, error))?;
    if bytes.len() as u64 > limit {
        return Err(Failure::file(format!(
            "{name} is larger than the limit of {limit} bytes"
        )));
    }
    Ok(Input { name, bytes })
}

impl Input {
    /// The text without a byte order mark.
    pub(crate) fn text(self) -> Result<String, Failure> {
        let text = String::from_utf8(self.bytes)
            .map_err(|_| Failure::usage(format!("{} is not UTF-8 text", self.name)))?;
        Ok(match text.strip_prefix('\u{feff}') {
            Some(text) => text.to_owned(),
            None => text,
        })
    }
}

/// Opens a regular file. A pipe would wait for its other end, and a device may never end.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    refuse_special(path)?;
    let file = File::open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(special()),
    }
}

/// Refuses a path that leads to something else than a regular file. A file that does not exist is left to the caller.
pub(crate) fn refuse_special(path: &Path) -> io::Result<()> {
    match path.metadata() {
        Ok(data) if data.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(data) if !data.is_file() => Err(special()),
        _ => Ok(()),
    }
}

/// The same for a file that is written to, which may be a device such as `/dev/null`.
pub(crate) fn refuse_pipe(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if let Ok(data) = path.metadata()
        && std::os::unix::fs::FileTypeExt::is_char_device(&data.file_type())
    {
        return Ok(());
    }
    refuse_special(path)
}

fn special() -> io::Error {
    io::Error::other("it is not a regular file")
}

pub(crate) fn unreadable(name: &str, error: io::Error) -> Failure {
    let failure = Failure::file(format!("{name} could not be read"));
    match error.to_string() {
        cause if cause == special().to_string() => failure
            .with_cause(cause)
            .with_help("name a regular file; an option that takes - reads standard input"),
        cause => failure.with_cause(cause),
    }
}

/// How messages name a path.
pub(crate) fn name(path: &Path) -> String {
    match is_stdin(path) {
        true => "standard input".to_owned(),
        false => report::printable(&path.to_string_lossy()).into_owned(),
    }
}

/// Reads an option that takes a file, and not standard input.
pub(crate) fn file() -> impl TypedValueParser<Value = PathBuf> {
    file_or_stdin().try_map(|path| match is_stdin(&path) {
        true => Err("standard input cannot be used here; a file of that name is ./-"),
        false => Ok(path),
    })
}

/// Reads an option that takes a file, or standard input for `-`. A URL may hold a secret, so it is refused before a message
/// can name it as a file.
pub(crate) fn file_or_stdin() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| match media::source(path.clone().into()).is_local() {
        true => Ok(path),
        false => Err("a URL cannot be used here; name a file on this machine"),
    })
}

/// Counts the options that read standard input, which can be read once.
pub(crate) fn refuse_sharing(uses: usize) -> Result<(), Failure> {
    match uses {
        0 | 1 => Ok(()),
        _ => Err(Failure::usage(
            "standard input can be read once, and - stands for it several times",
        )),
    }
}
