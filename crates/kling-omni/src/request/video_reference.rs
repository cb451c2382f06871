//! A request that starts from a reference video.

mod builder;
pub(super) mod fields;

#[cfg(feature = "schemars")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::request::video_reference::builder::VideoReferenceBuilder;
use crate::request::video_reference::fields::VideoReferenceFields;

use crate::media::MediaSource;
use crate::request::aspect_ratio::AspectRatio;
use crate::request::typed::{Checked, request};
use crate::route::{Mode, Route};
use crate::validation::ValidationError;

/// A video to make from a prompt, a reference video and a start frame: a request that has passed validation.
///
/// Made by [`VideoReference::builder`], or read from JSON with the field names of the API
/// (`{"prompt": …, "video_url": …, "duration": "8"}`), which validates as well. What was not set is not sent, so the
/// service's own defaults apply.
///
/// ```
/// use kling_omni::{AspectRatio, VideoReference};
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
/// # Ok::<(), kling_omni::ValidationError>(())
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
    /// use kling_omni::{FindingCode, Route, VideoReference};
    ///
    /// let request = VideoReference::builder().prompt("A slow river").build()?;
    /// let error = request.check(Route::ReferenceToVideo).unwrap_err();
    /// assert_eq!(error.findings()[0].code(), FindingCode::MissingField);
    /// # Ok::<(), kling_omni::ValidationError>(())
    /// ```
    pub fn check(&self, route: Route) -> Result<(), ValidationError> {
        match route.plan(Mode::Reference, self.tier(), false).first() {
            Some(first) => self.checked.check_for(*first),
            None => Ok(()),
        }
    }
}

request!(VideoReference, VideoReferenceBuilder, VideoReferenceFields);
