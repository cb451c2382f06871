#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod builder;
mod sandbox;

mod clock;
mod fault;
mod options;
mod record;
mod script;

mod api;
mod mask;
mod random;
mod rate;
mod raw_lines;
mod results;
mod service;
mod spec;
mod task;
mod uploads;
mod webhook;

pub use builder::{DEFAULT_API_KEY, DEFAULT_WEBHOOK_SECRET, SandboxBuilder, StartError};
pub use clock::{Clock, ManualClock, Sleep, SystemClock};
pub use fault::{Fault, FaultMatcher, FaultRule, FaultTarget, InvalidFault};
pub use options::{ProblemForm, StatusRoute, VideoReferenceRoute};
pub use record::{Delivery, DeliveryOutcome, Host, ReceivedRequest, TaskRecord, UploadRecord};
pub use sandbox::Sandbox;
pub use script::{TaskOutcome, TaskScript};
