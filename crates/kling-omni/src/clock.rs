//! The clock of the client, re-exported from its own crate, and the text form of times.

use std::fmt::Write as _;
use std::time::SystemTime;

pub use kling_omni_clock::{BootTime, Clock, ManualClock, Sleep, SystemClock};

/// Formats a time as RFC 3339, in UTC; `None` for years that RFC 3339 cannot represent.
pub(crate) fn shown(time: SystemTime) -> Option<String> {
    let mut text = String::new();
    // `to_string` would panic where this returns an error.
    write!(text, "{}", humantime::format_rfc3339_seconds(time)).ok()?;
    Some(text)
}
