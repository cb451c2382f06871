use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::{StreamExt, stream};
use sha2::{Digest, Sha256};

use crate::engine::download::setback::Setback;
use crate::engine::download::transfer::{Piece, Transfer};
use crate::engine::download::{Video, problem};
use crate::engine::error::Result;

/// The bytes of a finished video, as a stream of chunks.
///
/// A connection that breaks or stalls is taken up again where it ended, as [`Save`](super::Save) does it; the stream
/// goes on as if nothing had happened. Where the host cannot continue, the bytes that were given out already are
/// fetched once more and compared. The stream ends with an error if they differ, and if what came is no whole MP4.
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
        let reader = Reader {
            video: video.clone(),
            transfer,
            given: 0,
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

    /// How many bytes the whole file has, if the host says so.
    pub fn length(&self) -> Option<u64> {
        self.length
    }
}

/// Gives each byte once, whatever the transfer has to fetch again.
struct Reader {
    video: Video,
    transfer: Transfer,
    given: u64,
    digest: Sha256,
    replay: Option<Replay>,
}

/// Bytes that come again, and must be what they were.
struct Replay {
    left: u64,
    digest: Sha256,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        while let Some(piece) = self.transfer.next().await? {
            match piece {
                Piece::Setback(Setback::Restarted { .. }) => {
                    self.replay = Some(Replay {
                        left: self.given,
                        digest: Sha256::new(),
                    });
                }
                Piece::Setback(_) => {}
                Piece::Bytes(chunk) => {
                    let fresh = self.after_replay(chunk)?;
                    if !fresh.is_empty() {
                        self.given += fresh.len() as u64;
                        self.digest.update(&fresh);
                        return Ok(Some(fresh));
                    }
                }
            }
        }
        match self.replay {
            Some(_) => Err(problem::changed(&self.video)),
            None => Ok(None),
        }
    }

    /// Holds what comes again against what was given out; answers the rest.
    fn after_replay(&mut self, mut chunk: Bytes) -> Result<Bytes> {
        let Some(replay) = &mut self.replay else {
            return Ok(chunk);
        };
        let left = usize::try_from(replay.left).unwrap_or(usize::MAX);
        let again = chunk.split_to(left.min(chunk.len()));
        replay.digest.update(&again);
        replay.left -= again.len() as u64;
        if replay.left == 0 {
            if replay.digest.clone().finalize() != self.digest.clone().finalize() {
                return Err(problem::changed(&self.video));
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
