//! The store of a journal in a file: the lock, the lines and their checksums.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use crate::blocking_thread::run_blocking;
use crate::digest;
use crate::engine::error::{Charged, Error, ErrorKind};
use crate::engine::folder;
use crate::journal::store::{JournalRecord, JournalStore, StoredRecords};

/// The first line of a journal.
const HEADER: &str = "kling-omni journal 2\n";
/// The beginning of the first line, in all versions.
const NAME: &str = "kling-omni journal ";

pub(super) const HELP_CORRUPT: &str = "read the remaining records, and search the account's list for the task before you create it again";

/// The maximum size of a journal in bytes. A journal with lists of 10,000 tasks has half a megabyte.
const MAX_SIZE: u64 = 64 * 1024 * 1024;

/// How a journal is opened.
#[derive(Clone, Copy, Debug)]
pub(super) enum Opening {
    New,
    Existing,
    Either,
}

/// A journal in a locked file.
pub(super) struct FileStore {
    file: Arc<Mutex<JournalFile>>,
}

/// The locked file of a journal, and the records in it.
struct JournalFile {
    file: File,
    path: PathBuf,
    lines: JournalLines,
}

/// A child process that another thread starts holds a copy of the file until `exec`. Unlocking releases the lock for
/// all copies; closing does not.
impl Drop for JournalFile {
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

/// The complete lines of a journal.
#[derive(Debug, Default)]
struct JournalLines {
    records: Vec<String>,
    chain: ChecksumChain,
    /// The length of the complete lines in bytes. Bytes after it are a partial record.
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

impl FileStore {
    /// Opens and locks the file. Returns it with its absolute path.
    pub(super) async fn open(path: PathBuf, opening: Opening) -> Result<(Self, PathBuf), Error> {
        let opened = run_blocking(move || JournalFile::open(&path, opening)).await;
        let file = opened.map_err(|error| match opening {
            Opening::New => error,
            // An unreadable journal may have a paid task.
            Opening::Existing | Opening::Either => error.with_charged(Charged::Unknown),
        })?;
        let path = file.path.clone();
        let file = Arc::new(Mutex::new(file));
        Ok((Self { file }, path))
    }

    /// Runs blocking work on the file.
    async fn with_file<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut JournalFile) -> T + Send + 'static,
    ) -> T {
        let file = Arc::clone(&self.file);
        run_blocking(move || work(&mut file.lock().unwrap_or_else(PoisonError::into_inner))).await
    }
}

#[async_trait]
impl JournalStore for FileStore {
    async fn load(&mut self) -> io::Result<StoredRecords> {
        let records = self.with_file(|file| file.lines.records.clone()).await;
        Ok(StoredRecords {
            records,
            // The lock was free, so no process that wrote the file still runs.
            sender_ended: true,
        })
    }

    async fn append(&mut self, number: u64, record: &JournalRecord) -> io::Result<()> {
        let json = record.json().to_owned();
        self.with_file(move |file| file.append_record(number, json))
            .await
    }
}

impl JournalFile {
    fn open(path: &Path, opening: Opening) -> Result<Self, Error> {
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
        let lines = JournalLines::parse(&bytes).map_err(|problem| problem.into_error(&path))?;
        let mut journal = Self { file, path, lines };
        if journal.lines.length == 0 {
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

    fn append_record(&mut self, number: u64, json: String) -> io::Result<()> {
        if number < self.lines.records.len() as u64 {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let (chain, line) = self.lines.chain.encode(&json);
        self.append(&line)?;
        self.lines.chain = chain;
        self.lines.records.push(json);
        Ok(())
    }

    /// Writes a line after the complete ones, replacing a partial one, and syncs it to disk.
    fn append(&mut self, line: &str) -> io::Result<()> {
        self.file.set_len(self.lines.length)?;
        self.file.seek(SeekFrom::Start(self.lines.length))?;
        self.file.write_all(line.as_bytes())?;
        folder::sync_file(&self.file)?;
        self.lines.length += line.len() as u64;
        Ok(())
    }
}

impl JournalLines {
    /// Parses a journal. A last line without a line end is a partial record and ignored: no step that depends on it was
    /// taken. All other lines must be unchanged.
    fn parse(bytes: &[u8]) -> Result<Self, JournalParseError> {
        let mut parsed = Self::default();
        if HEADER.as_bytes().starts_with(bytes) && bytes.len() < HEADER.len() {
            return Ok(parsed);
        }
        let Some(records) = bytes.strip_prefix(HEADER.as_bytes()) else {
            return Err(match bytes.starts_with(NAME.as_bytes()) {
                true => JournalParseError::OtherVersion,
                false => JournalParseError::NotAJournal,
            });
        };
        parsed.length = HEADER.len() as u64;
        for (line, record) in records.split_inclusive(|byte| *byte == b'\n').zip(0..) {
            let Some(text) = line.strip_suffix(b"\n") else {
                break;
            };
            let json = parsed.chain.decode(text);
            let json = json.ok_or(JournalParseError::Corrupt { record })?;
            parsed.records.push(json);
            parsed.length += line.len() as u64;
        }
        Ok(parsed)
    }
}

/// The checksums of a journal. Each covers its record and the previous checksum, and thereby all earlier records.
#[derive(Clone, Debug, Default)]
struct ChecksumChain {
    last: String,
}

impl ChecksumChain {
    /// The length of a checksum in hexadecimal digits. It is a prefix of a SHA-256.
    const DIGITS: usize = 16;

    /// Encodes a record as a line. Returns the chain with it.
    fn encode(&self, json: &str) -> (Self, String) {
        let last = self.sum(json);
        let line = format!("{last} {json}\n");
        (Self { last }, line)
    }

    /// Decodes a line without its line end; `None` if its checksum is wrong.
    fn decode(&mut self, line: &[u8]) -> Option<String> {
        let (sum, json) = std::str::from_utf8(line).ok()?.split_once(' ')?;
        if sum != self.sum(json) {
            return None;
        }
        self.last = sum.to_owned();
        Some(json.to_owned())
    }

    fn sum(&self, json: &str) -> String {
        let mut sum = digest::hex(Sha256::new_with_prefix(&self.last).chain_update(json));
        sum.truncate(Self::DIGITS);
        sum
    }
}

/// Why a file is not a valid journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JournalParseError {
    NotAJournal,
    OtherVersion,
    /// The first invalid record, from 0.
    Corrupt {
        record: u64,
    },
}

impl JournalParseError {
    pub(super) fn into_error(self, path: &Path) -> Error {
        let shown = path.display();
        match self {
            Self::NotAJournal => {
                Error::uncharged(ErrorKind::File, format!("{shown} is not a journal"))
                    .with_help("pass the journal that the create was started with")
            }
            Self::OtherVersion => Error::uncharged(
                ErrorKind::File,
                format!("the journal {shown} has an unsupported version"),
            )
            .with_help("use the version of this program that wrote it, or a newer one"),
            // The first record is in the second line.
            Self::Corrupt { record } => Error::uncharged(
                ErrorKind::File,
                format!("the journal {shown} is corrupt in line {}", record + 2),
            )
            .with_help(HELP_CORRUPT),
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

fn io_failure(path: &Path, action: &str, error: io::Error) -> Error {
    Error::uncharged(
        ErrorKind::File,
        format!("cannot {action} the journal {}", path.display()),
    )
    .with_source(error)
}
