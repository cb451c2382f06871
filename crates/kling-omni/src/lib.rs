#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod client;

mod media;
mod preflight;
mod request;

mod create;
pub mod journal;
mod list;
mod listing;
mod reconcile;
mod scheduler;
mod task;
mod task_id;
mod upload;
mod video;
mod watch;

mod session;
mod transport;
mod wire;

mod clock;
mod content;
mod digest;
mod environment;
mod error;
mod expiry;
mod folder;
mod named;
mod redact;
mod route;
mod state;
mod timeout;
mod timing;
mod unresolved;

#[cfg(feature = "webhook")]
pub mod webhook;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;

pub use client::{Client, ClientBuilder};
pub use clock::{BootTime, Clock, TokioClock};
pub use create::{Create, Outcome};
pub use error::{Charged, Error, ErrorKind, InvalidParam, Result};
pub use list::List;
pub use media::MediaSource;
pub use named::UnknownValue;
pub use preflight::{
    Inspect, Inspection, MediaChecks, MediaRole, Preflight, PreflightReport, inspect,
};
pub use reconcile::{Doubt, Evidence, Reconcile, Reconciled};
pub use redact::printable;
pub use request::{
    Actual, AspectRatio, Element, Finding, FindingCode, Limit, Request, Severity, ShotType,
    TextToVideo, TextToVideoBuilder, ValidationError, VideoReference, VideoReferenceBuilder,
};
pub use route::{Mode, Route, Tier};
pub use session::{ApiKey, Circuit, Health, Host, RetryBudget};
pub use state::{TaskState, TaskStatus, TaskSummary};
pub use task::{PollSchedule, Task, Update, Updates, Wait};
pub use task_id::file_stem;
pub use timing::TaskTimes;
pub use unresolved::Unresolved;
#[cfg(feature = "object-store")]
pub use upload::ObjectStoreUploader;
pub use upload::{
    BoxError, FileBytes, FileSource, LocalFile, Upload, UploadAll, Uploaded, Uploader, Uploading,
    VendorUploader,
};
pub use video::{Destination, Download, Save, Saved, Setback, Sidecar, Video};
pub use watch::{AsCompleted, TaskRef, Watch, Watched};

/// What a file is: the types behind [`PreflightReport::files`].
pub use media_probe as probe;
/// The stores, in the version that [`ObjectStoreUploader::new`] takes.
#[cfg(feature = "object-store")]
pub use object_store;
/// The HTTP stack, in the version that [`ClientBuilder::http_client`] takes.
pub use reqwest;

/// The generated client and its types, for what the rest of this crate does not cover.
///
/// They follow the API's document and change with it. [`Client::raw`] gives a client that is ready to use.
pub mod raw {
    #[doc(no_inline)]
    pub use kling_omni_api::*;
}
