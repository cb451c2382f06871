//! The blocking API, for programs without async.
//!
//! The types have the names of the async ones, and `run` takes the place of `.await`:
//!
//! ```no_run
//! use kling_omni::VideoReference;
//! use kling_omni::blocking::Client;
//!
//! fn main() -> kling_omni::Result<()> {
//!     let client = Client::from_env()?;
//!     let request = VideoReference::builder()
//!         .prompt("Like @Video1")
//!         .reference_video("https://example.com/dance.mp4")
//!         .build()?;
//!     let task = client.create(request).run()?;
//!     for update in task.updates() {
//!         println!("{:?}", update?);
//!     }
//!     task.video()?.save("puppet.mp4").run()?;
//!     Ok(())
//! }
//! ```
//!
//! [`Client`], [`Task`], [`Video`] and [`Journal`] dereference to the async types, whose methods that do not wait can be called
//! directly. [`block_on`] runs what has no counterpart here.
//!
//! # The runtime
//!
//! All calls of a process share one Tokio runtime, which a background thread drives from the first call to the end of the
//! process. What an async program leaves to its runtime, such as polling for the waits of several threads, continues there.
//! Callbacks run on the thread of the call, or on the background thread. A child that was forked without `exec` has no such
//! thread, and its calls never return.
//!
//! # Errors
//!
//! Every call fails with [`ErrorKind::InvalidState`](crate::ErrorKind::InvalidState) on a thread that belongs to a Tokio
//! runtime: it would block the tasks of that runtime. These are the threads of async functions, of
//! [`spawn_blocking`](tokio::task::spawn_blocking), and of callbacks. Nothing is sent then. Use the async API there, or a
//! thread of your own (`std::thread::spawn`). It fails in the same way in the destructor of a thread-local value. Dropping any of
//! these types is allowed everywhere.

mod calls;
mod client;
mod iterators;
mod journal;
mod runtime;
mod task;

pub use crate::blocking::calls::{
    Create, JournalRun, List, Preflight, Reconcile, ReconcileAll, Refresh, Save, Upload, UploadAll,
    Wait, Watch,
};
pub use crate::blocking::client::Client;
pub use crate::blocking::iterators::{AsCompleted, Download, ListStream, Updates, WatchItems};
pub use crate::blocking::journal::Journal;
pub use crate::blocking::runtime::block_on;
pub use crate::blocking::task::{Task, Video};
