//! What a person asks for, and what is wrong with it.

pub(crate) mod text_to_video;
pub(crate) mod video_reference;

pub(crate) mod aspect_ratio;
pub(crate) mod element;
pub(crate) mod shot_type;

pub(crate) mod typed;

pub(crate) mod checked;
pub(crate) mod validate;

pub(crate) mod fields;

pub(crate) mod mentions;
pub(crate) mod object;
pub(crate) mod schema;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::media::MediaSource;
use crate::request::aspect_ratio::AspectRatio;
use crate::request::text_to_video::TextToVideo;
use crate::request::video_reference::VideoReference;
use crate::route::{CreateRoute, Mode, Route, Tier};
use crate::validation::{Finding, ValidationError};

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
