//! Enums with names in files and on the command line.

use std::fmt;

/// A text that is not one of the allowed values. `Display` lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownValue {
    given: String,
    allowed: Vec<&'static str>,
}

impl UnknownValue {
    /// The allowed values.
    pub fn allowed(&self) -> &[&'static str] {
        &self.allowed
    }
}

impl fmt::Display for UnknownValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MAX_SHOWN: usize = 40;
        let shown: String = self.given.chars().take(MAX_SHOWN).collect();
        let more = if shown.len() < self.given.len() {
            "…"
        } else {
            ""
        };
        write!(
            f,
            "{:?}{more} is not one of {}",
            shown,
            self.allowed.join(", ")
        )
    }
}

impl std::error::Error for UnknownValue {}

/// Implements `Display` and `FromStr` for an enum with `ALL` and `as_str`.
macro_rules! by_name {
    ($named:ty) => {
        impl ::std::fmt::Display for $named {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::std::str::FromStr for $named {
            type Err = $crate::named::UnknownValue;

            fn from_str(text: &str) -> Result<Self, $crate::named::UnknownValue> {
                $crate::named::parse_name(text, Self::ALL, Self::as_str)
            }
        }
    };
}
pub(crate) use by_name;

pub(crate) fn parse_name<T: Copy>(
    text: &str,
    all: &[T],
    name: fn(T) -> &'static str,
) -> Result<T, UnknownValue> {
    all.iter()
        .copied()
        .find(|value| name(*value) == text)
        .ok_or_else(|| UnknownValue {
            given: text.to_owned(),
            allowed: all.iter().copied().map(name).collect(),
        })
}
