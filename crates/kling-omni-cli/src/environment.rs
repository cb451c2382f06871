//! The environment, in which an empty variable is an unset one.

use std::env;
use std::ffi::OsString;

/// The value of a variable, unless it is unset or empty.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    // A name with `=` or NUL, as a secret in its place may have, is none that can be set.
    env::var_os(name).filter(|value| !value.is_empty())
}
