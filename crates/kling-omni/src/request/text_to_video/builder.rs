//! The builder of [`TextToVideo`](crate::TextToVideo).

use serde::Deserialize;

use crate::media::MediaSource;
use crate::request::aspect_ratio::AspectRatio;
use crate::request::element::Element;
use crate::request::text_to_video::{ShotType, TextToVideoFields};

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
/// use kling_omni::{FindingCode, TextToVideo};
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
    pub(super) fields: TextToVideoFields,
    pub(super) deny_warnings: bool,
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
