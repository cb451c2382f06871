//! Support for the tests: runs of the program, services, and snapshots.

mod background;
mod fake;
mod files;
mod program;
mod server;
mod service;
mod snapshots;
mod video;

pub use background::Background;
pub use fake::{Fake, response};
pub use files::{copy_fixtures, fixture};
pub use program::{Ended, Program, Running};
pub use server::Server;
pub use service::Service;
pub use snapshots::Snapshots;
pub use video::{Facts, facts};

/// The key of all tests. No output may contain it.
pub const KEY: &str = "FPSX-c0ffee-do-not-print";
