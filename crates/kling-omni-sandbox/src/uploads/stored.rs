//! An uploaded file on disk.

use std::io::{self, SeekFrom};
use std::ops::RangeInclusive;
use std::time::SystemTime;

use axum::body::Body;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use sha2::{Digest, Sha256};
use tempfile::{NamedTempFile, TempPath};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use tokio_util::io::ReaderStream;

/// An uploaded file on disk, removed on drop.
#[derive(Debug)]
pub(crate) struct StoredFile {
    pub(crate) at: SystemTime,
    pub(crate) length: u64,
    pub(crate) sha256: [u8; 32],
    path: TempPath,
}

/// Why an upload is incomplete.
#[derive(Debug)]
pub(super) enum Incomplete {
    /// The file is larger than the limit.
    TooLong,
    /// The connection was lost, or the body does not match its `Content-Length`.
    Broken,
    /// The file cannot be written.
    Disk(io::Error),
}

impl StoredFile {
    /// Writes a body to disk, chunk by chunk.
    pub(super) async fn receive<E>(
        mut body: impl Stream<Item = Result<Bytes, E>> + Unpin,
        max_size: u64,
        at: SystemTime,
    ) -> Result<Self, Incomplete> {
        let (file, path) = NamedTempFile::new().map_err(Incomplete::Disk)?.into_parts();
        let mut file = File::from_std(file);
        let mut hash = Sha256::new();
        let mut length = 0;
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|_| Incomplete::Broken)?;
            length += chunk.len() as u64;
            if length > max_size {
                return Err(Incomplete::TooLong);
            }
            hash.update(&chunk);
            file.write_all(&chunk).await.map_err(Incomplete::Disk)?;
        }
        file.flush().await.map_err(Incomplete::Disk)?;
        Ok(Self {
            at,
            length,
            sha256: hash.finalize().into(),
            path,
        })
    }

    /// Returns a range of bytes as a body, which is read from disk while it is sent.
    pub(crate) async fn body(&self, bytes: RangeInclusive<u64>) -> io::Result<Body> {
        let mut file = File::open(&self.path).await?;
        file.seek(SeekFrom::Start(*bytes.start())).await?;
        let length = (*bytes.end() + 1).saturating_sub(*bytes.start());
        Ok(Body::from_stream(ReaderStream::new(file.take(length))))
    }
}
