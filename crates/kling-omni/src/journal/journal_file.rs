//! The file of a journal: locking, reading, and appending records.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::engine::error::{Charged, Error, ErrorKind};
use crate::engine::folder;
use crate::fingerprint::RequestFingerprint;
use crate::journal::record::{ChecksumChain, HEADER, NAME, Record};
use crate::journal::state::State;

/// The maximum size of a journal in bytes. A journal with lists of 10,000 tasks has half a megabyte.
const MAX_SIZE: u64 = 64 * 1024 * 1024;

/// How a journal is opened.
#[derive(Clone, Copy, Debug)]
pub(super) enum Opening {
    New,
    Existing,
    Either,
}

/// A point at which a test kills the process: see `Journal::on_step`. The name is the record's name in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "test-hooks"), expect(unreachable_pub))]
pub enum Step<'a> {
    /// The record is about to be written.
    Writing(&'a str),
    /// The record is on disk, and the step that it announces has not begun.
    Written(&'a str),
}

pub(super) type OnStep = Box<dyn Fn(Step<'_>) + Send>;

/// The locked file of a journal, and its contents.
pub(super) struct JournalFile {
    file: File,
    pub(super) path: PathBuf,
    pub(super) contents: JournalContents,
    pub(super) on_step: Option<OnStep>,
    /// The first write error. Nothing is written after it.
    pub(super) write_error: Option<String>,
}

/// A child process that another thread starts holds a copy of the file until `exec`. Unlocking releases the lock for
/// all copies; closing does not.
impl Drop for JournalFile {
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

/// The contents of a journal.
#[derive(Debug)]
pub(super) struct JournalContents {
    pub(super) fingerprint: Option<RequestFingerprint>,
    pub(super) state: State,
    /// Whether the last record is `Sending`.
    pub(super) is_sending: bool,
    chain: ChecksumChain,
    /// The length of the complete records. Bytes after it are a partial record.
    length: u64,
}

/// Reads a regular file of at most [`MAX_SIZE`] bytes.
fn read_limited(file: &mut File, bytes: &mut Vec<u8>) -> io::Result<()> {
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    file.take(MAX_SIZE + 1).read_to_end(bytes)?;
    match bytes.len() as u64 <= MAX_SIZE {
        true => Ok(()),
        false => Err(io::Error::other(format!(
            "larger than the limit of {MAX_SIZE} bytes"
        ))),
    }
}

impl JournalFile {
    pub(super) fn open(path: &Path, opening: Opening) -> Result<Self, Error> {
        Self::open_file(path, opening).map_err(|error| match opening {
            Opening::New => error,
            // An unreadable journal may have a paid task.
            Opening::Existing | Opening::Either => error.with_charged(Charged::Unknown),
        })
    }

    fn open_file(path: &Path, opening: Opening) -> Result<Self, Error> {
        let path = std::path::absolute(path).map_err(|error| io_failure(path, "read", error))?;
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        match opening {
            Opening::New => options.create_new(true),
            Opening::Existing => &mut options,
            // Never truncates: another process may have created the file.
            Opening::Either => options.create(true).truncate(false),
        };
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => exists(&path),
            io::ErrorKind::NotFound if matches!(opening, Opening::Existing) => {
                io_failure(&path, "open", error).with_help(
                    "check the path, or start a new journal if the earlier run did not write one",
                )
            }
            _ => io_failure(&path, "open", error).with_help(match opening {
                Opening::New => "choose a file in an existing folder that is writable",
                _ => "make the file readable and writable, and open it again",
            }),
        })?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => in_use(&path),
            TryLockError::Error(error) => io_failure(&path, "lock", error)
                .with_help("move the journal to a file system that supports locks"),
        })?;
        let mut bytes = Vec::new();
        read_limited(&mut file, &mut bytes).map_err(|error| {
            io_failure(&path, "read", error).with_help("make the file readable, and open it again")
        })?;
        let contents =
            JournalContents::parse(&bytes).map_err(|problem| problem.into_error(&path))?;
        let mut journal = Self {
            file,
            path,
            contents,
            on_step: None,
            write_error: None,
        };
        if journal.contents.length == 0 {
            journal
                .append(HEADER)
                .and_then(|()| folder::sync(folder::parent(&journal.path)))
                .map_err(|error| {
                    io_failure(&journal.path, "write", error).with_help(
                        "free disk space or move the journal to another file system, and open it again",
                    )
                })?;
        }
        Ok(journal)
    }

    /// Appends a record and syncs it to disk.
    pub(super) fn record(&mut self, record: &Record) -> io::Result<()> {
        if let Some(error) = &self.write_error {
            return Err(io::Error::other(format!(
                "an earlier write failed: {error}"
            )));
        }
        let Some(state) = record.next_state(&self.contents.state) else {
            return Err(io::Error::other(format!(
                "the record {:?} is not valid in this state",
                record.name()
            )));
        };
        self.step(Step::Writing(record.name()));
        let mut chain = self.contents.chain.clone();
        let written = chain
            .encode(record)
            .map_err(io::Error::from)
            .and_then(|line| self.append(&line));
        if let Err(error) = written {
            self.write_error = Some(error.to_string());
            return Err(error);
        }
        self.contents.apply(record, state);
        self.contents.chain = chain;
        self.step(Step::Written(record.name()));
        Ok(())
    }

    fn step(&self, step: Step<'_>) {
        if let Some(on_step) = &self.on_step {
            on_step(step);
        }
    }

    /// Writes a line after the complete records, replacing a partial one.
    fn append(&mut self, line: &str) -> io::Result<()> {
        self.file.set_len(self.contents.length)?;
        self.file.seek(SeekFrom::Start(self.contents.length))?;
        self.file.write_all(line.as_bytes())?;
        folder::sync_file(&self.file)?;
        self.contents.length += line.len() as u64;
        Ok(())
    }
}

impl JournalContents {
    /// Parses a journal. A last line without a line end is a partial record and ignored: no step that depends on it was
    /// taken. All other lines must be unchanged.
    fn parse(bytes: &[u8]) -> Result<Self, JournalParseError> {
        let mut contents = Self {
            fingerprint: None,
            state: State::Empty,
            is_sending: false,
            chain: ChecksumChain::default(),
            length: 0,
        };
        if HEADER.as_bytes().starts_with(bytes) && bytes.len() < HEADER.len() {
            return Ok(contents);
        }
        let Some(records) = bytes.strip_prefix(HEADER.as_bytes()) else {
            return Err(match bytes.starts_with(NAME.as_bytes()) {
                true => JournalParseError::OtherVersion,
                false => JournalParseError::NotAJournal,
            });
        };
        contents.length = HEADER.len() as u64;
        let lines = records.split_inclusive(|byte| *byte == b'\n');
        for (line, number) in lines.zip(2..) {
            let Some(text) = line.strip_suffix(b"\n") else {
                break;
            };
            let damaged = JournalParseError::Damaged { line: number };
            let record = contents.chain.decode(text).ok_or(damaged)?;
            let state = record.next_state(&contents.state).ok_or(damaged)?;
            contents.apply(&record, state);
            contents.length += line.len() as u64;
        }
        Ok(contents)
    }

    fn apply(&mut self, record: &Record, state: State) {
        if let Record::Prepared(fingerprint) = record {
            self.fingerprint = Some(fingerprint.clone());
        }
        self.is_sending = matches!(record, Record::Sending { .. });
        self.state = state;
    }
}

/// Why a file is not a valid journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum JournalParseError {
    NotAJournal,
    OtherVersion,
    Damaged { line: usize },
}

impl JournalParseError {
    fn into_error(self, path: &Path) -> Error {
        let shown = path.display();
        match self {
            Self::NotAJournal => Error::uncharged(ErrorKind::File, format!("{shown} is not a journal"))
                .with_help("pass the journal that the create was started with"),
            Self::OtherVersion => Error::uncharged(
                ErrorKind::File,
                format!("the journal {shown} has an unsupported version"),
            )
            .with_help("use the version of this program that wrote it, or a newer one"),
            Self::Damaged { line } => Error::uncharged(
                ErrorKind::File,
                format!("the journal {shown} is corrupt in line {line}"),
            )
            .with_help(
                "read the remaining records, and search the account's list for the task before you create it again",
            ),
        }
    }
}

fn exists(path: &Path) -> Error {
    Error::uncharged(
        ErrorKind::File,
        format!("the journal {} already exists", path.display()),
    )
    .with_help("resume it, or use another file for a new task")
}

fn in_use(path: &Path) -> Error {
    Error::uncharged(
        ErrorKind::File,
        format!(
            "the journal {} is in use by another process",
            path.display()
        ),
    )
    .with_help("wait until that process exits")
}

pub(super) fn io_failure(path: &Path, action: &str, error: io::Error) -> Error {
    Error::uncharged(
        ErrorKind::File,
        format!("cannot {action} the journal {}", path.display()),
    )
    .with_source(error)
}
