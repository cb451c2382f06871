//! Downloads of finished videos, to a file, to an object of a bucket, or as a stream.

pub(crate) mod destination;
mod draft;
mod errors;
mod event;
#[cfg(feature = "object-store")]
pub(crate) mod object;
pub(crate) mod redirect;
mod save;
mod sidecar;
mod source;
mod stream;
mod temp_file;
mod transfer;
mod video;
mod writer;

pub use crate::engine::download::destination::Destination;
pub use crate::engine::download::event::DownloadEvent;
#[cfg(feature = "object-store")]
pub use crate::engine::download::object::VideoStore;
pub use crate::engine::download::save::{Save, Saved};
pub use crate::engine::download::sidecar::Sidecar;
pub use crate::engine::download::stream::Download;
pub use crate::engine::download::video::Video;
pub(crate) use crate::engine::download::video::{Downloads, TaskTimes, VideoOrigin};
