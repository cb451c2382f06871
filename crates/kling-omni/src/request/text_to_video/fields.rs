//! The fields of [`TextToVideo`](crate::TextToVideo), as they are on the wire.

#[cfg(feature = "schemars")]
use kling_omni_api::Field;
use kling_omni_api::limits::video_request::{ELEMENTS, FIELDS};
#[cfg(feature = "schemars")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::media::MediaSource;
use crate::media_field::MediaField;
use crate::request::aspect_ratio::AspectRatio;
use crate::request::element::Element;
use crate::request::fields::{Fields, RequestJson};
use crate::request::object::{list_or_null, object, seconds_as_text, seconds_from_text_or_number};
#[cfg(feature = "schemars")]
use crate::request::schema;
use crate::request::text_to_video::ShotType;
use crate::request::warnings;
use crate::route::{CreateRoute, Mode, Tier};
use crate::validation::{Actual, Finding, FindingCode, Limit};

/// What a person asked for, not yet checked against any rule. Named as on the wire, so that a request in a file is the
/// body that the API documents. Null is read as "not set"; the schema has no word of it, since nobody should write it.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(JsonSchema))]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[cfg_attr(feature = "schemars", schemars(
    rename = "TextToVideo",
    description = "A video to make from text, or from text and images.",
    transform = schema::add_limits::<TextToVideoFields>
))]
pub(crate) struct TextToVideoFields {
    /// What the video shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schemars", schemars(with = "String"))]
    pub(crate) prompt: Option<String>,
    /// What each shot shows, in order.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "list_or_null"
    )]
    pub(crate) multi_prompt: Vec<String>,
    /// How the shots are made into a video.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schemars", schemars(with = "ShotType"))]
    pub(crate) shot_type: Option<ShotType>,
    /// Public http(s) URL of the image that the video starts with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schemars", schemars(with = "String"))]
    pub(crate) image_url: Option<MediaSource>,
    /// Public http(s) URL of the first frame, for use with `end_image_url`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schemars", schemars(with = "String"))]
    pub(crate) start_image_url: Option<MediaSource>,
    /// Public http(s) URL of the image that the video ends with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schemars", schemars(with = "String"))]
    pub(crate) end_image_url: Option<MediaSource>,
    /// Public http(s) URLs of images that guide style and looks; `@Image1` and so on in the prompt.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "list_or_null"
    )]
    pub(crate) image_urls: Vec<MediaSource>,
    /// Characters and objects that look the same throughout the video; `@Element1` and so on in the prompt.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "list_or_null"
    )]
    pub(crate) elements: Vec<Element>,
    /// Whether the video gets a sound track.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schemars", schemars(with = "bool"))]
    pub(crate) generate_audio: Option<bool>,
    /// Length of the video to make, all shots together, in whole seconds, as a string.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "seconds_as_text",
        deserialize_with = "seconds_from_text_or_number"
    )]
    #[cfg_attr(feature = "schemars", schemars(with = "String"))]
    pub(crate) duration: Option<u32>,
    /// Shape of the video to make. `auto` follows the start frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schemars", schemars(with = "AspectRatio"))]
    pub(crate) aspect_ratio: Option<AspectRatio>,
    /// Public http(s) URL that gets a signed POST whenever the task changes its status.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schemars", schemars(with = "String"))]
    pub(crate) webhook_url: Option<String>,
    /// Quality tier that makes the video. Not part of the body: it decides the route.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schemars", schemars(with = "Tier"))]
    pub(crate) tier: Option<Tier>,
}

impl TextToVideoFields {
    /// Whether an image starts the video, which makes it image to video.
    pub(crate) fn has_start_frame(&self) -> bool {
        self.image_url.is_some() || self.start_image_url.is_some()
    }

    fn nothing_to_show(&self) -> Option<Finding> {
        (self.prompt.is_none() && self.multi_prompt.is_empty()).then(|| {
            Finding::new(
                FindingCode::MissingField,
                "prompt",
                None,
                Actual::Missing,
                "is not set, and there are no shots (multi_prompt); one of the two is needed"
                    .to_owned(),
            )
        })
    }

    fn prompt_and_shots(&self) -> Option<Finding> {
        let both = self.prompt.is_some() && !self.multi_prompt.is_empty();
        (both && self.has_start_frame()).then(|| {
            Finding::new(
                FindingCode::PromptConflictsWithShots,
                "multi_prompt",
                None,
                Actual::Items(self.multi_prompt.len()),
                "stand beside a prompt; with a start frame, only one of the two is allowed"
                    .to_owned(),
            )
        })
    }

    /// The document has one bound for both lists together, as that of each. What is too many by itself is found there.
    fn too_many_together(&self) -> Option<Finding> {
        let most = ELEMENTS.max_items?;
        let (elements, images) = (self.elements.len(), self.image_urls.len());
        let together = elements + images;
        (elements <= most && images <= most && together > most).then(|| {
            Finding::new(
                FindingCode::TooManyItems,
                "elements",
                Some(Limit::AtMost(most as f64)),
                Actual::Items(together),
                format!(
                    "are {elements}, with {images} reference images (image_urls) beside them; {most} are allowed \
                     together"
                ),
            )
        })
    }
}

impl Fields for TextToVideoFields {
    const MODE: Mode = Mode::Text;
    #[cfg(feature = "schemars")]
    const RULES: &'static [Field] = FIELDS;

    fn tier(&self) -> Option<Tier> {
        self.tier
    }

    fn media_mut(&mut self) -> Vec<(MediaField, &mut MediaSource)> {
        let frames = [
            (MediaField::StartFrame, &mut self.image_url),
            (MediaField::FirstFrame, &mut self.start_image_url),
            (MediaField::EndFrame, &mut self.end_image_url),
        ];
        let frames = frames
            .into_iter()
            .filter_map(|(field, source)| Some((field, source.as_mut()?)));
        let images = self.image_urls.iter_mut().enumerate();
        let images = images.map(|(index, source)| (MediaField::ReferenceImage(index), source));
        let elements = self.elements.iter_mut().enumerate();
        let elements = elements.flat_map(|(index, element)| element.media_mut(index));
        frames.chain(images).chain(elements).collect()
    }

    fn errors(&self) -> Vec<Finding> {
        [
            self.nothing_to_show(),
            self.prompt_and_shots(),
            self.too_many_together(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn warnings(&self, _: &RequestJson, _: CreateRoute) -> Vec<Finding> {
        warnings::of_text_to_video(self)
    }
}

object!(TextToVideoFields, "TextToVideo", FIELDS);
