//! The environment, in which an empty variable is an unset one.

use std::env;
use std::ffi::OsString;

/// The value of a variable, unless it is unset or empty.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    // No variable has a name with `=` or NUL, but a secret that was given as the name may have one.
    env::var_os(name).filter(|value| !value.is_empty())
}
