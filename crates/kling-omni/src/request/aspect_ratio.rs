//! Shapes of the video to make.

use kling_omni_api::enums;
#[cfg(feature = "schemars")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::named::{UnknownValue, by_name};

/// Shape of the video to make.
///
/// ```
/// use kling_omni::request::AspectRatio;
///
/// assert_eq!("9:16".parse::<AspectRatio>()?, AspectRatio::Portrait);
/// assert_eq!(AspectRatio::Square.to_string(), "1:1");
/// # Ok::<(), kling_omni::request::UnknownValue>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(JsonSchema))]
#[serde(try_from = "String", into = "&'static str")]
#[cfg_attr(
    feature = "schemars",
    schemars(description = "Shape of the video to make.")
)]
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

    fn to_wire(self) -> enums::AspectRatio {
        match self {
            Self::Auto => enums::AspectRatio::Auto,
            Self::Widescreen => enums::AspectRatio::Widescreen,
            Self::Portrait => enums::AspectRatio::Portrait,
            Self::Square => enums::AspectRatio::Square,
        }
    }
}

by_name!(AspectRatio);

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
