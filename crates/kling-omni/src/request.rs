//! The request types, one for each mode.

pub(crate) mod motion_control;
pub(crate) mod text_to_video;
pub(crate) mod video_reference;

pub(crate) mod aspect_ratio;
pub(crate) mod element;
pub(crate) mod shot_type;

pub(crate) mod expected_video;
pub(crate) mod fields;
pub(crate) mod length;
pub(crate) mod mentions;
pub(crate) mod table;
pub(crate) mod typed;
pub(crate) mod validate;

pub(crate) mod strict_json;

pub(crate) mod object;
#[cfg(feature = "schemars")]
pub(crate) mod schema;

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
pub use crate::request::strict_json::{JsonError, parse_json, parse_json_as, unquoted};
#[doc(hidden)]
pub use crate::request::table::{FieldKind, FieldValue, RequestField};
pub use crate::request::text_to_video::{TextToVideo, TextToVideoBuilder};
pub use crate::request::video_reference::{VideoReference, VideoReferenceBuilder};
pub use crate::route::Route;

use crate::engine::expected_video::ExpectedVideo;
use crate::request::table::RequestTable;
use crate::request::typed::CheckedRequest;
use crate::route::{CreateRoute, Mode, Tier};
use crate::validation::{Finding, ValidationError};

/// Declares the request types. A row has the type and its builder, the mode, and what the video is made from.
macro_rules! requests {
    ($(
        $(#[$meta:meta])*
        $request:ident($builder:ident), mode $mode:ident, from $source:literal;
    )+) => {
        /// A request of any type, for [`Client::create`](crate::Client::create).
        ///
        /// It serialises as the request that it contains.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
        #[cfg_attr(feature = "schemars", schemars(description = "The contents of a request file."))]
        #[serde(untagged)]
        #[non_exhaustive]
        pub enum Request {
            $($(#[$meta])* $request($request),)+
        }

        impl Request {
            /// The mode of the request.
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

        /// A request builder of any type, for programs that offer every field.
        #[doc(hidden)]
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub enum RequestBuilder {
            $($request($builder),)+
        }

        #[doc(hidden)]
        impl RequestBuilder {
            /// Sets the field `name`, replacing its value.
            ///
            /// # Errors
            ///
            /// The type does not have the field, or the value has the wrong kind.
            pub fn set(self, name: &str, value: FieldValue) -> Result<Self, String> {
                match self {
                    $(Self::$request(builder) => builder.set(name, value).map(Self::$request),)+
                }
            }

            /// All images and videos.
            pub fn media_mut(&mut self) -> Vec<(MediaField, &mut MediaSource)> {
                match self {
                    $(Self::$request(builder) => builder.media_mut(),)+
                }
            }

            /// Treats warnings as errors.
            #[must_use]
            pub fn deny_warnings(self, deny: bool) -> Self {
                match self {
                    $(Self::$request(builder) => Self::$request(builder.deny_warnings(deny)),)+
                }
            }

            /// Validates the fields and builds the request.
            ///
            /// # Errors
            ///
            /// [`ValidationError`] with every rule that the request breaks.
            pub fn build(self) -> Result<Request, ValidationError> {
                match self {
                    $(Self::$request(builder) => builder.build().map(Request::$request),)+
                }
            }

            /// Returns the JSON body without validation.
            pub fn to_unchecked_body(&self) -> Value {
                match self {
                    $(Self::$request(builder) => builder.to_unchecked_body(),)+
                }
            }
        }

        impl RequestType {
            /// All types, in the order of the modes.
            pub const ALL: &[Self] = &[$(Self {
                mode: Mode::$mode,
                name: stringify!($request),
                source: $source,
                table: $builder::TABLE,
                limits: $builder::LIMITS,
                #[cfg(feature = "schemars")]
                schema: || schemars::schema_for!($request),
            }),+];

            /// The types in the order of preference, for requests whose fields several types have: text first, then the
            /// order of the modes.
            pub fn by_preference() -> impl Iterator<Item = &'static Self> {
                let is_text = |one: &&Self| one.mode == Mode::Text;
                let others = Self::ALL.iter().filter(move |one| !is_text(one));
                Self::ALL.iter().filter(is_text).chain(others)
            }

            /// The preferred type that has all of these fields.
            pub fn with_fields(names: &[&str]) -> Option<&'static Self> {
                Self::by_preference().find(|one| names.iter().all(|name| one.has_field(name)))
            }

            /// Whether the type has a field of this name.
            pub fn has_field(&self, name: &str) -> bool {
                self.table.iter().any(|row| row.name == name)
            }

            /// The type of a mode.
            pub fn for_mode(mode: Mode) -> &'static Self {
                &Self::ALL[mode as usize]
            }
        }

        $(const _: () = assert!(
            RequestType::ALL[Mode::$mode as usize].mode as usize == Mode::$mode as usize,
            "the rows are not in the order of the modes",
        );)+

        /// Deserialises the builder from the JSON of a request.
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

/// A request for [`Client::create`](crate::Client::create): one of the request types, or [`Request`].
// Not `Into<Request>`, whose compiler errors do not mention builders.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a request",
    label = "not a request",
    note = "finish a builder with `.build()?`, and clone a borrowed request"
)]
pub trait IntoRequest {
    /// Converts the value into a [`Request`].
    fn into_request(self) -> Request;
}

impl IntoRequest for Request {
    fn into_request(self) -> Request {
        self
    }
}

/// A request type, for programs that offer all of them.
#[doc(hidden)]
#[derive(Debug)]
#[non_exhaustive]
pub struct RequestType {
    /// The mode of the type.
    pub mode: Mode,
    /// The name of the type.
    pub name: &'static str,
    /// What the video is made from, as text.
    pub source: &'static str,
    /// The rows of the table that declares the type, in order.
    pub table: &'static [RequestField],
    /// The limits of the fields on each route for this type, those of the preferred route first.
    pub limits: &'static [&'static [Field]],
    /// Returns the JSON Schema of the type.
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
    /// The quality tier of the request.
    pub fn tier(&self) -> Tier {
        self.checked().tier()
    }

    /// The findings that are not errors but suggest a mistake.
    pub fn warnings(&self) -> &[Finding] {
        self.checked().warnings()
    }

    /// Returns the JSON body as it is sent. The tier is not part of it; it chooses the path.
    pub fn to_body(&self) -> Value {
        self.body().clone()
    }

    /// Checks the request against the rules of a route, like [`VideoReference::check`]. The other types have only one
    /// route and already conform to its rules.
    ///
    /// # Errors
    ///
    /// [`ValidationError`] with every rule of that route that the request violates.
    pub fn check(&self, route: Route) -> Result<(), ValidationError> {
        match route.routes_to_try(self.mode(), self.tier(), &[]).first() {
            Some(first) => self.check_route(*first),
            None => Ok(()),
        }
    }

    /// All images and videos of the request.
    pub fn media(&self) -> Vec<(MediaField, MediaSource)> {
        self.checked().media()
    }

    /// The requested length of the video, in seconds.
    pub fn duration(&self) -> Option<u32> {
        self.body().get("duration")?.as_str()?.parse().ok()
    }

    /// The length of the video in seconds, or the maximum length if the request does not determine it.
    ///
    /// It is the [`duration`](Self::duration), or else the service's default. Without a `duration`, a request with a
    /// reference video may make a video of any length that its mode allows.
    ///
    /// ```
    /// use kling_omni::request::Request;
    /// use kling_omni::TextToVideo;
    ///
    /// let request = Request::from(TextToVideo::builder().prompt("It rains").duration(8).build()?);
    /// assert_eq!(request.max_seconds(), 8);
    /// # Ok::<(), kling_omni::validation::ValidationError>(())
    /// ```
    pub fn max_seconds(&self) -> u32 {
        length::max_seconds(self.mode(), self.body())
    }

    /// What the request asks of its video, with the defaults of the service where they are documented: length, aspect ratio
    /// and sound. The size is at least 1280 × 720 pixels.
    ///
    /// A save compares its video with it. Not checked are the length of a video that may follow its reference video, except
    /// for its maximum, and the aspect ratio of one that may follow its input.
    pub fn expected_video(&self) -> ExpectedVideo {
        expected_video::expected_video(self.mode(), self.body())
    }

    /// The requested aspect ratio.
    pub fn aspect_ratio(&self) -> Option<AspectRatio> {
        self.body().get("aspect_ratio")?.as_str()?.parse().ok()
    }

    /// Replaces an image or a video, such as a local file by the URL of its upload. Does nothing if the request does not
    /// have the field. The new source is checked when the request is sent.
    ///
    /// ```
    /// use std::path::Path;
    /// use kling_omni::request::{MediaField, Request};
    /// use kling_omni::VideoReference;
    ///
    /// let request = VideoReference::builder()
    ///     .prompt("The dancer of @Video1 as a paper puppet")
    ///     .reference_video(Path::new("dance.mov"))
    ///     .build()?;
    /// let mut request = Request::from(request);
    /// request.set_media(MediaField::ReferenceVideo, "https://example.com/dance.mov");
    /// assert_eq!(request.to_body()["video_url"], "https://example.com/dance.mov");
    /// # Ok::<(), kling_omni::validation::ValidationError>(())
    /// ```
    pub fn set_media(&mut self, field: MediaField, source: impl Into<MediaSource>) {
        self.checked_mut().set_media(field, source.into());
    }

    /// The JSON body, serialised when the request was built.
    pub(crate) fn body(&self) -> &Value {
        self.checked().body()
    }

    /// Checks the request against the rules of one route.
    pub(crate) fn check_route(&self, route: CreateRoute) -> Result<(), ValidationError> {
        self.checked().check_route(route)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
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
    fn media_field_finds_its_rule_and_value() {
        let video = VideoReference::builder().reference_video("https://h.example/a.mp4");
        for request in [
            Request::from(with_everything()),
            video
                .start_frame(Path::new("b.png"))
                .build()
                .unwrap()
                .into(),
        ] {
            let routes = Route::default().routes_to_try(request.mode(), request.tier(), &[]);
            for (field, mut source) in request.media() {
                for route in &routes {
                    let rule = field.rule(route.limits()).expect("a rule");
                    assert_eq!(rule.format, Some("uri"), "{field}");
                }
                source.replace_by_text();
                let value = field.value(request.body()).and_then(Value::as_str);
                assert_eq!(value, source.as_url(), "{field}");
            }
        }
    }

    #[test]
    fn set_media_replaces_only_the_given_fields() {
        let mut request = Request::from(with_everything());
        let before = request.clone();
        let local = request.media().into_iter();
        let local = local.filter(|(_, source)| source.is_local());
        let urls: BTreeMap<_, _> = local
            .enumerate()
            .map(|(n, (field, _))| (field, format!("https://h.example/{n}")))
            .collect();
        for (field, url) in &urls {
            request.set_media(*field, url);
        }
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
    fn set_media_revalidates_the_url() {
        let mut request = Request::from(with_everything());
        let routes = Route::default().routes_to_try(Mode::Text, Tier::default(), &[]);
        let [route] = &routes[..] else {
            panic!("there is one route");
        };
        request.check_route(*route).unwrap();
        request.set_media(MediaField::EndFrame, "end");
        let error = request.check_route(*route).unwrap_err();
        assert_eq!(error.findings()[0].code(), FindingCode::InvalidUrl);
        assert_eq!(error.findings()[0].field(), "end_image_url");
    }
}
