#![doc = include_str!("../README.md")]
#![warn(missing_debug_implementations, missing_docs, unreachable_pub)]

mod builder;
mod sandbox;

mod clock;
mod config;
mod fault;
mod record;
mod script;

mod api;
#[cfg(feature = "console")]
mod console;
mod injection;
mod random;
mod rate;
mod raw_lines;
mod redact;
mod reply;
mod results;
mod secret;
mod service;
mod signer;
mod spec;
mod start;
mod task;
mod uploads;
mod webhook;

pub use builder::SandboxBuilder;
pub use clock::{Clock, ManualClock, Sleep, SystemClock};
pub use config::{
    DEFAULT_API_KEY, DEFAULT_WEBHOOK_SECRET, ProblemForm, StartError, StatusRoute,
    VideoReferenceRoute,
};
pub use fault::{Fault, FaultMatcher, FaultRule, FaultTarget, InvalidFault};
pub use record::{
    Delivery, DeliveryOutcome, Host, ReceivedRequest, SentResponse, TaskRecord, UploadRecord,
};
pub use sandbox::Sandbox;
pub use script::{TaskOutcome, TaskScript};
