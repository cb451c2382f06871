//! The file that keeps what is known of an account's tasks between runs: a set of known tasks, in the state folder of the user.

use std::collections::hash_map::RandomState;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use kling_omni::Client;
use kling_omni::recovery::{KnownEntry, KnownFacts, KnownTasks, Refresh};
use serde::Deserialize;
use tempfile::NamedTempFile;

use crate::environment;

/// The first line of the file.
const HEADER: &str = "kling-omni known tasks 1\n";
/// The maximum size of the file in bytes.
const MAX_SIZE: u64 = 256 * 1024 * 1024;
/// How often a locked file is tried again. Another run may be reading a long list.
const LOCK_INTERVAL: Duration = Duration::from_millis(100);

/// The file of one account.
#[derive(Clone, Debug)]
pub(crate) struct KnownTasksFile {
    path: PathBuf,
}

/// A line after the first: an entry, or facts about all entries before it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Entry(KnownEntry),
    Facts(KnownFacts),
}

/// The contents of the file.
struct Contents {
    known: KnownTasks,
    /// The length of what was read, without an interrupted write at the end.
    length: u64,
}

impl KnownTasksFile {
    /// Returns the file for the account of a client; `None` without a state folder. Creates the folder.
    pub(crate) fn of_account(client: &Client) -> io::Result<Option<Self>> {
        let Some(folder) = state_folder() else {
            return Ok(None);
        };
        let mut salt = salt(&folder)?;
        salt.extend_from_slice(client.base_url().as_bytes());
        salt.push(b'\n');
        let name = format!("known-tasks-{}", client.key_fingerprint(&salt));
        Ok(Some(Self {
            path: folder.join(name),
        }))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the set. An account without a file has an empty one.
    pub(crate) async fn read(&self) -> io::Result<KnownTasks> {
        let mut file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(KnownTasks::new()),
            opened => Locked::new(opened?).await?,
        };
        Ok(file.read()?.known)
    }

    /// Reads the set, brings it up to date, and writes what is new to disk. The file is locked meanwhile. Returns `None` if a
    /// list of the service cannot be read.
    pub(crate) async fn extend(
        &self,
        refresh: impl FnOnce(&KnownTasks) -> Refresh,
    ) -> io::Result<Option<KnownTasks>> {
        let mut file = self.open().await?;
        let contents = file.read()?;
        let known = contents.known;
        let mark = known.len();
        if refresh(&known).await.is_err() {
            return Ok(None);
        }
        file.append(contents.length, &text(&known, mark)?)?;
        Ok(Some(known))
    }

    /// Writes the entries after the first `stored` ones to disk. Fails if another run has extended the file since these were
    /// read: the set has other entries then.
    pub(crate) fn store(&self, known: &KnownTasks, stored: usize) -> io::Result<()> {
        let file = self.open_file()?;
        file.lock()?;
        let mut file = Locked(file);
        let contents = file.read()?;
        if contents.known.len() != stored {
            return Err(io::Error::other("changed by another run"));
        }
        file.append(contents.length, &text(known, stored)?)
    }

    /// Adds the entries after `mark` that are about tasks of this program. The others are read again by the next run.
    pub(crate) async fn add_own(&self, known: &KnownTasks, mark: usize) -> io::Result<()> {
        let (mut entries, _) = known.entries_from(mark);
        entries.retain(KnownEntry::is_own);
        if entries.is_empty() {
            return Ok(());
        }
        let mut file = self.open().await?;
        let length = file.read()?.length;
        file.append(length, &lines(&entries)?)
    }

    /// Opens and locks the file for writing.
    async fn open(&self) -> io::Result<Locked> {
        Locked::new(self.open_file()?).await
    }

    /// Opens the file for writing. A new one is readable by its owner only.
    fn open_file(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&self.path)?;
        // The name of a new file is durable only if its folder is.
        #[cfg(unix)]
        if let Some(folder) = self.path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(file)
    }
}

/// A locked file.
struct Locked(File);

/// A child process that another thread starts holds a copy of the file until `exec`. Unlocking releases the lock for all
/// copies; closing does not.
impl Drop for Locked {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

impl Locked {
    /// Waits for the lock.
    async fn new(file: File) -> io::Result<Self> {
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_INTERVAL).await,
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    fn read(&mut self) -> io::Result<Contents> {
        if !self.0.metadata()?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let mut bytes = Vec::new();
        (&self.0).take(MAX_SIZE + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_SIZE {
            return Err(io::Error::other(format!("larger than {MAX_SIZE} bytes")));
        }
        Contents::parse(&bytes).ok_or_else(|| io::Error::other("damaged"))
    }

    /// Writes text at `length`, the end of what was read.
    fn append(&mut self, length: u64, text: &str) -> io::Result<()> {
        self.0.set_len(length)?;
        self.0.seek(SeekFrom::Start(length))?;
        let header = if length == 0 { HEADER } else { "" };
        self.0.write_all(format!("{header}{text}").as_bytes())?;
        self.0.sync_data()
    }
}

impl Contents {
    /// Parses the file; `None` if it is damaged. A last line without a line end is an interrupted write.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let complete = bytes.iter().rposition(|byte| *byte == b'\n');
        let bytes = &bytes[..complete.map_or(0, |at| at + 1)];
        let (mut entries, mut facts) = (Vec::new(), None);
        if !bytes.is_empty() {
            let text = std::str::from_utf8(bytes).ok()?;
            for line in text.strip_prefix(HEADER)?.lines() {
                match serde_json::from_str(line).ok()? {
                    Line::Entry(entry) => entries.push(entry),
                    Line::Facts(latest) => facts = Some(latest),
                }
            }
        }
        match facts {
            Some(facts) => Some(Self {
                known: KnownTasks::restore(facts, entries).ok()?,
                length: bytes.len() as u64,
            }),
            // The first write was interrupted, and no create was recorded with it.
            None => Some(Self {
                known: KnownTasks::new(),
                length: 0,
            }),
        }
    }
}

/// The text for the entries of a set after `mark`, and for the facts about all.
fn text(known: &KnownTasks, mark: usize) -> io::Result<String> {
    let (entries, facts) = known.entries_from(mark);
    let mut text = lines(&entries)?;
    text.push_str(&serde_json::to_string(&facts)?);
    text.push('\n');
    Ok(text)
}

fn lines(entries: &[KnownEntry]) -> io::Result<String> {
    let mut text = String::new();
    for entry in entries {
        text.push_str(&serde_json::to_string(entry)?);
        text.push('\n');
    }
    Ok(text)
}

/// The folder for the state of this program: below `XDG_STATE_HOME`, or else below `~/.local/state`.
pub(crate) fn state_folder() -> Option<PathBuf> {
    let folder = |name| {
        let folder = PathBuf::from(environment::variable(name)?);
        folder.is_absolute().then_some(folder)
    };
    let state =
        folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local").join("state")))?;
    Some(state.join("kling-omni"))
}

/// Reads the salt of a folder, which keeps names of files from being compared with hashes of keys. Creates both if necessary.
fn salt(folder: &Path) -> io::Result<Vec<u8>> {
    let path = folder.join("salt");
    match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        read => return read,
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    let mut file = NamedTempFile::new_in(folder)?;
    for _ in 0..2 {
        // The standard library seeds its hash function with random bytes.
        let random = RandomState::new().build_hasher().finish();
        write!(file, "{random:016x}")?;
    }
    file.as_file().sync_all()?;
    match file.persist_noclobber(&path) {
        Ok(_) => {}
        // Another run was faster.
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error.error),
    }
    fs::read(&path)
}
