//! A request that starts from text, or from text and images.

mod builder;
pub(super) mod fields;

use std::fmt;

use kling_omni_api::enums;
#[cfg(feature = "schemars")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::request::text_to_video::builder::TextToVideoBuilder;
use crate::request::text_to_video::fields::TextToVideoFields;

use crate::media::MediaSource;
use crate::request::aspect_ratio::AspectRatio;
use crate::request::element::Element;
use crate::request::typed::{Checked, request};

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
/// use kling_omni::{Element, TextToVideo};
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
/// # Ok::<(), kling_omni::ValidationError>(())
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

request!(TextToVideo, TextToVideoBuilder, TextToVideoFields);

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
