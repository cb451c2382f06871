//! Ways to make a video of several shots.

use std::fmt;

use kling_omni_api::enums;
#[cfg(feature = "schemars")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a video of several shots is made. The service knows one way so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(
    feature = "schemars",
    schemars(description = "How a video of several shots is made.")
)]
#[non_exhaustive]
pub enum ShotType {
    /// `customize`: by the shots' own prompts; what the service takes when nothing is set.
    #[default]
    Customize,
}

impl ShotType {
    /// All ways, in the order of the API's document.
    pub const ALL: &[Self] = &[Self::Customize];

    /// The value on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Customize => enums::ShotType::Customize.as_str(),
        }
    }
}

impl fmt::Display for ShotType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
