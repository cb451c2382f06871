//! What a person asks for, and what is wrong with it.

pub(crate) mod motion_control;
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

use kling_omni_api::Field;
use serde::de::DeserializeSeed;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

pub use crate::media::MediaSource;
pub use crate::media_field::MediaField;
pub use crate::named::UnknownValue;
pub use crate::request::aspect_ratio::AspectRatio;
pub use crate::request::element::Element;
pub use crate::request::motion_control::{
    CharacterOrientation, MotionControl, MotionControlBuilder,
};
pub use crate::request::shot_type::ShotType;
#[doc(hidden)]
pub use crate::request::table::{FieldKind, FieldValue, RequestField};
pub use crate::request::text_to_video::{TextToVideo, TextToVideoBuilder};
pub use crate::request::video_reference::{VideoReference, VideoReferenceBuilder};
pub use crate::route::Route;

use crate::request::table::RequestTable;
use crate::request::typed::CheckedRequest;
use crate::route::{CreateRoute, Mode, Tier};
use crate::validation::{Finding, ValidationError};

/// Declares the types of requests. A row is the type and its builder, the mode, and what the video is made from.
macro_rules! requests {
    ($(
        $(#[$meta:meta])*
        $request:ident($builder:ident), mode $mode:ident, from $source:literal;
    )+) => {
        /// A request of any type, ready to be sent by [`Client::create`](crate::Client::create).
        ///
        /// It serialises as the request that it holds.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
        #[cfg_attr(feature = "schemars", schemars(description = "What a request file may hold."))]
        #[serde(untagged)]
        #[non_exhaustive]
        pub enum Request {
            $($(#[$meta])* $request($request),)+
        }

        impl Request {
            /// What the video is made from.
            pub fn mode(&self) -> Mode {
                match self {
                    $(Self::$request(_) => Mode::$mode,)+
                }
            }

            fn checked(&self) -> &dyn CheckedRequest {
                match self {
                    $(Self::$request(request) => &request.checked,)+
                }
            }

            fn checked_mut(&mut self) -> &mut dyn CheckedRequest {
                match self {
                    $(Self::$request(request) => &mut request.checked,)+
                }
            }
        }

        $(impl From<$request> for Request {
            fn from(request: $request) -> Self {
                Self::$request(request)
            }
        }

        impl IntoRequest for $request {
            fn into_request(self) -> Request {
                Request::$request(self)
            }
        })+

        /// The builder of a request of any type, for programs that offer every field.
        #[doc(hidden)]
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub enum RequestBuilder {
            $($request($builder),)+
        }

        #[doc(hidden)]
        impl RequestBuilder {
            /// Sets the field of this name, in place of what it had.
            ///
            /// # Errors
            ///
            /// The type has no such field, or the value is of another kind.
            pub fn set(self, name: &str, value: FieldValue) -> Result<Self, String> {
                match self {
                    $(Self::$request(builder) => builder.set(name, value).map(Self::$request),)+
                }
            }

            /// Treats warnings as errors.
            #[must_use]
            pub fn deny_warnings(self, deny: bool) -> Self {
                match self {
                    $(Self::$request(builder) => Self::$request(builder.deny_warnings(deny)),)+
                }
            }

            /// Checks everything and makes the request.
            ///
            /// # Errors
            ///
            /// [`ValidationError`] with every rule that the request breaks.
            pub fn build(self) -> Result<Request, ValidationError> {
                match self {
                    $(Self::$request(builder) => builder.build().map(Request::$request),)+
                }
            }

            /// The request as the JSON body of the API, unchecked.
            pub fn to_unchecked_body(&self) -> Value {
                match self {
                    $(Self::$request(builder) => builder.to_unchecked_body(),)+
                }
            }
        }

        impl RequestType {
            /// Every type, in the order of the modes.
            pub const ALL: &[Self] = &[$(Self {
                mode: Mode::$mode,
                name: stringify!($request),
                source: $source,
                table: $builder::TABLE,
                limits: $builder::LIMITS,
                #[cfg(feature = "schemars")]
                schema: || schemars::schema_for!($request),
            }),+];

            /// The type of a mode.
            pub fn of(mode: Mode) -> &'static Self {
                &Self::ALL[mode as usize]
            }
        }

        $(const _: () = assert!(
            RequestType::ALL[Mode::$mode as usize].mode as usize == Mode::$mode as usize,
            "the rows are not in the order of the modes",
        );)+

        /// Reads the builder from the JSON of a request.
        impl<'de> DeserializeSeed<'de> for &RequestType {
            type Value = RequestBuilder;

            fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<RequestBuilder, D::Error> {
                match self.mode {
                    $(Mode::$mode => $builder::deserialize(from).map(RequestBuilder::$request),)+
                }
            }
        }
    };
}

/// A request that [`Client::create`](crate::Client::create) takes: one of the request types, or [`Request`] itself.
// Not `Into<Request>`, for whose errors the compiler has no words about builders.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a request",
    label = "not a request",
    note = "finish a builder with `.build()?`, and clone a borrowed request"
)]
pub trait IntoRequest {
    /// Converts this into a [`Request`].
    fn into_request(self) -> Request;
}

impl IntoRequest for Request {
    fn into_request(self) -> Request {
        self
    }
}

/// A type of requests, for programs that offer all of them.
#[doc(hidden)]
#[derive(Debug)]
#[non_exhaustive]
pub struct RequestType {
    /// The mode that it belongs to.
    pub mode: Mode,
    /// Name of the type.
    pub name: &'static str,
    /// What the video is made from, in words.
    pub source: &'static str,
    /// The rows of the table that declares it, in order.
    pub table: &'static [RequestField],
    /// The limits of the fields on each route that takes the request, those of the preferred route first.
    pub limits: &'static [&'static [Field]],
    /// Its JSON Schema.
    #[cfg(feature = "schemars")]
    pub schema: fn() -> schemars::Schema,
}

requests! {
    /// From a reference video.
    VideoReference(VideoReferenceBuilder), mode Reference, from "a reference video";
    /// From text, or from text and images.
    TextToVideo(TextToVideoBuilder), mode Text, from "text and images";
    /// From a character and the motion of a reference video.
    MotionControl(MotionControlBuilder), mode MotionControl, from "a character and a motion";
}

impl Request {
    /// Quality tier that makes the video.
    pub fn tier(&self) -> Tier {
        self.checked().tier()
    }

    /// Findings that are legal but look like mistakes.
    pub fn warnings(&self) -> &[Finding] {
        self.checked().warnings()
    }

    /// The JSON body as it is sent. The tier chooses the path, and is no part of it.
    pub fn to_body(&self) -> Value {
        self.body().clone()
    }

    /// Checks the request against the rules of a route, as [`VideoReference::check`] does. The other types have one route
    /// only, whose rules they have passed already.
    ///
    /// # Errors
    ///
    /// [`ValidationError`] with every rule that the request breaks on that route.
    pub fn check(&self, route: Route) -> Result<(), ValidationError> {
        match route.plan(self.mode(), self.tier(), &[]).first() {
            Some(first) => self.check_for(*first),
            None => Ok(()),
        }
    }

    /// Every image and video that is set.
    pub fn media(&self) -> Vec<(MediaField, MediaSource)> {
        self.checked().media()
    }

    /// Length of the video to make, in seconds.
    pub fn duration(&self) -> Option<u32> {
        self.body().get("duration")?.as_str()?.parse().ok()
    }

    /// Shape of the video to make.
    pub fn aspect_ratio(&self) -> Option<AspectRatio> {
        self.body().get("aspect_ratio")?.as_str()?.parse().ok()
    }

    /// Replaces files with the URLs that they were uploaded to.
    pub(crate) fn set_urls(&mut self, urls: &BTreeMap<MediaField, String>) {
        self.checked_mut().set_urls(urls);
    }

    /// The JSON body, serialised when the request was built.
    pub(crate) fn body(&self) -> &Value {
        self.checked().body()
    }

    /// Checks the request against the rules of one route of the service.
    pub(crate) fn check_for(&self, route: CreateRoute) -> Result<(), ValidationError> {
        self.checked().check_for(route)
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
            let routes = Route::default().plan(request.mode(), request.tier(), &[]);
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
        let routes = Route::default().plan(Mode::Text, Tier::default(), &[]);
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
