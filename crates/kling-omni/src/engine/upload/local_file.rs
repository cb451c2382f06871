use std::fmt;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::engine::error::Result;
use crate::engine::upload::file_bytes::FileBytes;
use crate::engine::upload::problem;
use crate::engine::upload::source::{Content, FileSource};

type OnRead = Arc<dyn Fn(u64) + Send + Sync>;

/// A local file that was looked at once from end to end: how long it is, and what the hash of its content is.
///
/// Made from a [`FileSource`], and given to an [`Uploader`](crate::upload::Uploader).
#[derive(Clone)]
pub struct LocalFile {
    name: Arc<str>,
    content: Content,
    content_type: Arc<str>,
    length: u64,
    sha256: [u8; 32],
    on_read: Option<OnRead>,
}

impl LocalFile {
    /// Reads a file through once.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::File`](crate::ErrorKind::File) if it cannot be read, is empty, or if nothing tells what it holds.
    pub async fn measure(source: impl Into<FileSource>) -> Result<Self> {
        let source = source.into();
        let name = source.name();
        let Some(content_type) = source.kind() else {
            return Err(problem::of_no_kind(&name));
        };
        let content = source.content.clone();
        let measuring = tokio::task::spawn_blocking(move || match content {
            Content::Path(path) => measure(&path),
            Content::Bytes(bytes) => Ok((bytes.len() as u64, Sha256::digest(&bytes).into())),
        });
        let measured = measuring
            .await
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        let (length, sha256) = measured.map_err(|error| problem::unreadable(&name, &error))?;
        if length == 0 {
            return Err(problem::empty(&name));
        }
        Ok(Self {
            name: name.into(),
            content: source.content,
            content_type: content_type.into(),
            length,
            sha256,
            on_read: None,
        })
    }

    pub(crate) fn with_progress(mut self, on_read: impl Fn(u64) + Send + Sync + 'static) -> Self {
        self.on_read = Some(Arc::new(on_read));
        self
    }

    /// What people know it by: the path as it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it holds, such as `video/mp4`.
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// How many bytes it has.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The SHA-256 of its content.
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// Whether one upload does for both.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.sha256 == other.sha256 && self.content_type == other.content_type
    }

    /// Opens it for reading from its first byte, as often as need be. What is read counts as sent for whoever wants to
    /// know of the progress.
    ///
    /// # Errors
    ///
    /// The file is gone, or cannot be read any more.
    pub async fn open(&self) -> io::Result<FileBytes> {
        let bytes = FileBytes::open(self, &self.content).await?;
        self.tell(0);
        Ok(bytes)
    }

    /// Tells how much of it was read.
    pub(crate) fn tell(&self, read: u64) {
        if let Some(on_read) = &self.on_read {
            on_read(read);
        }
    }
}

/// Length and hash of a file.
fn measure(path: &Path) -> io::Result<(u64, [u8; 32])> {
    // Opening a pipe would wait for its other end, and a device may never end.
    let data = path.metadata()?;
    if data.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !data.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut file = std::fs::File::open(path)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; FileBytes::CHUNK];
    let mut length = 0;
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok((length, hash.finalize().into())),
            Ok(read) => {
                hash.update(&chunk[..read]);
                length += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

impl fmt::Debug for LocalFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalFile")
            .field("name", &self.name)
            .field("content_type", &self.content_type)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}
