//! The error of parsing a closed enum.

use std::error::Error;
use std::fmt;

/// A text that is not one of the values in the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownValue {
    given: String,
    allowed: &'static [&'static str],
}

impl UnknownValue {
    pub(crate) fn new(given: &str, allowed: &'static [&'static str]) -> Self {
        Self {
            given: given.to_owned(),
            allowed,
        }
    }

    /// The text.
    pub fn given(&self) -> &str {
        &self.given
    }

    /// The allowed values, in the order of the document.
    pub fn allowed(&self) -> &'static [&'static str] {
        self.allowed
    }
}

impl fmt::Display for UnknownValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not one of ", self.given.escape_debug())?;
        for (index, value) in self.allowed.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            f.write_str(value)?;
        }
        Ok(())
    }
}

impl Error for UnknownValue {}
