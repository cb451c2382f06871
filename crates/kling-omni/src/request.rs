//! What a person asks for, and what is wrong with it.

pub(crate) mod text_to_video;
pub(crate) mod video_reference;

pub(crate) mod aspect_ratio;
pub(crate) mod element;
pub(crate) mod shot_type;

pub(crate) mod fields;
pub(crate) mod mentions;
pub(crate) mod table;
pub(crate) mod typed;
pub(crate) mod validate;

pub(crate) mod object;
#[cfg(feature = "schemars")]
pub(crate) mod schema;

use std::collections::BTreeMap;

use serde_json::Value;

pub use crate::media::MediaSource;
pub use crate::media_field::MediaField;
pub use crate::named::UnknownValue;
pub use crate::request::aspect_ratio::AspectRatio;
pub use crate::request::element::Element;
pub use crate::request::shot_type::ShotType;
#[doc(hidden)]
pub use crate::request::table::{FieldKind, FieldValue, RequestField, RequestTable};
pub use crate::request::text_to_video::{TextToVideo, TextToVideoBuilder};
pub use crate::request::video_reference::{VideoReference, VideoReferenceBuilder};
pub use crate::route::Route;

use crate::route::{CreateRoute, Mode, Tier};
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

/// Does the same with a request of either type.
macro_rules! either {
    ($request:expr, $one:ident => $then:expr) => {
        match $request {
            Request::VideoReference($one) => $then,
            Request::TextToVideo($one) => $then,
        }
    };
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
        either!(self, request => request.tier())
    }

    /// Findings that are legal but look like mistakes.
    pub fn warnings(&self) -> &[Finding] {
        either!(self, request => request.warnings())
    }

    /// The JSON body as it is sent. The tier chooses the path, and is no part of it.
    pub fn to_body(&self) -> Value {
        self.body().clone()
    }

    /// Checks the request against the rules of a route, as [`VideoReference::check`] does. There is one route only for
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

    /// Every image and video that is set.
    pub fn media(&self) -> Vec<(MediaField, MediaSource)> {
        either!(self, request => request.media())
    }

    /// Length of the video to make, in seconds.
    pub fn duration(&self) -> Option<u32> {
        either!(self, request => request.duration())
    }

    /// Shape of the video to make.
    pub fn aspect_ratio(&self) -> Option<AspectRatio> {
        either!(self, request => request.aspect_ratio())
    }

    /// Replaces files with the URLs that they were uploaded to.
    pub(crate) fn set_urls(&mut self, urls: &BTreeMap<MediaField, String>) {
        either!(self, request => request.checked.set_urls(urls));
    }

    /// The JSON body, serialised when the request was built.
    pub(crate) fn body(&self) -> &Value {
        either!(self, request => request.checked.json.body())
    }

    /// Checks the request against the rules of one route of the service.
    pub(crate) fn check_for(&self, route: CreateRoute) -> Result<(), ValidationError> {
        either!(self, request => request.checked.check_for(route))
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::request::element::Element;
    use crate::validation::FindingCode;

    fn with_everything() -> TextToVideo {
        let file = |name: &str| Path::new(name).to_owned();
        TextToVideo::builder()
            .prompt("@Image1 and @Element1")
            .start_frame(file("start.png"))
            .first_frame(file("first.png"))
            .end_frame(file("end.png"))
            .reference_image("https://h.example/reference.png")
            .reference_image(file("reference.png"))
            .element(Element::new())
            .element(
                Element::new()
                    .frontal_image(file("front.png"))
                    .reference_image("https://h.example/left.png")
                    .reference_image(file("right.png")),
            )
            .build()
            .unwrap()
    }

    #[test]
    fn every_media_field_leads_to_its_rule_and_its_value() {
        let video = VideoReference::builder().reference_video("https://h.example/a.mp4");
        for request in [
            Request::from(with_everything()),
            video
                .start_frame(Path::new("b.png"))
                .build()
                .unwrap()
                .into(),
        ] {
            let routes = Route::default().plan(request.mode(), request.tier(), false);
            for (field, mut source) in request.media() {
                for route in &routes {
                    let rule = field.rule(route.limits()).expect("a rule");
                    assert_eq!(rule.format, Some("uri"), "{field}");
                }
                source.show();
                let value = field.value(request.body()).and_then(Value::as_str);
                assert_eq!(value, source.as_url(), "{field}");
            }
        }
    }

    #[test]
    fn uploads_replace_the_values_of_their_fields_alone() {
        let mut request = Request::from(with_everything());
        let before = request.clone();
        let local = request.media().into_iter();
        let local = local.filter(|(_, source)| source.is_local());
        let urls: BTreeMap<_, _> = local
            .enumerate()
            .map(|(n, (field, _))| (field, format!("https://h.example/{n}")))
            .collect();
        request.set_urls(&urls);
        for (field, source) in request.media() {
            let url = source.as_url().expect("a URL");
            assert!(urls.get(&field).is_none_or(|new| new == url), "{field}");
            let value = field.value(request.body()).and_then(Value::as_str);
            assert_eq!(value, Some(url));
        }
        let read: TextToVideo = serde_json::from_value(request.to_body()).unwrap();
        assert_eq!(Request::from(read), request);
        assert_ne!(request.body(), before.body());
    }

    #[test]
    fn the_url_of_an_upload_is_checked() {
        let mut request = Request::from(with_everything());
        let routes = Route::default().plan(Mode::Text, Tier::default(), false);
        let [route] = &routes[..] else {
            panic!("there is one route");
        };
        request.check_for(*route).unwrap();
        request.set_urls(&BTreeMap::from([(MediaField::EndFrame, "end".to_owned())]));
        let error = request.check_for(*route).unwrap_err();
        assert_eq!(error.findings()[0].code(), FindingCode::InvalidUrl);
        assert_eq!(error.findings()[0].field(), "end_image_url");
    }
}
