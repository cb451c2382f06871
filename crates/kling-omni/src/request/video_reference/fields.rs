//! The fields of [`VideoReference`](crate::VideoReference), as they are on the wire.

#[cfg(feature = "schemars")]
use kling_omni_api::Field;
use kling_omni_api::limits::video_reference_request::FIELDS;
#[cfg(feature = "schemars")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use crate::media::MediaSource;
use crate::media_field::MediaField;
use crate::request::aspect_ratio::AspectRatio;
use crate::request::fields::{Fields, RequestJson};
use crate::request::object::{object, seconds_as_text, seconds_from_text_or_number};
#[cfg(feature = "schemars")]
use crate::request::schema;
use crate::request::warnings;
use crate::route::{CreateRoute, Mode, Tier};
use crate::validation::{Actual, Finding, FindingCode};

/// What a person asked for, not yet checked against any rule. Named as on the wire, so that a request in a file is the
/// body that the API documents. Null is read as "not set"; the schema has no word of it, since nobody should write it.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(JsonSchema))]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[cfg_attr(feature = "schemars", schemars(
    rename = "VideoReference",
    description = "A video to make from a prompt, a reference video and a start frame.",
    transform = schema::add_limits::<VideoReferenceFields>
))]
pub(crate) struct VideoReferenceFields {
    /// What the video shows. Call the reference video `@Video1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schemars", schemars(with = "String"))]
    pub(crate) prompt: Option<String>,
    /// Public http(s) URL of the reference video that guides motion and style.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schemars", schemars(with = "String"))]
    pub(crate) video_url: Option<MediaSource>,
    /// Public http(s) URL of the image that the video starts with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schemars", schemars(with = "String"))]
    pub(crate) image_url: Option<MediaSource>,
    /// Length of the video to make, in whole seconds, as a string.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "seconds_as_text",
        deserialize_with = "seconds_from_text_or_number"
    )]
    #[cfg_attr(feature = "schemars", schemars(with = "String"))]
    pub(crate) duration: Option<u32>,
    /// Shape of the video to make. `auto` follows the reference video or the start frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schemars", schemars(with = "AspectRatio"))]
    pub(crate) aspect_ratio: Option<AspectRatio>,
    /// How closely to follow the prompt; 0 is freest. The older route takes greater values than its successor.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "without_minus_zero"
    )]
    #[cfg_attr(feature = "schemars", schemars(with = "f64"))]
    pub(crate) cfg_scale: Option<f64>,
    /// What to keep out of the video.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schemars", schemars(with = "String"))]
    pub(crate) negative_prompt: Option<String>,
    /// Public http(s) URL that gets a signed POST whenever the task changes its status.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schemars", schemars(with = "String"))]
    pub(crate) webhook_url: Option<String>,
    /// Quality tier that makes the video. Not part of the body: it decides the route.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schemars", schemars(with = "Tier"))]
    pub(crate) tier: Option<Tier>,
}

impl Fields for VideoReferenceFields {
    const MODE: Mode = Mode::Reference;
    #[cfg(feature = "schemars")]
    const RULES: &'static [Field] = FIELDS;

    fn tier(&self) -> Option<Tier> {
        self.tier
    }

    fn media_mut(&mut self) -> Vec<(MediaField, &mut MediaSource)> {
        let video = self.video_url.iter_mut();
        let start = self.image_url.iter_mut();
        video
            .map(|source| (MediaField::ReferenceVideo, source))
            .chain(start.map(|source| (MediaField::StartFrame, source)))
            .collect()
    }

    fn errors(&self) -> Vec<Finding> {
        let odd = self.cfg_scale.filter(|scale| !scale.is_finite());
        let odd = odd.map(|scale| {
            Finding::new(
                FindingCode::NotFinite,
                "cfg_scale",
                None,
                Actual::Number(scale.to_string()),
                format!("is {scale}, which is no number that can be sent"),
            )
        });
        odd.into_iter().collect()
    }

    fn warnings(&self, json: &RequestJson, route: CreateRoute) -> Vec<Finding> {
        warnings::of_video_reference(self, json, route)
    }
}

object!(VideoReferenceFields, "VideoReference", FIELDS);

/// Minus zero is zero, and reads better so.
fn without_minus_zero<S: Serializer>(
    number: &Option<f64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    number.map(|number| number + 0.0).serialize(serializer)
}
