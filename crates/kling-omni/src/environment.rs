//! Environment variables. An empty variable counts as unset.

use std::env;
use std::ffi::OsString;

/// The value of a variable, unless it is unset or empty.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// The variables that are set and not empty.
#[cfg(feature = "object-store")]
pub(crate) fn variables() -> impl Iterator<Item = (OsString, OsString)> {
    env::vars_os().filter(|(_, value)| !value.is_empty())
}
