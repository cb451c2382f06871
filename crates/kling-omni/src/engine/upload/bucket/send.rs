//! One file on its way into a bucket.

use std::io;

use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, WriteMultipart,
};
use tokio::runtime::Handle;

use crate::engine::upload::file_bytes::FileBytes;
use crate::engine::upload::local_file::LocalFile;

/// The smallest part that S3 takes, and the size of all parts unless there would be too many.
const PART: u64 = 5 << 20;
/// S3 takes no more of them.
const MOST_PARTS: u64 = 10_000;
/// How many parts of a file are on their way at the same time; another one is being filled.
const PARTS_AT_ONCE: usize = 2;

/// Why a file did not get into the bucket.
pub(crate) enum Failure {
    /// The file cannot be read, or is not what it was.
    File(io::Error),
    /// The store cannot be reached, or does not take it.
    Store(object_store::Error),
}

impl From<object_store::Error> for Failure {
    fn from(error: object_store::Error) -> Self {
        Self::Store(error)
    }
}

/// Sends a file. There is an object only once every byte is known to be right.
pub(crate) async fn send(
    store: &impl ObjectStore,
    file: &LocalFile,
    path: &Path,
) -> Result<(), Failure> {
    let bytes = file.open().await.map_err(Failure::File)?;
    let kind = file.content_type().to_owned();
    let attributes = Attributes::from_iter([(Attribute::ContentType, kind)]);
    if file.length() <= PART {
        let whole: Vec<_> = bytes.try_collect().await.map_err(Failure::File)?;
        let options = PutOptions {
            attributes,
            ..PutOptions::default()
        };
        store
            .put_opts(path, PutPayload::from_iter(whole), options)
            .await?;
        return Ok(());
    }
    let options = PutMultipartOptions {
        attributes,
        ..PutMultipartOptions::default()
    };
    let upload = store.put_multipart_opts(path, options).await?;
    let size = usize::try_from(part_size(file.length())).unwrap_or(usize::MAX);
    let mut parts = Parts(Some(WriteMultipart::new_with_chunk_size(upload, size)));
    match parts.fill(bytes).await {
        Ok(()) => Ok(parts.finish().await?),
        Err(failure) => {
            parts.abort().await;
            Err(failure)
        }
    }
}

fn part_size(length: u64) -> u64 {
    PART.max(length.div_ceil(MOST_PARTS))
}

/// A multipart upload, which is aborted unless it is finished.
struct Parts(Option<WriteMultipart>);

impl Parts {
    async fn fill(&mut self, mut bytes: FileBytes) -> Result<(), Failure> {
        let Some(upload) = &mut self.0 else {
            return Ok(());
        };
        while let Some(chunk) = bytes.next().await {
            let chunk = chunk.map_err(Failure::File)?;
            upload.wait_for_capacity(PARTS_AT_ONCE).await?;
            upload.put(chunk);
        }
        Ok(())
    }

    async fn finish(mut self) -> object_store::Result<()> {
        if let Some(upload) = self.0.take() {
            upload.finish().await?;
        }
        Ok(())
    }

    async fn abort(mut self) {
        if let Some(upload) = self.0.take() {
            abort(upload).await;
        }
    }
}

async fn abort(upload: WriteMultipart) {
    if upload.abort().await.is_err() {
        tracing::warn!("an upload was broken off, and its parts could not be removed");
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        if let Some(upload) = self.0.take()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(abort(upload));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_neither_too_small_nor_too_many() {
        for (length, size) in [
            (PART + 1, PART),
            (PART * MOST_PARTS, PART),
            (PART * MOST_PARTS + 1, PART + 1),
            (1 << 40, (1 << 40) / MOST_PARTS + 1),
        ] {
            assert_eq!(part_size(length), size, "{length}");
            assert!(length.div_ceil(size) <= MOST_PARTS, "{length}");
        }
    }
}
