#![doc = include_str!("../README.md")]
#![warn(missing_debug_implementations, missing_docs, unreachable_pub)]

mod error;
pub mod ledger;
mod request;
mod state;

pub use crate::error::{BatchError, BatchResult};
pub use crate::request::{StoredRequest, UnstorableRequest};
pub use crate::state::{AttemptState, BatchState, ItemState, UnknownState};
