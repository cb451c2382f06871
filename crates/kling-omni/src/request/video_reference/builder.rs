//! The builder of [`VideoReference`](crate::VideoReference).

use serde::Deserialize;

use crate::media::MediaSource;
use crate::request::aspect_ratio::AspectRatio;
use crate::request::video_reference::VideoReferenceFields;

/// Collects what a video should be. Nothing is sent, and nothing is refused before [`build`](Self::build).
///
/// The limits come from the API's document, as constants that each method names: those of the older route, which are
/// the wider ones. [`raw::limits`](kling_omni_api::limits) has them all. They are checked at `build`, all of them together.
///
/// ```
/// use kling_omni::{FindingCode, VideoReference};
///
/// let findings = VideoReference::builder().prompt("A quiet lake").duration(2).findings();
/// assert_eq!(findings[0].code(), FindingCode::UnsupportedValue);
/// assert_eq!(findings[0].field(), "duration");
/// ```
///
/// It can be read from the same JSON as a [`VideoReference`](crate::VideoReference), for a request in a file that is still to be changed:
///
/// ```
/// use kling_omni::VideoReferenceBuilder;
///
/// let builder: VideoReferenceBuilder = serde_json::from_str(r#"{"prompt": "A quiet lake", "duration": "2"}"#)?;
/// assert_eq!(builder.duration(8).build()?.duration(), Some(8));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "VideoReferenceFields")]
#[must_use = "a builder does nothing until `build`"]
pub struct VideoReferenceBuilder {
    pub(super) fields: VideoReferenceFields,
    pub(super) deny_warnings: bool,
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
