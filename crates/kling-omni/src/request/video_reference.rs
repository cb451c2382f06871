//! A request that starts from a reference video.

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
use crate::request::typed::{Checked, request};
use crate::request::warnings;
use crate::route::{CreateRoute, Mode, Route, Tier};
use crate::validation::{Actual, Finding, FindingCode, ValidationError};

/// A video to make from a prompt, a reference video and a start frame: a request that has passed validation.
///
/// Made by [`VideoReference::builder`], or read from JSON with the field names of the API
/// (`{"prompt": …, "video_url": …, "duration": "8"}`), which validates as well. What was not set is not sent, so the
/// service's own defaults apply.
///
/// ```
/// use kling_omni::request::AspectRatio;
/// use kling_omni::VideoReference;
///
/// let request = VideoReference::builder()
///     .prompt("The dancer of @Video1 as a paper puppet on a moonlit stage")
///     .reference_video("https://example.com/dance.mp4")
///     .start_frame("https://example.com/stage.png")
///     .duration(8)
///     .aspect_ratio(AspectRatio::Widescreen)
///     .build()?;
/// assert!(request.warnings().is_empty());
/// assert_eq!(request.duration(), Some(8));
/// # Ok::<(), kling_omni::validation::ValidationError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(JsonSchema))]
#[serde(try_from = "VideoReferenceFields", into = "VideoReferenceFields")]
#[cfg_attr(
    feature = "schemars",
    schemars(description = "A video to make from a prompt, a reference video and a start frame.")
)]
pub struct VideoReference {
    pub(super) checked: Checked<VideoReferenceFields>,
}

impl VideoReference {
    /// What the video shows.
    pub fn prompt(&self) -> Option<&str> {
        self.checked.fields.prompt.as_deref()
    }

    /// The reference video, `@Video1` in the prompt.
    pub fn reference_video(&self) -> Option<&MediaSource> {
        self.checked.fields.video_url.as_ref()
    }

    /// The image that the video starts with.
    pub fn start_frame(&self) -> Option<&MediaSource> {
        self.checked.fields.image_url.as_ref()
    }

    /// Length of the video to make, in seconds.
    pub fn duration(&self) -> Option<u32> {
        self.checked.fields.duration
    }

    /// Shape of the video to make.
    pub fn aspect_ratio(&self) -> Option<AspectRatio> {
        self.checked.fields.aspect_ratio
    }

    /// How closely the prompt is followed.
    pub fn cfg_scale(&self) -> Option<f64> {
        self.checked.fields.cfg_scale
    }

    /// What is kept out of the video.
    pub fn negative_prompt(&self) -> Option<&str> {
        self.checked.fields.negative_prompt.as_deref()
    }

    /// URL that is told about every change of status.
    pub fn webhook_url(&self) -> Option<&str> {
        self.checked.fields.webhook_url.as_deref()
    }

    /// Checks the request against the rules of a route, which may be stricter than those it was built under.
    ///
    /// [`Client::create`](crate::Client::create) does the same before it sends anything; with [`Route::Auto`] it starts
    /// on the older route, and checks again before it falls through.
    ///
    /// # Errors
    ///
    /// [`ValidationError`] with every rule that the request breaks on that route.
    ///
    /// ```
    /// use kling_omni::request::Route;
    /// use kling_omni::validation::FindingCode;
    /// use kling_omni::VideoReference;
    ///
    /// let request = VideoReference::builder().prompt("A slow river").build()?;
    /// let error = request.check(Route::ReferenceToVideo).unwrap_err();
    /// assert_eq!(error.findings()[0].code(), FindingCode::MissingField);
    /// # Ok::<(), kling_omni::validation::ValidationError>(())
    /// ```
    pub fn check(&self, route: Route) -> Result<(), ValidationError> {
        match route.plan(Mode::Reference, self.tier(), false).first() {
            Some(first) => self.checked.check_for(*first),
            None => Ok(()),
        }
    }
}

/// Collects what a video should be. Nothing is sent, and nothing is refused before [`build`](Self::build).
///
/// The limits come from the API's document, as constants that each method names: those of the older route, which are
/// the wider ones. [`raw::limits`](kling_omni_api::limits) has them all. They are checked at `build`, all of them together.
///
/// ```
/// use kling_omni::validation::FindingCode;
/// use kling_omni::VideoReference;
///
/// let findings = VideoReference::builder().prompt("A quiet lake").duration(2).findings();
/// assert_eq!(findings[0].code(), FindingCode::UnsupportedValue);
/// assert_eq!(findings[0].field(), "duration");
/// ```
///
/// It can be read from the same JSON as a [`VideoReference`](crate::VideoReference), for a request in a file that is still to be changed:
///
/// ```
/// use kling_omni::request::VideoReferenceBuilder;
///
/// let builder: VideoReferenceBuilder = serde_json::from_str(r#"{"prompt": "A quiet lake", "duration": "2"}"#)?;
/// assert_eq!(builder.duration(8).build()?.duration(), Some(8));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "VideoReferenceFields")]
#[must_use = "a builder does nothing until `build`"]
pub struct VideoReferenceBuilder {
    fields: VideoReferenceFields,
    deny_warnings: bool,
}

impl VideoReferenceBuilder {
    /// What the video shows. Call the reference video `@Video1`.
    ///
    /// Limits: [`PROMPT`](kling_omni_api::limits::video_reference_request::PROMPT).
    pub fn prompt(mut self, prompt: impl Into<String>) -> Self {
        self.fields.prompt = Some(prompt.into());
        self
    }

    /// The reference video that guides motion and style, an MP4 or MOV file: a public http(s) URL, or a path or bytes to
    /// be uploaded.
    ///
    /// Limits: [`VIDEO_URL`](kling_omni_api::limits::video_reference_request::VIDEO_URL).
    pub fn reference_video(mut self, video: impl Into<MediaSource>) -> Self {
        self.fields.video_url = Some(video.into());
        self
    }

    /// The image that the video starts with, a JPEG or PNG file: a public http(s) URL, or a path or bytes to be uploaded.
    ///
    /// Limits: [`IMAGE_URL`](kling_omni_api::limits::video_reference_request::IMAGE_URL).
    pub fn start_frame(mut self, image: impl Into<MediaSource>) -> Self {
        self.fields.image_url = Some(image.into());
        self
    }

    /// Length of the video to make, in whole seconds.
    ///
    /// Limits: [`DURATION`](kling_omni_api::limits::video_reference_request::DURATION).
    pub fn duration(mut self, seconds: u32) -> Self {
        self.fields.duration = Some(seconds);
        self
    }

    /// Shape of the video to make.
    ///
    /// Limits: [`ASPECT_RATIO`](kling_omni_api::limits::video_reference_request::ASPECT_RATIO).
    pub fn aspect_ratio(mut self, ratio: AspectRatio) -> Self {
        self.fields.aspect_ratio = Some(ratio);
        self
    }

    /// How closely to follow the prompt; 0 is freest, and is sent as 0. The older route takes greater values than its
    /// successor.
    ///
    /// Limits: [`CFG_SCALE`](kling_omni_api::limits::video_reference_request::CFG_SCALE).
    pub fn cfg_scale(mut self, scale: f64) -> Self {
        self.fields.cfg_scale = Some(scale);
        self
    }

    /// What to keep out of the video.
    ///
    /// Limits: [`NEGATIVE_PROMPT`](kling_omni_api::limits::video_reference_request::NEGATIVE_PROMPT).
    pub fn negative_prompt(mut self, prompt: impl Into<String>) -> Self {
        self.fields.negative_prompt = Some(prompt.into());
        self
    }

    /// Public http(s) URL that gets a signed POST whenever the task changes its status.
    ///
    /// Limits: [`WEBHOOK_URL`](kling_omni_api::limits::video_reference_request::WEBHOOK_URL).
    pub fn webhook_url(mut self, url: impl Into<String>) -> Self {
        self.fields.webhook_url = Some(url.into());
        self
    }
}

request!(VideoReference, VideoReferenceBuilder, VideoReferenceFields);

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
