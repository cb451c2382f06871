//! The clock of the client, which is a crate of its own, and how a moment is written.

use std::fmt::Write as _;
use std::time::SystemTime;

pub use kling_omni_clock::{BootTime, Clock, ManualClock, Sleep, SystemClock};

/// A moment as RFC 3339 writes it, in UTC; `None` for years that it cannot write.
pub(crate) fn shown(time: SystemTime) -> Option<String> {
    let mut text = String::new();
    // Where `to_string` would panic, this is an error.
    write!(text, "{}", humantime::format_rfc3339_seconds(time)).ok()?;
    Some(text)
}
