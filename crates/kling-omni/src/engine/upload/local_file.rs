//! A local file with its length and hash, and the stream of its bytes.

use std::fmt;
use std::io::{self, Read as _};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use futures_util::stream;
use sha2::{Digest, Sha256};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;

use crate::blocking_thread::run_blocking;
use crate::engine::error::{Error, ErrorKind, Result};
use crate::engine::upload::source::{FileSource, SourceContent};

type OnRead = Arc<dyn Fn(u64) + Send + Sync>;

/// A local file that was read once, with its length and the hash of its content.
///
/// Created from a [`FileSource`], and passed to an [`Uploader`](crate::upload::Uploader).
#[derive(Clone)]
pub struct LocalFile {
    name: Arc<str>,
    content: SourceContent,
    content_type: Arc<str>,
    length: u64,
    sha256: [u8; 32],
    on_read: Option<OnRead>,
}

impl LocalFile {
    /// Reads a file once to determine its length and hash.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::File`](crate::ErrorKind::File) if the file cannot be read, is empty, or if its content type is unknown.
    pub async fn open(source: impl Into<FileSource>) -> Result<Self> {
        let source = source.into();
        let name = source.name();
        let Some(content_type) = source.resolve_content_type() else {
            return Err(unknown_content_type(&name));
        };
        let content = source.content.clone();
        let measuring = run_blocking(move || match content {
            SourceContent::Path(path) => read_length_and_hash(&path),
            SourceContent::Bytes(bytes) => Ok((bytes.len() as u64, Sha256::digest(&bytes).into())),
        });
        let (length, sha256) = measuring.await.map_err(|error| read_error(&name, &error))?;
        if length == 0 {
            return Err(empty_error(&name));
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

    /// The name in messages: the path as given by the caller.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The content type, such as `video/mp4`.
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// The length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The SHA-256 of the content.
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// Whether both files have the same content and content type, so one upload is enough.
    pub(crate) fn has_same_content(&self, other: &Self) -> bool {
        self.sha256 == other.sha256 && self.content_type == other.content_type
    }

    /// Opens the file for reading from its first byte. Can be called repeatedly. Bytes that are read are reported as sent.
    ///
    /// # Errors
    ///
    /// Fails if the file no longer exists or cannot be read.
    pub async fn stream(&self) -> io::Result<FileStream> {
        let bytes = FileStream::open(self, &self.content).await?;
        self.report_progress(0);
        Ok(bytes)
    }

    /// Reports how many bytes were read.
    fn report_progress(&self, read: u64) {
        if let Some(on_read) = &self.on_read {
            on_read(read);
        }
    }
}

/// Returns the length and the hash of a file.
fn read_length_and_hash(path: &Path) -> io::Result<(u64, [u8; 32])> {
    // Opening a pipe would block, and a device may never end.
    let data = path.metadata()?;
    if data.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !data.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut file = std::fs::File::open(path)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; FileStream::CHUNK];
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

fn read_error(name: &str, error: &io::Error) -> Error {
    Error::uncharged(
        ErrorKind::File,
        format!("{name} could not be read: {error}"),
    )
    .with_help("check the path and the permissions")
}

fn empty_error(name: &str) -> Error {
    Error::uncharged(ErrorKind::File, format!("{name} is empty"))
}

fn unknown_content_type(name: &str) -> Error {
    Error::uncharged(
        ErrorKind::File,
        format!("cannot determine the content type of {name} from its name"),
    )
    .with_help("set it with `FileSource::content_type`, for example to video/mp4")
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

/// The bytes of a [`LocalFile`], as a stream of chunks. Its memory does not depend on the length of the file.
///
/// The stream ends without an error only if the content has the length and hash of [`LocalFile::open`]. Otherwise it yields
/// an error instead of its last chunk, so the receiver never has the complete file.
#[must_use = "streams do nothing unless polled"]
pub struct FileStream {
    length: u64,
    chunks: Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>,
}

impl FileStream {
    pub(crate) const CHUNK: usize = 256 * 1024;

    pub(crate) async fn open(file: &LocalFile, content: &SourceContent) -> io::Result<Self> {
        let reader = FileReader {
            input: match content {
                SourceContent::Path(path) => FileInput::Disk(File::open(path).await?),
                SourceContent::Bytes(bytes) => FileInput::Memory(bytes.clone()),
            },
            file: file.clone(),
            hash: Sha256::new(),
            read: 0,
            yielded: 0,
            last_chunk: None,
        };
        let chunks = stream::try_unfold(reader, async |mut reader| {
            let chunk = reader.next().await?;
            Ok(chunk.map(|chunk| (chunk, reader)))
        });
        Ok(Self {
            length: file.length(),
            chunks: Box::pin(chunks),
        })
    }

    /// The length of the stream in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }
}

struct FileReader {
    input: FileInput,
    file: LocalFile,
    hash: Sha256,
    read: u64,
    yielded: u64,
    /// The last chunk that was read. It is yielded when another chunk follows or the hash is verified.
    last_chunk: Option<Bytes>,
}

enum FileInput {
    Disk(File),
    Memory(Bytes),
}

impl FileReader {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let chunk = self.input.chunk().await?;
            self.read += chunk.len() as u64;
            self.hash.update(&chunk);
            let ready = if chunk.is_empty() {
                let hash: [u8; 32] = self.hash.clone().finalize().into();
                if self.read != self.file.length() || hash != *self.file.sha256() {
                    return Err(changed_error());
                }
                let Some(last) = self.last_chunk.take() else {
                    return Ok(None);
                };
                last
            } else if self.read > self.file.length() {
                return Err(changed_error());
            } else {
                match self.last_chunk.replace(chunk) {
                    Some(ready) => ready,
                    None => continue,
                }
            };
            self.yielded += ready.len() as u64;
            self.file.report_progress(self.yielded);
            return Ok(Some(ready));
        }
    }
}

impl FileInput {
    /// Returns the next bytes; empty at the end.
    async fn chunk(&mut self) -> io::Result<Bytes> {
        match self {
            Self::Disk(file) => {
                let mut chunk = BytesMut::with_capacity(FileStream::CHUNK);
                file.read_buf(&mut chunk).await?;
                Ok(chunk.freeze())
            }
            Self::Memory(bytes) => Ok(bytes.split_to(bytes.len().min(FileStream::CHUNK))),
        }
    }
}

fn changed_error() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the file changed during the upload",
    )
}

impl Stream for FileStream {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.chunks.as_mut().poll_next(context)
    }
}

impl fmt::Debug for FileStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStream")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}
