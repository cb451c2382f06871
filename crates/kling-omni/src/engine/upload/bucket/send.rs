//! Sends one file to a bucket.

use std::io;

use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{Attribute, Attributes, ObjectStore, PutOptions, PutPayload};

use crate::engine::bucket::multipart::{MultipartUpload, PART_SIZE};
use crate::engine::upload::local_file::{FileStream, LocalFile};

/// The maximum number of parts of S3.
const MAX_PARTS: u64 = 10_000;

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
    let size = part_size(file.length());
    let mut upload = MultipartUpload::start(store, path, attributes, size).await?;
    match fill(&mut upload, bytes).await {
        Ok(()) => Ok(upload.finish().await?),
        Err(failure) => {
            upload.abort().await;
            Err(failure)
        }
    }
}

async fn fill(upload: &mut MultipartUpload, mut bytes: FileStream) -> Result<(), SendError> {
    while let Some(chunk) = bytes.next().await {
        upload.append(chunk.map_err(SendError::File)?).await?;
    }
    Ok(())
}

/// Returns the part size for a file: the minimum, unless there would be too many parts.
fn part_size(length: u64) -> u64 {
    PART_SIZE.max(length.div_ceil(MAX_PARTS))
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
