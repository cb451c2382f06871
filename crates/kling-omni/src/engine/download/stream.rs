//! A download as a stream of bytes.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::{StreamExt, stream};
use sha2::{Digest, Sha256};

use crate::engine::download::errors;
use crate::engine::download::event::DownloadEvent;
use crate::engine::download::transfer::{DownloadItem, Transfer};
use crate::engine::download::video::Video;
use crate::engine::error::Result;

/// The bytes of a finished video, as a stream of chunks.
///
/// A connection that breaks or stalls is resumed at the same position, as by [`Save`](super::Save). The stream continues
/// without a gap. If the host cannot resume, the bytes that were already yielded are downloaded again and compared. The
/// stream ends with an error if they differ, or if the file is not a complete MP4.
#[must_use = "streams do nothing unless polled"]
pub struct Download {
    length: Option<u64>,
    chunks: Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>,
}

impl Download {
    pub(crate) async fn open(video: &Video) -> Result<Self> {
        let mut transfer = Transfer::new(video.clone());
        transfer.open().await?;
        let length = transfer.length();
        let reader = DownloadReader {
            video: video.clone(),
            transfer,
            yielded: 0,
            digest: Sha256::new(),
            replay: None,
        };
        let chunks = stream::try_unfold(reader, async |mut reader| {
            let chunk = reader.next().await?;
            Ok(chunk.map(|chunk| (chunk, reader)))
        });
        Ok(Self {
            length,
            chunks: Box::pin(chunks.fuse()),
        })
    }

    /// The length of the complete file, if the host announces it.
    pub fn length(&self) -> Option<u64> {
        self.length
    }
}

impl Video {
    /// Opens the file for reading as a stream of bytes, in chunks as they arrive. The request carries no API key.
    ///
    /// Interrupted connections and expired URLs are handled as by [`save`](Self::save).
    ///
    /// # Errors
    ///
    /// As [`save`](Self::save), without those about files.
    pub async fn download(&self) -> Result<Download> {
        Download::open(self).await
    }
}

/// Yields each byte once, even if the transfer downloads it again.
struct DownloadReader {
    video: Video,
    transfer: Transfer,
    yielded: u64,
    digest: Sha256,
    replay: Option<Replay>,
}

/// The bytes that are downloaded again and have to be the same.
struct Replay {
    left: u64,
    digest: Sha256,
}

impl DownloadReader {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        while let Some(item) = self.transfer.next().await? {
            match item {
                DownloadItem::Event(DownloadEvent::Restarted { .. }) => {
                    self.replay = Some(Replay {
                        left: self.yielded,
                        digest: Sha256::new(),
                    });
                }
                DownloadItem::Event(_) => {}
                DownloadItem::Bytes(chunk) => {
                    let fresh = self.skip_replayed(chunk)?;
                    if !fresh.is_empty() {
                        self.yielded += fresh.len() as u64;
                        self.digest.update(&fresh);
                        return Ok(Some(fresh));
                    }
                }
            }
        }
        match self.replay {
            Some(_) => Err(errors::changed(&self.video)),
            None => Ok(None),
        }
    }

    /// Compares the bytes that are downloaded again with those that were yielded. Returns the new ones.
    fn skip_replayed(&mut self, mut chunk: Bytes) -> Result<Bytes> {
        let Some(replay) = &mut self.replay else {
            return Ok(chunk);
        };
        let left = usize::try_from(replay.left).unwrap_or(usize::MAX);
        let replayed = chunk.split_to(left.min(chunk.len()));
        replay.digest.update(&replayed);
        replay.left -= replayed.len() as u64;
        if replay.left == 0 {
            if replay.digest.clone().finalize() != self.digest.clone().finalize() {
                return Err(errors::changed(&self.video));
            }
            self.replay = None;
        }
        Ok(chunk)
    }
}

impl Stream for Download {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.chunks.as_mut().poll_next(context)
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}
