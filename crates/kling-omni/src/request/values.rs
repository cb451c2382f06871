use std::fmt;
use std::str::FromStr;

use kling_omni_api::enums;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Shape of the video to make.
///
/// ```
/// use kling_omni::AspectRatio;
///
/// assert_eq!("9:16".parse::<AspectRatio>()?, AspectRatio::Portrait);
/// assert_eq!(AspectRatio::Square.to_string(), "1:1");
/// # Ok::<(), kling_omni::UnknownValue>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "&'static str")]
#[non_exhaustive]
pub enum AspectRatio {
    /// `auto`: the shape of the reference video or the start frame.
    Auto,
    /// `16:9`; what the service takes when nothing is set.
    Widescreen,
    /// `9:16`.
    Portrait,
    /// `1:1`.
    Square,
}

impl AspectRatio {
    /// All shapes, in the order of the API's document.
    pub const ALL: &[Self] = &[Self::Auto, Self::Widescreen, Self::Portrait, Self::Square];

    /// The value on the wire.
    pub fn as_str(self) -> &'static str {
        self.to_wire().as_str()
    }

    pub(crate) fn to_wire(self) -> enums::AspectRatio {
        match self {
            Self::Auto => enums::AspectRatio::Auto,
            Self::Widescreen => enums::AspectRatio::Widescreen,
            Self::Portrait => enums::AspectRatio::Portrait,
            Self::Square => enums::AspectRatio::Square,
        }
    }
}

impl fmt::Display for AspectRatio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for AspectRatio {
    type Err = UnknownValue;

    fn from_str(text: &str) -> Result<Self, UnknownValue> {
        named(text, Self::ALL, Self::as_str)
    }
}

impl TryFrom<String> for AspectRatio {
    type Error = UnknownValue;

    fn try_from(text: String) -> Result<Self, UnknownValue> {
        text.parse()
    }
}

impl From<AspectRatio> for &'static str {
    fn from(ratio: AspectRatio) -> Self {
        ratio.as_str()
    }
}

/// Quality tier that makes the video. It decides the route, and with it the price.
///
/// Prices are the vendor's and change; see its price list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Tier {
    /// Kling 3 Omni Pro.
    #[default]
    Pro,
    /// Kling 3 Omni Standard, which only the successor route offers.
    Standard,
}

impl Tier {
    /// Both tiers.
    pub const ALL: &[Self] = &[Self::Pro, Self::Standard];

    /// The name in files and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pro => "pro",
            Self::Standard => "standard",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Tier {
    type Err = UnknownValue;

    fn from_str(text: &str) -> Result<Self, UnknownValue> {
        named(text, Self::ALL, Self::as_str)
    }
}

/// A text that names none of the allowed values. Its `Display` lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownValue {
    given: String,
    allowed: Vec<&'static str>,
}

impl UnknownValue {
    /// The values that would have been accepted.
    pub fn allowed(&self) -> &[&'static str] {
        &self.allowed
    }
}

impl fmt::Display for UnknownValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 40;
        let shown: String = self.given.chars().take(LONGEST).collect();
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

pub(crate) fn named<T: Copy>(
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
