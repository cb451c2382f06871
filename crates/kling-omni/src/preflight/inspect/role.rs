use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::named::{UnknownValue, named};

/// What an image or a video is for, which decides the rules that it has to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub enum MediaRole {
    /// The reference video that guides motion and style.
    #[serde(rename = "video")]
    ReferenceVideo,
    /// The image that the video starts with.
    #[serde(rename = "image")]
    StartFrame,
}

impl MediaRole {
    /// Every role.
    pub const ALL: &[Self] = &[Self::ReferenceVideo, Self::StartFrame];

    /// The name on the command line and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReferenceVideo => "video",
            Self::StartFrame => "image",
        }
    }

    /// The field of a request that has it.
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::ReferenceVideo => "video_url",
            Self::StartFrame => "image_url",
        }
    }
}

impl fmt::Display for MediaRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for MediaRole {
    type Err = UnknownValue;

    fn from_str(text: &str) -> Result<Self, UnknownValue> {
        named(text, Self::ALL, Self::as_str)
    }
}
