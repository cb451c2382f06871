//! Multipart uploads. Their object appears when all parts have arrived.

use bytes::Bytes;
use object_store::path::Path;
use object_store::{Attributes, ObjectStore, PutMultipartOptions, WriteMultipart};
use tokio::runtime::Handle;

/// The minimum part size of S3.
pub(crate) const PART_SIZE: u64 = 5 << 20;
/// The number of parts that are sent concurrently, while another one is filled.
const CONCURRENT_PARTS: usize = 2;

/// A multipart upload. Aborted on drop, unless it is finished.
pub(crate) struct MultipartUpload(Option<WriteMultipart>);

impl MultipartUpload {
    /// Starts an upload. Its object will have these attributes.
    pub(crate) async fn start(
        store: &dyn ObjectStore,
        path: &Path,
        attributes: Attributes,
        part_size: u64,
    ) -> object_store::Result<Self> {
        let options = PutMultipartOptions {
            attributes,
            ..PutMultipartOptions::default()
        };
        let upload = store.put_multipart_opts(path, options).await?;
        let size = usize::try_from(part_size).unwrap_or(usize::MAX);
        Ok(Self(Some(WriteMultipart::new_with_chunk_size(
            upload, size,
        ))))
    }

    /// Appends bytes. Waits while too many parts are being sent.
    pub(crate) async fn append(&mut self, chunk: Bytes) -> object_store::Result<()> {
        if let Some(upload) = &mut self.0 {
            upload.wait_for_capacity(CONCURRENT_PARTS).await?;
            upload.put(chunk);
        }
        Ok(())
    }

    /// Sends the rest, and makes the object appear.
    pub(crate) async fn finish(mut self) -> object_store::Result<()> {
        if let Some(upload) = self.0.take() {
            upload.finish().await?;
        }
        Ok(())
    }

    /// Removes all parts.
    pub(crate) async fn abort(mut self) {
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
