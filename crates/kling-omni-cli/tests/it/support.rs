//! What the tests of the program share: runs of it, services for it to talk to, and snapshots.

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
pub use files::{bring, fixture};
pub use program::{Ended, Program, Running};
pub use server::Server;
pub use service::Service;
pub use snapshots::Snapshots;
pub use video::{Facts, facts};

/// The key that every test uses. No output may ever hold it.
pub const KEY: &str = "FPSX-c0ffee-do-not-print";
