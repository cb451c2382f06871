//! A request that starts from text, or from text and images.

use std::fmt;

#[cfg(feature = "schemars")]
use kling_omni_api::Field;
use kling_omni_api::enums;
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
use crate::request::typed::{Checked, request};
use crate::request::warnings;
use crate::route::{CreateRoute, Mode, Tier};
use crate::validation::{Actual, Finding, FindingCode, Limit};

/// A video to make from text, or from text and images: a request that has passed validation.
///
/// A prompt makes the whole video, or each shot has a prompt of its own. A start frame, with or without an end frame, makes
/// it image to video. Elements and reference images keep characters, objects and style to what they show. For a reference
/// video there is [`VideoReference`](crate::VideoReference).
///
/// Made by [`TextToVideo::builder`], or read from JSON with the field names of the API
/// (`{"prompt": …, "image_url": …, "duration": "8"}`), which validates as well. What was not set is not sent, so the
/// service's own defaults apply.
///
/// ```
/// use kling_omni::request::Element;
/// use kling_omni::TextToVideo;
///
/// let request = TextToVideo::builder()
///     .shot("@Element1 wakes up in a paper bed")
///     .shot("@Element1 climbs a moonlit staircase")
///     .element(Element::new().frontal_image("https://example.com/puppet.png"))
///     .generate_audio(true)
///     .duration(10)
///     .build()?;
/// assert!(request.warnings().is_empty());
/// assert_eq!(request.shots().len(), 2);
/// # Ok::<(), kling_omni::validation::ValidationError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(JsonSchema))]
#[serde(try_from = "TextToVideoFields", into = "TextToVideoFields")]
#[cfg_attr(
    feature = "schemars",
    schemars(description = "A video to make from text, or from text and images.")
)]
pub struct TextToVideo {
    pub(super) checked: Checked<TextToVideoFields>,
}

impl TextToVideo {
    /// What the video shows.
    pub fn prompt(&self) -> Option<&str> {
        self.checked.fields.prompt.as_deref()
    }

    /// What each shot shows, in order; empty for a video of one shot.
    pub fn shots(&self) -> &[String] {
        &self.checked.fields.multi_prompt
    }

    /// How the shots are made into a video.
    pub fn shot_type(&self) -> Option<ShotType> {
        self.checked.fields.shot_type
    }

    /// The image that the video starts with.
    pub fn start_frame(&self) -> Option<&MediaSource> {
        self.checked.fields.image_url.as_ref()
    }

    /// The first frame, under the name that goes with an end frame.
    pub fn first_frame(&self) -> Option<&MediaSource> {
        self.checked.fields.start_image_url.as_ref()
    }

    /// The image that the video ends with.
    pub fn end_frame(&self) -> Option<&MediaSource> {
        self.checked.fields.end_image_url.as_ref()
    }

    /// The images that guide style and looks, `@Image1` and so on in the prompt.
    pub fn reference_images(&self) -> &[MediaSource] {
        &self.checked.fields.image_urls
    }

    /// Characters and objects, `@Element1` and so on in the prompt.
    pub fn elements(&self) -> &[Element] {
        &self.checked.fields.elements
    }

    /// Whether the video gets a sound track.
    pub fn generate_audio(&self) -> Option<bool> {
        self.checked.fields.generate_audio
    }

    /// Length of the video to make, in seconds.
    pub fn duration(&self) -> Option<u32> {
        self.checked.fields.duration
    }

    /// Shape of the video to make.
    pub fn aspect_ratio(&self) -> Option<AspectRatio> {
        self.checked.fields.aspect_ratio
    }

    /// URL that is told about every change of status.
    pub fn webhook_url(&self) -> Option<&str> {
        self.checked.fields.webhook_url.as_deref()
    }
}

/// Collects what a video should be. Nothing is sent, and nothing is refused before [`build`](Self::build).
///
/// The limits come from the API's document, as constants that each method names. They are checked at `build`, all of them
/// together, and so is what the documentation says about several fields:
///
/// * A prompt or shots are needed. With a start frame, only one of the two is allowed.
/// * Elements and reference images are, together, no more than [`ELEMENTS`](kling_omni_api::limits::video_request::ELEMENTS)
///   allows by themselves. Frames and the images of an element do not count.
///
/// ```
/// use kling_omni::validation::FindingCode;
/// use kling_omni::TextToVideo;
///
/// let findings = TextToVideo::builder().prompt("It rains").reference_image("rain.png").findings();
/// assert_eq!(findings[0].code(), FindingCode::InvalidUrl);
/// assert_eq!(findings[0].field(), "image_urls[0]");
/// ```
///
/// It can be read from the same JSON as a [`TextToVideo`](crate::TextToVideo), for a request in a file that is still to be changed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "TextToVideoFields")]
#[must_use = "a builder does nothing until `build`"]
pub struct TextToVideoBuilder {
    fields: TextToVideoFields,
    deny_warnings: bool,
}

impl TextToVideoBuilder {
    /// What the video shows. Call reference images `@Image1`, `@Image2` and so on, and elements `@Element1` and so on.
    ///
    /// Limits: [`PROMPT`](kling_omni_api::limits::video_request::PROMPT).
    pub fn prompt(mut self, prompt: impl Into<String>) -> Self {
        self.fields.prompt = Some(prompt.into());
        self
    }

    /// Adds a shot: what it shows, called as in a prompt. A shot has no length of its own;
    /// [`duration`](Self::duration) is that of all shots together.
    ///
    /// Limits: [`MULTI_PROMPT`](kling_omni_api::limits::video_request::MULTI_PROMPT).
    pub fn shot(mut self, prompt: impl Into<String>) -> Self {
        self.fields.multi_prompt.push(prompt.into());
        self
    }

    /// How the shots are made into a video.
    ///
    /// Limits: [`SHOT_TYPE`](kling_omni_api::limits::video_request::SHOT_TYPE).
    pub fn shot_type(mut self, kind: ShotType) -> Self {
        self.fields.shot_type = Some(kind);
        self
    }

    /// The image that the video starts with, a JPEG or PNG file, as a public http(s) URL, a path or bytes: what the
    /// documentation asks for in image to video.
    ///
    /// Limits: [`IMAGE_URL`](kling_omni_api::limits::video_request::IMAGE_URL).
    pub fn start_frame(mut self, image: impl Into<MediaSource>) -> Self {
        self.fields.image_url = Some(image.into());
        self
    }

    /// The first frame, as a public http(s) URL, a path or bytes, under the name that the documentation gives together with an
    /// [`end_frame`](Self::end_frame). How it differs from [`start_frame`](Self::start_frame) is not documented; set one.
    ///
    /// Limits: [`START_IMAGE_URL`](kling_omni_api::limits::video_request::START_IMAGE_URL).
    pub fn first_frame(mut self, image: impl Into<MediaSource>) -> Self {
        self.fields.start_image_url = Some(image.into());
        self
    }

    /// The image that the video ends with, as a public http(s) URL, a path or bytes. It goes with a start frame.
    ///
    /// Limits: [`END_IMAGE_URL`](kling_omni_api::limits::video_request::END_IMAGE_URL).
    pub fn end_frame(mut self, image: impl Into<MediaSource>) -> Self {
        self.fields.end_image_url = Some(image.into());
        self
    }

    /// Adds an image that guides style and looks, as a public http(s) URL, a path or bytes; the first is `@Image1` in the prompt.
    ///
    /// Limits: [`IMAGE_URLS`](kling_omni_api::limits::video_request::IMAGE_URLS).
    pub fn reference_image(mut self, image: impl Into<MediaSource>) -> Self {
        self.fields.image_urls.push(image.into());
        self
    }

    /// Adds a character or an object that looks the same throughout the video; the first is `@Element1` in the prompt.
    ///
    /// Limits: [`ELEMENTS`](kling_omni_api::limits::video_request::ELEMENTS).
    pub fn element(mut self, element: Element) -> Self {
        self.fields.elements.push(element);
        self
    }

    /// Whether the video gets a sound track. What the service does when nothing is set is not documented.
    ///
    /// Limits: [`GENERATE_AUDIO`](kling_omni_api::limits::video_request::GENERATE_AUDIO).
    pub fn generate_audio(mut self, audio: bool) -> Self {
        self.fields.generate_audio = Some(audio);
        self
    }

    /// Length of the video to make, all shots together, in whole seconds.
    ///
    /// Limits: [`DURATION`](kling_omni_api::limits::video_request::DURATION).
    pub fn duration(mut self, seconds: u32) -> Self {
        self.fields.duration = Some(seconds);
        self
    }

    /// Shape of the video to make.
    ///
    /// Limits: [`ASPECT_RATIO`](kling_omni_api::limits::video_request::ASPECT_RATIO).
    pub fn aspect_ratio(mut self, ratio: AspectRatio) -> Self {
        self.fields.aspect_ratio = Some(ratio);
        self
    }

    /// Public http(s) URL that gets a signed POST whenever the task changes its status.
    ///
    /// Limits: [`WEBHOOK_URL`](kling_omni_api::limits::video_request::WEBHOOK_URL).
    pub fn webhook_url(mut self, url: impl Into<String>) -> Self {
        self.fields.webhook_url = Some(url.into());
        self
    }
}

request!(TextToVideo, TextToVideoBuilder, TextToVideoFields);

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
