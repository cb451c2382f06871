#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod client;
mod clock;
mod create;
mod error;
mod list;
mod redact;
mod request;
mod route;
mod task;
mod transport;
mod video;
mod wire;

pub use client::{ApiKey, Client, ClientBuilder, Host};
pub use clock::{Clock, TokioClock};
pub use create::Create;
pub use error::{Charged, Error, ErrorKind, InvalidParam, Result};
pub use list::{List, TaskSummary};
pub use request::{
    AspectRatio, Finding, FindingCode, Given, Limit, Severity, Tier, UnknownValue, ValidationError,
    VideoReference, VideoReferenceBuilder,
};
pub use route::Route;
pub use task::{PollSchedule, Task, TaskState, TaskStatus, Update, Updates, Wait};
pub use video::{Download, Save, Saved, Video};

/// The generated client and its types, for what the rest of this crate does not cover.
///
/// They follow the API's document and change with it. [`Client::raw`] gives a client that is ready to use.
pub mod raw {
    #[doc(no_inline)]
    pub use kling_omni_api::*;
}
