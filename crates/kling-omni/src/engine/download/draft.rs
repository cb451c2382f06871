//! A video that is being saved, before it appears under its name: a temporary file, or an upload.

use std::io;

use crate::blocking_thread::run_blocking;
use crate::engine::download::destination::{Destination, Place};
use crate::engine::download::errors;
#[cfg(feature = "object-store")]
use crate::engine::download::object::ObjectUpload;
use crate::engine::download::temp_file::TempFile;
use crate::engine::download::video::Video;
use crate::engine::download::writer::Writer;
use crate::engine::error::{Error, Result};

/// A video that is being saved. Removed on drop, unless it is published.
pub(crate) enum Draft {
    File(TempFile),
    #[cfg(feature = "object-store")]
    Object(ObjectUpload),
}

impl Draft {
    /// Fails if there is a file or an object of this name that must not be replaced.
    pub(crate) async fn create(video: &Video, destination: &Destination) -> Result<Self> {
        let overwrite = destination.overwrite;
        match &destination.place {
            Place::File(path) => {
                let inspected = destination.inspect(path);
                inspected.map_err(|obstacle| errors::blocked(video, obstacle))?;
                let (target, id) = (path.clone(), video.task_id().to_owned());
                run_blocking(move || TempFile::create(&target, overwrite, &id))
                    .await
                    .map(Self::File)
                    .map_err(|error| errors::write_failed(video, path, error))
            }
            #[cfg(feature = "object-store")]
            Place::Object(object) => {
                let id = video.task_id();
                destination.refuse_sidecar()?;
                let upload = ObjectUpload::create(object.clone(), overwrite, id).await;
                upload
                    .map(Self::Object)
                    .map_err(|error| error.with_task(id))
            }
        }
    }

    /// Starts to write and to hash the video.
    pub(crate) fn writer(&mut self) -> io::Result<Writer<'_>> {
        match self {
            Self::File(temp_file) => Ok(Writer::to_file(temp_file.file()?)),
            #[cfg(feature = "object-store")]
            Self::Object(upload) => Ok(Writer::to_object(upload)),
        }
    }

    /// The id in the metadata of an object.
    pub(crate) fn save_id(&self) -> Option<String> {
        match self {
            Self::File(_) => None,
            #[cfg(feature = "object-store")]
            Self::Object(upload) => Some(upload.save_id().to_owned()),
        }
    }

    /// Removes what was written.
    pub(crate) async fn discard(self) {
        match self {
            Self::File(temp_file) => drop(temp_file),
            #[cfg(feature = "object-store")]
            Self::Object(mut upload) => upload.restart().await,
        }
    }
}

/// The error of a place that could not be written.
pub(crate) fn write_failed(video: &Video, place: &Place, error: io::Error) -> Error {
    match place {
        Place::File(path) => errors::write_failed(video, path, error),
        #[cfg(feature = "object-store")]
        Place::Object(object) => match error.downcast::<object_store::Error>() {
            Ok(error) => object.failed(&error).with_task(video.task_id()),
            Err(error) => errors::write_failed(video, &object.url(), error),
        },
    }
}
