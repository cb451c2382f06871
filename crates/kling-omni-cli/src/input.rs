//! Reads the files of the command line, and standard input for `-`. Only regular files are read, up to a limit: a device or
//! a pipe could block forever or fill the memory.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser};
use kling_omni::request::MediaSource;

use crate::failure::Failure;
use crate::report;

/// The maximum size of a request, a text or a file of task durations, in bytes.
pub(crate) const MAX_TEXT_SIZE: u64 = 1024 * 1024;

/// The content of a file or of standard input, and its name in messages.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) name: String,
    bytes: Vec<u8>,
}

/// Returns whether a path stands for standard input.
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
                report::say("reading standard input until Ctrl-D");
            }
            io::stdin().take(limit + 1).read_to_end(&mut bytes)
        }
        false => open_regular(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes)),
    };
    read.map_err(|error| unreadable(&name, error))?;
    if bytes.len() as u64 > limit {
        return Err(Failure::file(format!(
            "{name} is larger than {limit} bytes"
        )));
    }
    Ok(Input { name, bytes })
}

impl Input {
    /// Returns the text without a byte order mark.
    pub(crate) fn text(self) -> Result<String, Failure> {
        let text = String::from_utf8(self.bytes)
            .map_err(|_| Failure::usage(format!("{} is not valid UTF-8", self.name)))?;
        Ok(match text.strip_prefix('\u{feff}') {
            Some(text) => text.to_owned(),
            None => text,
        })
    }
}

/// Opens a regular file. Fails for a pipe, which would block, and for a device, which may be endless.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    refuse_special(path)?;
    let file = File::open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(special()),
    }
}

/// Fails if a path exists and is not a regular file.
pub(crate) fn refuse_special(path: &Path) -> io::Result<()> {
    match path.metadata() {
        Ok(data) if data.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(data) if !data.is_file() => Err(special()),
        _ => Ok(()),
    }
}

/// Fails if a path exists and is neither a regular file nor a device such as `/dev/null`.
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
    io::Error::other("not a regular file")
}

pub(crate) fn unreadable(name: &str, error: io::Error) -> Failure {
    let failure = Failure::file(format!("cannot read {name}"));
    match error.to_string() {
        cause if cause == special().to_string() => failure
            .with_cause(cause)
            .with_help("use a regular file, or - for standard input if the option allows it"),
        cause => failure.with_cause(cause),
    }
}

/// Returns the name of a path in messages.
pub(crate) fn name(path: &Path) -> String {
    match is_stdin(path) {
        true => "standard input".to_owned(),
        false => report::printable(&path.to_string_lossy()).into_owned(),
    }
}

/// Returns a parser for an option that takes a file, but not standard input.
pub(crate) fn file() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(local_file)
}

/// Returns a parser for an option that takes a file, or standard input for `-`. It rejects URLs, which may contain secrets,
/// before a message can name them as files.
pub(crate) fn file_or_stdin() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(local)
}

fn local(path: PathBuf) -> Result<PathBuf, &'static str> {
    match MediaSource::url_or_path(&path).is_local() {
        true => Ok(path),
        false => Err("a URL cannot be used here, only a local file"),
    }
}

/// Returns a path that is neither standard input nor a URL.
pub(crate) fn local_file(path: PathBuf) -> Result<PathBuf, &'static str> {
    match is_stdin(&path) {
        true => Err("standard input cannot be used here (use ./- for a file of that name)"),
        false => local(path),
    }
}

/// Fails if several options read standard input.
pub(crate) fn refuse_sharing(uses: usize) -> Result<(), Failure> {
    match uses {
        0 | 1 => Ok(()),
        _ => Err(Failure::usage(
            "standard input (-) cannot be used by several options",
        )),
    }
}
