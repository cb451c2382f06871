#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod client;
mod clock;
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
mod preflight;
mod redact;
mod request;
mod route;
mod task_kind;
mod validation;
mod wire;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;

/// Webhooks.
#[cfg(feature = "webhook")]
pub mod webhook {
    pub use crate::engine::webhook::*;
}

pub use crate::client::{Client, ClientBuilder};
pub use crate::clock::{BootTime, Clock, ManualClock, Sleep, SystemClock};
pub use crate::create::Create;
pub use crate::engine::create::outcome::Outcome;
pub use crate::engine::download::{Destination, Download, Save, Saved, Setback, Sidecar, Video};
// For the sandbox of the command-line program, whose own client is to read what the usual one reads.
pub use crate::engine::error::{Charged, Error, ErrorKind, InvalidParam, Result};
#[doc(hidden)]
pub use crate::engine::http::client::accept_malformed_headers;
pub use crate::engine::http::key::ApiKey;
pub use crate::engine::limits::retry_budget::{Circuit, Health, RetryBudget};
pub use crate::engine::polling::durations::TaskTimes;
pub use crate::engine::polling::schedule::PollSchedule;
pub use crate::engine::recovery::Reconcile;
pub use crate::engine::recovery::reconciled::{Doubt, Evidence, Reconciled};
pub use crate::engine::state::{TaskState, TaskStatus, TaskSummary};
pub use crate::engine::task::Task;
pub use crate::engine::task::updates::{Update, Updates};
pub use crate::engine::task::wait::Wait;
pub use crate::engine::task::watch::{AsCompleted, TaskRef, Watch, Watched};
pub use crate::engine::task_id::file_stem;
pub use crate::engine::unconfirmed::Unresolved;
#[cfg(feature = "object-store")]
pub use crate::engine::upload::ObjectStoreUploader;
pub use crate::engine::upload::{
    BoxError, FileBytes, FileSource, LocalFile, Upload, UploadAll, Uploaded, Uploader, Uploading,
    VendorUploader,
};
pub use crate::host::Host;
pub use crate::list::List;
pub use crate::media::MediaSource;
pub use crate::media_field::MediaField;
pub use crate::named::UnknownValue;
pub use crate::preflight::{
    Inspect, Inspection, MediaChecks, MediaRole, Preflight, PreflightReport, inspect,
};
pub use crate::redact::printable;
pub use crate::request::Request;
pub use crate::request::aspect_ratio::AspectRatio;
pub use crate::request::element::Element;
pub use crate::request::text_to_video::{ShotType, TextToVideo, TextToVideoBuilder};
pub use crate::request::video_reference::{VideoReference, VideoReferenceBuilder};
pub use crate::route::{Mode, Route, Tier};
pub use crate::validation::{Actual, Finding, FindingCode, Limit, Severity, ValidationError};

/// What a file is: the types behind [`PreflightReport::files`].
pub use media_probe as probe;
/// The stores, in the version that [`ObjectStoreUploader::new`] takes.
#[cfg(feature = "object-store")]
pub use object_store;
/// The HTTP stack, in the version that [`ClientBuilder::http_client`] takes.
#[cfg(feature = "reqwest-client")]
pub use reqwest;

/// The generated client and its types, for what the rest of this crate does not cover.
///
/// They follow the API's document and change with it. [`Client::raw`] gives a client that is ready to use.
#[cfg(feature = "raw")]
pub mod raw {
    #[doc(no_inline)]
    pub use kling_omni_api::*;
}
