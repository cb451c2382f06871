//! Which path a request takes.

use std::fmt;
use std::str::FromStr;

use kling_omni_api::limits::list_reference_to_video_tasks::PAGE_SIZE;
use kling_omni_api::{Field, limits};
#[cfg(feature = "schemars")]
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::engine::operations::{CreateOperation, ListOperation, ReadOperation};
use crate::engine::unconfirmed::Unresolved;
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

    /// The list of its tasks.
    pub(crate) fn list(self) -> &'static ListOperation {
        match self {
            Self::Reference => &REFERENCE_LIST,
            Self::Text => &TEXT_LIST,
        }
    }

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(JsonSchema))]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

    /// What the engine knows of it.
    pub(crate) fn operation(self) -> &'static CreateOperation {
        match self {
            Self::VideoReferencePro => &VIDEO_REFERENCE_PRO,
            Self::ReferenceToVideoPro => &REFERENCE_TO_VIDEO_PRO,
            Self::ReferenceToVideoStandard => &REFERENCE_TO_VIDEO_STANDARD,
            Self::VideoPro => &VIDEO_PRO,
            Self::VideoStandard => &VIDEO_STANDARD,
        }
    }

    const ALL: &[Self] = &[
        Self::VideoReferencePro,
        Self::ReferenceToVideoPro,
        Self::ReferenceToVideoStandard,
        Self::VideoPro,
        Self::VideoStandard,
    ];

    /// The route of an operation, which belongs to exactly one.
    pub(crate) fn of(operation: &CreateOperation) -> Self {
        let mut all = Self::ALL.iter().copied();
        let found = all.find(|route| route.operation() == operation);
        found.unwrap_or(Self::VideoReferencePro)
    }
}

pub(crate) static REFERENCE_LIST: ListOperation = ListOperation {
    name: "reference",
    max_page_size: Some(PAGE_SIZE.maximum.expect("the document limits pages") as u32),
};

pub(crate) static TEXT_LIST: ListOperation = ListOperation {
    name: "text",
    max_page_size: None,
};

pub(crate) static READ_REFERENCE_TO_VIDEO: ReadOperation = ReadOperation {
    name: "reference-to-video",
    list: &REFERENCE_LIST,
};

pub(crate) static READ_VIDEO: ReadOperation = ReadOperation {
    name: "video",
    list: &TEXT_LIST,
};

pub(crate) static LISTS: &[&ListOperation] = &[&REFERENCE_LIST, &TEXT_LIST];
pub(crate) static READS: &[&ReadOperation] = &[&READ_REFERENCE_TO_VIDEO, &READ_VIDEO];

/// Of the older route, nothing says on which list its tasks are.
static VIDEO_REFERENCE_PRO: CreateOperation = CreateOperation {
    name: "video-reference-pro",
    title: "video-reference",
    lists: LISTS,
    is_listed: false,
    reads: READS,
};

static REFERENCE_TO_VIDEO_PRO: CreateOperation = CreateOperation {
    name: "reference-to-video-pro",
    title: "reference-to-video (pro)",
    lists: &[&REFERENCE_LIST],
    is_listed: true,
    reads: &[&READ_REFERENCE_TO_VIDEO],
};

static REFERENCE_TO_VIDEO_STANDARD: CreateOperation = CreateOperation {
    name: "reference-to-video-standard",
    title: "reference-to-video (standard)",
    ..REFERENCE_TO_VIDEO_PRO
};

static VIDEO_PRO: CreateOperation = CreateOperation {
    name: "video-pro",
    title: "video (pro)",
    lists: &[&TEXT_LIST],
    is_listed: true,
    reads: &[&READ_VIDEO],
};

static VIDEO_STANDARD: CreateOperation = CreateOperation {
    name: "video-standard",
    title: "video (standard)",
    ..VIDEO_PRO
};

impl<'de> Deserialize<'de> for &'static CreateOperation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let mut all = CreateRoute::ALL.iter().map(|route| route.operation());
        let found = all.find(|operation| operation.name == name);
        found.ok_or_else(|| de::Error::unknown_variant(&name, &[]))
    }
}

impl<'de> Deserialize<'de> for &'static ListOperation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Mode::deserialize(deserializer)?.list())
    }
}

/// What is particular to Kling in a create whose end is not known.
impl Unresolved {
    /// What the video is made from.
    pub fn mode(&self) -> Mode {
        CreateRoute::of(self.operation()).mode()
    }

    /// Quality tier that was asked for.
    pub fn tier(&self) -> Tier {
        CreateRoute::of(self.operation()).tier()
    }

    /// The route that it was sent to; [`Route::Auto`] where there is only one.
    pub fn route(&self) -> Route {
        CreateRoute::of(self.operation()).pinned()
    }
}

impl fmt::Display for CreateRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.operation().fmt(f)
    }
}
