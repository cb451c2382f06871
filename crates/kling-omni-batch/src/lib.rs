#![doc = include_str!("../README.md")]
#![warn(missing_debug_implementations, missing_docs, unreachable_pub)]

mod attempt_store;
mod batches;
mod blocking;
mod conductor;
mod cost;
mod digest;
mod error;
mod failpoint;
mod holder;
pub mod ledger;
pub mod manifest;
mod metrics;
mod object_url;
mod policy;
pub mod report;
mod request;
mod results;
mod run;
mod run_options;
mod run_webhook;
mod spool;
mod start;
mod state;
mod status;
mod step;
mod worker;

pub use crate::batches::{Batches, Decision, Retried, RetrySelection};
pub use crate::error::{BatchError, BatchResult};
pub use crate::metrics::Metrics;
pub use crate::request::{StoredRequest, UnstorableRequest};
pub use crate::run::{BatchRun, RunEvent};
pub use crate::run_options::RunOptions;
pub use crate::state::{AttemptState, BatchState, ItemState, UnknownState};
pub use crate::status::{BatchStatus, ItemHistory};
pub use crate::worker::{JobSender, StepResult, Worker, WorkerEvent, WorkerOptions, WorkerRun};
