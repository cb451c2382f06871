//! What a person asks for, and what is wrong with it.

mod text_to_video;
mod video_reference;

mod aspect_ratio;
mod element;
mod finding;
mod shot_type;

mod typed;

mod checked;
mod validate;

mod fields;

mod mentions;
mod object;
mod schema;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub use aspect_ratio::AspectRatio;
pub use element::Element;
pub use finding::{Actual, Finding, FindingCode, Limit, Severity, ValidationError};
pub use shot_type::ShotType;
pub use text_to_video::{TextToVideo, TextToVideoBuilder};
pub(crate) use validate::of_media_url;
pub use video_reference::{VideoReference, VideoReferenceBuilder};

use crate::media::MediaSource;
use crate::route::{CreateRoute, Mode, Route, Tier};

/// A request of either type, ready to be sent by [`Client::create`](crate::Client::create).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Request {
    /// From a reference video.
    VideoReference(VideoReference),
    /// From text, or from text and images.
    TextToVideo(TextToVideo),
}

impl Request {
    /// What the video is made from.
    pub fn mode(&self) -> Mode {
        match self {
            Self::VideoReference(_) => Mode::Reference,
            Self::TextToVideo(_) => Mode::Text,
        }
    }

    /// Quality tier that makes the video.
    pub fn tier(&self) -> Tier {
        match self {
            Self::VideoReference(request) => request.tier(),
            Self::TextToVideo(request) => request.tier(),
        }
    }

    /// Findings that are legal but look like mistakes.
    pub fn warnings(&self) -> &[Finding] {
        match self {
            Self::VideoReference(request) => request.warnings(),
            Self::TextToVideo(request) => request.warnings(),
        }
    }

    /// The JSON body as it is sent. The tier chooses the path, and is no part of it.
    pub fn to_body(&self) -> Value {
        Value::Object(self.body())
    }

    /// Holds the request against the rules of a route, as [`VideoReference::check`] does. There is one route only for
    /// [`TextToVideo`], whose rules it has passed already.
    ///
    /// # Errors
    ///
    /// [`ValidationError`] with every rule that the request breaks on that route.
    pub fn check(&self, route: Route) -> Result<(), ValidationError> {
        match route.plan(self.mode(), self.tier(), false).first() {
            Some(first) => self.check_for(*first),
            None => Ok(()),
        }
    }

    /// Every image and video that is set, with the name of its field.
    pub fn media(&self) -> Vec<(String, MediaSource)> {
        match self {
            Self::VideoReference(request) => request.media(),
            Self::TextToVideo(request) => request.media(),
        }
    }

    /// Length of the video to make, in seconds.
    pub fn duration(&self) -> Option<u32> {
        match self {
            Self::VideoReference(request) => request.duration(),
            Self::TextToVideo(request) => request.duration(),
        }
    }

    /// Shape of the video to make.
    pub fn aspect_ratio(&self) -> Option<AspectRatio> {
        match self {
            Self::VideoReference(request) => request.aspect_ratio(),
            Self::TextToVideo(request) => request.aspect_ratio(),
        }
    }

    /// Puts URLs in the place of what was uploaded to them, by the names of the fields.
    pub(crate) fn set_urls(&mut self, urls: &BTreeMap<String, String>) {
        match self {
            Self::VideoReference(request) => request.set_urls(urls),
            Self::TextToVideo(request) => request.set_urls(urls),
        }
    }

    pub(crate) fn body(&self) -> Map<String, Value> {
        match self {
            Self::VideoReference(request) => request.body(),
            Self::TextToVideo(request) => request.body(),
        }
    }

    /// Holds the request against the rules of one route of the service.
    pub(crate) fn check_for(&self, route: CreateRoute) -> Result<(), ValidationError> {
        match self {
            Self::VideoReference(request) => request.check_for(route),
            Self::TextToVideo(request) => request.check_for(route),
        }
    }
}

impl From<VideoReference> for Request {
    fn from(request: VideoReference) -> Self {
        Self::VideoReference(request)
    }
}

impl From<TextToVideo> for Request {
    fn from(request: TextToVideo) -> Self {
        Self::TextToVideo(request)
    }
}
