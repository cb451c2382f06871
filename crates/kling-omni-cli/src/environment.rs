//! Reads environment variables. An empty variable counts as unset.

use std::env;
use std::ffi::OsString;

/// Returns the value of a variable, or `None` if it is unset or empty.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    // `var_os` returns `None` for a name with `=` or NUL, such as a misplaced secret.
    env::var_os(name).filter(|value| !value.is_empty())
}
