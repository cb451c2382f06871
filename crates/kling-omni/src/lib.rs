#![doc = include_str!("../README.md")]
#![warn(missing_debug_implementations, missing_docs, unreachable_pub)]

#[cfg(feature = "blocking")]
pub mod blocking;
mod blocking_thread;
pub mod client;
pub mod clock;
mod context;
mod create;
mod digest;
mod engine;
mod environment;
mod fingerprint;
mod host;
pub mod journal;
mod list;
mod media;
mod media_field;
mod named;
pub mod preflight;
mod redact;
mod refresh;
pub mod request;
mod route;
pub mod spend;
mod task_kind;
mod transport;
pub mod validation;
mod wire;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;

#[cfg(doc)]
pub mod guide;

pub use crate::client::{Client, ClientBuilder};
pub use crate::create::Create;
pub use crate::engine::create::CreateOutcome;
pub use crate::engine::download::Video;
pub use crate::engine::error::{Charged, Error, ErrorKind, Result};
pub use crate::engine::http::key::ApiKey;
pub use crate::engine::task::Task;
pub use crate::host::Host;
pub use crate::redact::printable;
pub use crate::request::motion_control::MotionControl;
pub use crate::request::text_to_video::TextToVideo;
pub use crate::request::video_reference::VideoReference;
pub use crate::route::{Mode, Tier};

/// Waiting for tasks: poll schedules, expected durations, and waits for many tasks at once.
pub mod polling {
    pub use crate::engine::polling::durations::TaskDurations;
    pub use crate::engine::polling::schedule::PollSchedule;
    pub use crate::engine::state::{TaskState, TaskStatus, TaskSummary};
    pub use crate::engine::task::updates::{Update, Updates};
    pub use crate::engine::task::wait::Wait;
    pub use crate::engine::task::watch::{AsCompleted, TaskRef, Watch, WatchItem};
    pub use crate::list::{List, ListStream};
}

/// Downloads of completed videos.
pub mod download {
    #[cfg(feature = "object-store")]
    pub use crate::engine::download::VideoStore;
    pub use crate::engine::download::{Destination, Download, DownloadEvent, Save, Saved, Sidecar};
    pub use crate::engine::expected_video::{ExpectedVideo, VideoFinding};
    pub use crate::engine::task_id::file_stem;
}

/// Uploads of local files, to the service's own storage or to your bucket.
pub mod upload {
    #[cfg(feature = "object-store")]
    pub use crate::engine::upload::ObjectStoreUploader;
    pub use crate::engine::upload::{
        BoxError, FileSource, FileStream, LocalFile, ServiceUploader, Upload, UploadAll,
        UploadFuture, UploadedFile, Uploader,
    };
    /// The `object_store` crate, in the version that [`ObjectStoreUploader::new`] accepts.
    #[cfg(feature = "object-store")]
    pub use object_store;
}

/// Finds the task of a create whose outcome is unknown.
pub mod recovery {
    pub use crate::engine::known_tasks::{KnownEntry, KnownFacts, KnownTasks};
    pub use crate::engine::recovery::reconciled::{AmbiguityReason, MatchedBy, Reconciled};
    pub use crate::engine::recovery::{Reconcile, ReconcileAll};
    pub use crate::engine::unconfirmed::UnconfirmedCreate;
    pub use crate::refresh::Refresh;
}

/// Receives webhooks: verification, deduplication, and a service to mount in an HTTP server.
#[cfg(feature = "webhook")]
pub mod webhook {
    pub use crate::engine::webhook::*;
}

// Used by the command-line program: the client inside its sandbox must accept the same malformed headers.
#[doc(hidden)]
pub use crate::engine::http::client::accept_malformed_headers;
// Used by the command-line program, which shows the settings of the environment.
#[doc(hidden)]
pub use crate::engine::http::proxy::{ProxyVariable, proxy_variables};

/// The `reqwest` crate, in the version that [`ClientBuilder::http_client`] accepts.
#[cfg(feature = "reqwest-client")]
pub use reqwest;

/// The generated client and its types, for operations that the rest of this crate does not cover.
///
/// They follow the API's document and change with it. [`Client::raw`] returns a ready client.
#[cfg(feature = "raw")]
pub mod raw {
    #[doc(no_inline)]
    pub use kling_omni_api::*;
}
