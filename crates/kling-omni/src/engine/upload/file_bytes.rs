use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use futures_util::stream;
use sha2::{Digest, Sha256};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;

use crate::engine::upload::local_file::LocalFile;
use crate::engine::upload::source::Content;

/// The bytes of a [`LocalFile`], as a stream of chunks. Its memory does not depend on the file's length.
///
/// The stream comes to its end only if every byte is what it was when the file was measured. Otherwise it ends with an
/// error before its last chunk, so that whoever was promised the whole file never has it.
#[must_use = "streams do nothing unless polled"]
pub struct FileBytes {
    length: u64,
    chunks: Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>,
}

impl FileBytes {
    pub(crate) const CHUNK: usize = 256 * 1024;

    pub(crate) async fn open(file: &LocalFile, content: &Content) -> io::Result<Self> {
        let reader = Reader {
            from: match content {
                Content::Path(path) => Input::Disk(File::open(path).await?),
                Content::Bytes(bytes) => Input::Memory(bytes.clone()),
            },
            file: file.clone(),
            hash: Sha256::new(),
            read: 0,
            given: 0,
            held: None,
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

    /// How many bytes come.
    pub fn length(&self) -> u64 {
        self.length
    }
}

struct Reader {
    from: Input,
    file: LocalFile,
    hash: Sha256,
    read: u64,
    given: u64,
    /// The last chunk that was read, which is kept back until it is known that there is another, or that all are right.
    held: Option<Bytes>,
}

enum Input {
    Disk(File),
    Memory(Bytes),
}

impl Reader {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let chunk = self.from.chunk().await?;
            self.read += chunk.len() as u64;
            self.hash.update(&chunk);
            let ready = if chunk.is_empty() {
                let hash: [u8; 32] = self.hash.clone().finalize().into();
                if self.read != self.file.length() || hash != *self.file.sha256() {
                    return Err(changed());
                }
                let Some(last) = self.held.take() else {
                    return Ok(None);
                };
                last
            } else if self.read > self.file.length() {
                return Err(changed());
            } else {
                match self.held.replace(chunk) {
                    Some(ready) => ready,
                    None => continue,
                }
            };
            self.given += ready.len() as u64;
            self.file.tell(self.given);
            return Ok(Some(ready));
        }
    }
}

impl Input {
    /// The next bytes; none at the end.
    async fn chunk(&mut self) -> io::Result<Bytes> {
        match self {
            Self::Disk(file) => {
                let mut chunk = BytesMut::with_capacity(FileBytes::CHUNK);
                file.read_buf(&mut chunk).await?;
                Ok(chunk.freeze())
            }
            Self::Memory(bytes) => Ok(bytes.split_to(bytes.len().min(FileBytes::CHUNK))),
        }
    }
}

fn changed() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "it was changed while it was being sent",
    )
}

impl Stream for FileBytes {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.chunks.as_mut().poll_next(context)
    }
}

impl fmt::Debug for FileBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileBytes")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}
