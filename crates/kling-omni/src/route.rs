//! Which path a request takes.

use std::fmt;
use std::str::FromStr;

use kling_omni_api::{Field, limits};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::named::{UnknownValue, named};

/// What a video is made from. It decides the family of routes that creates, lists and reads the task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Mode {
    /// A reference video: [`VideoReference`](crate::VideoReference).
    #[default]
    Reference,
    /// Text, or text and images: [`TextToVideo`](crate::TextToVideo).
    Text,
}

impl Mode {
    /// Both modes.
    pub const ALL: &[Self] = &[Self::Reference, Self::Text];

    /// The name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Text => "text",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Mode {
    type Err = UnknownValue;

    fn from_str(text: &str) -> Result<Self, UnknownValue> {
        named(text, Self::ALL, Self::as_str)
    }
}

/// The route that creates a task from a reference video.
///
/// The vendor moved it once; both paths are known to this client. For [`Mode::Text`] there is only one, whatever is chosen
/// here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Route {
    /// The older route first; if the service answers that it does not exist (404, 405 or 410, which also means that
    /// nothing was charged), the successor. The client remembers which one answered.
    #[default]
    Auto,
    /// `POST /v1/ai/video/kling-v3-omni-pro/video-reference` and nothing else.
    VideoReference,
    /// `POST /v1/ai/reference-to-video/kling-v3-omni-pro`, or its sibling for [`Tier::Standard`], and nothing else.
    ReferenceToVideo,
}

impl Route {
    /// All choices.
    pub const ALL: &[Self] = &[Self::Auto, Self::VideoReference, Self::ReferenceToVideo];

    /// The name in files and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::VideoReference => "video-reference",
            Self::ReferenceToVideo => "reference-to-video",
        }
    }

    /// The routes to try, in order.
    pub(crate) fn plan(
        self,
        mode: Mode,
        tier: Tier,
        successor_only: bool,
    ) -> &'static [CreateRoute] {
        use CreateRoute::{
            ReferenceToVideoPro, ReferenceToVideoStandard, VideoPro, VideoReferencePro,
            VideoStandard,
        };
        match (mode, self, tier) {
            (Mode::Text, _, Tier::Pro) => &[VideoPro],
            (Mode::Text, _, Tier::Standard) => &[VideoStandard],
            (Mode::Reference, Self::VideoReference, _) => &[VideoReferencePro],
            (Mode::Reference, _, Tier::Standard) => &[ReferenceToVideoStandard],
            (Mode::Reference, Self::ReferenceToVideo, Tier::Pro) => &[ReferenceToVideoPro],
            (Mode::Reference, Self::Auto, Tier::Pro) if successor_only => &[ReferenceToVideoPro],
            (Mode::Reference, Self::Auto, Tier::Pro) => &[VideoReferencePro, ReferenceToVideoPro],
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Route {
    type Err = UnknownValue;

    fn from_str(text: &str) -> Result<Self, UnknownValue> {
        named(text, Self::ALL, Self::as_str)
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
    /// Kling 3 Omni Standard. Of the routes for a reference video, only the successor offers it.
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

/// One creating route of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CreateRoute {
    VideoReferencePro,
    ReferenceToVideoPro,
    ReferenceToVideoStandard,
    VideoPro,
    VideoStandard,
}

impl CreateRoute {
    /// The spec's rules for the body of this route.
    pub(crate) fn limits(self) -> &'static [Field] {
        match self {
            Self::VideoReferencePro => limits::video_reference_request::FIELDS,
            Self::ReferenceToVideoPro | Self::ReferenceToVideoStandard => {
                limits::reference_to_video_request::FIELDS
            }
            Self::VideoPro | Self::VideoStandard => limits::video_request::FIELDS,
        }
    }

    pub(crate) fn tier(self) -> Tier {
        match self {
            Self::VideoReferencePro | Self::ReferenceToVideoPro | Self::VideoPro => Tier::Pro,
            Self::ReferenceToVideoStandard | Self::VideoStandard => Tier::Standard,
        }
    }

    pub(crate) fn mode(self) -> Mode {
        match self {
            Self::VideoReferencePro
            | Self::ReferenceToVideoPro
            | Self::ReferenceToVideoStandard => Mode::Reference,
            Self::VideoPro | Self::VideoStandard => Mode::Text,
        }
    }

    /// The setting that takes this route and no other.
    pub(crate) fn pinned(self) -> Route {
        match self {
            Self::VideoReferencePro => Route::VideoReference,
            Self::ReferenceToVideoPro | Self::ReferenceToVideoStandard => Route::ReferenceToVideo,
            Self::VideoPro | Self::VideoStandard => Route::Auto,
        }
    }

    /// The lists that a task of this route may be on.
    pub(crate) fn lists(self) -> &'static [Mode] {
        match self {
            Self::VideoReferencePro => Mode::ALL,
            Self::ReferenceToVideoPro | Self::ReferenceToVideoStandard => &[Mode::Reference],
            Self::VideoPro | Self::VideoStandard => &[Mode::Text],
        }
    }

    /// Whether the document has a list for the tasks of this route.
    pub(crate) fn is_listed(self) -> bool {
        self != Self::VideoReferencePro
    }

    /// The places where a task of this route may be read, most likely first.
    pub(crate) fn status_routes(self) -> &'static [StatusRoute] {
        match self {
            Self::VideoReferencePro => StatusRoute::ALL,
            Self::ReferenceToVideoPro | Self::ReferenceToVideoStandard => {
                &[StatusRoute::ReferenceToVideo]
            }
            Self::VideoPro | Self::VideoStandard => &[StatusRoute::Video],
        }
    }
}

impl fmt::Display for CreateRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::VideoReferencePro => "video-reference",
            Self::ReferenceToVideoPro => "reference-to-video (pro)",
            Self::ReferenceToVideoStandard => "reference-to-video (standard)",
            Self::VideoPro => "video (pro)",
            Self::VideoStandard => "video (standard)",
        })
    }
}

/// One status route of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatusRoute {
    ReferenceToVideo,
    Video,
}

impl StatusRoute {
    pub(crate) const ALL: &[Self] = &[Self::ReferenceToVideo, Self::Video];

    /// The mode whose list has the tasks that are read here.
    pub(crate) fn mode(self) -> Mode {
        match self {
            Self::ReferenceToVideo => Mode::Reference,
            Self::Video => Mode::Text,
        }
    }
}
