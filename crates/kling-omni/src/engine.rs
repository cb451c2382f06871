//! The engine, independent of Kling: HTTP calls, retries, polling, tasks, downloads, uploads and webhooks of a service
//! that completes tasks in the background.

pub(crate) mod attribution;
pub(crate) mod bucket;
pub(crate) mod client;
pub(crate) mod create;
pub(crate) mod download;
pub(crate) mod error;
pub(crate) mod expected_video;
pub(crate) mod expiry;
pub(crate) mod folder;
pub(crate) mod http;
pub(crate) mod known_tasks;
pub(crate) mod limits;
pub(crate) mod list;
pub(crate) mod operations;
pub(crate) mod page;
pub(crate) mod polling;
pub(crate) mod recovery;
pub(crate) mod service;
pub(crate) mod state;
pub(crate) mod task;
pub(crate) mod task_id;
pub(crate) mod unconfirmed;
pub(crate) mod upload;
#[cfg(feature = "webhook")]
pub(crate) mod webhook;
