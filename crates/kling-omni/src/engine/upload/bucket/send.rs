//! Sends one file to a bucket.

use std::io;

use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, WriteMultipart,
};
use tokio::runtime::Handle;

use crate::engine::upload::local_file::{FileStream, LocalFile};

/// The minimum part size of S3, used unless there would be too many parts.
const PART_SIZE: u64 = 5 << 20;
/// The maximum number of parts of S3.
const MAX_PARTS: u64 = 10_000;
/// The number of parts of a file that are sent concurrently, while another one is filled.
const CONCURRENT_PARTS: usize = 2;

/// Why a file was not sent.
pub(crate) enum SendError {
    /// The file cannot be read or has changed.
    File(io::Error),
    /// The store cannot be reached or rejects the file.
    Store(object_store::Error),
}

impl From<object_store::Error> for SendError {
    fn from(error: object_store::Error) -> Self {
        Self::Store(error)
    }
}

/// Sends a file. The object appears only once all bytes are verified.
pub(crate) async fn send(
    store: &impl ObjectStore,
    file: &LocalFile,
    path: &Path,
) -> Result<(), SendError> {
    let bytes = file.stream().await.map_err(SendError::File)?;
    let kind = file.content_type().to_owned();
    let attributes = Attributes::from_iter([(Attribute::ContentType, kind)]);
    if file.length() <= PART_SIZE {
        let whole: Vec<_> = bytes.try_collect().await.map_err(SendError::File)?;
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
    let mut parts = MultipartUpload(Some(WriteMultipart::new_with_chunk_size(upload, size)));
    match parts.fill(bytes).await {
        Ok(()) => Ok(parts.finish().await?),
        Err(failure) => {
            parts.abort().await;
            Err(failure)
        }
    }
}

fn part_size(length: u64) -> u64 {
    PART_SIZE.max(length.div_ceil(MAX_PARTS))
}

/// A multipart upload. Aborted on drop, unless it is finished.
struct MultipartUpload(Option<WriteMultipart>);

impl MultipartUpload {
    async fn fill(&mut self, mut bytes: FileStream) -> Result<(), SendError> {
        let Some(upload) = &mut self.0 else {
            return Ok(());
        };
        while let Some(chunk) = bytes.next().await {
            let chunk = chunk.map_err(SendError::File)?;
            upload.wait_for_capacity(CONCURRENT_PARTS).await?;
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
        tracing::warn!("parts of an aborted upload could not be removed");
    }
}

impl Drop for MultipartUpload {
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
    fn part_size_respects_the_limits_of_s3() {
        for (length, size) in [
            (PART_SIZE + 1, PART_SIZE),
            (PART_SIZE * MAX_PARTS, PART_SIZE),
            (PART_SIZE * MAX_PARTS + 1, PART_SIZE + 1),
            (1 << 40, (1 << 40) / MAX_PARTS + 1),
        ] {
            assert_eq!(part_size(length), size, "{length}");
            assert!(length.div_ceil(size) <= MAX_PARTS, "{length}");
        }
    }
}
