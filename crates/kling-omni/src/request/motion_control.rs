//! A request that moves a character as a reference video does.

use crate::request::fields::RequestJson;
use crate::request::table::choice;
use crate::request::typed::request;
use crate::route::{CreateRoute, Mode};
use crate::validation::Finding;

choice! {
    /// What the orientation of the character follows, and with it how long the video can be.
    CharacterOrientation = "What the orientation of the character follows." {
        /// `video`: the reference video, for complex motion; what the service takes when nothing is set.
        Video,
        /// `image`: the image of the character, for a moving camera. The video to make is short.
        Image,
    }
}

request! {
    /// A video to make of a character, which moves as in a reference video: a request that has passed validation.
    ///
    /// The image shows the character, and the reference video the motion. Both are required. The service decides how long
    /// the video is.
    ///
    /// Made by [`MotionControl::builder`], or read from JSON with the field names of the API
    /// (`{"image_url": …, "video_url": …}`), which validates as well. What was not set is not sent, so the service's own
    /// defaults apply.
    ///
    /// ```
    /// use kling_omni::MotionControl;
    /// use kling_omni::request::CharacterOrientation;
    ///
    /// let request = MotionControl::builder()
    ///     .character("https://example.com/puppet.png")
    ///     .reference_video("https://example.com/dance.mp4")
    ///     .character_orientation(CharacterOrientation::Video)
    ///     .build()?;
    /// assert!(request.warnings().is_empty());
    /// # Ok::<(), kling_omni::validation::ValidationError>(())
    /// ```
    request MotionControl = "A video to make of a character, which moves as in a reference video.";

    /// Collects what a video should be. Nothing is sent, and nothing is refused before [`build`](Self::build).
    ///
    /// The limits come from the API's document, as constants that each method names. They are checked at `build`, all of them
    /// together.
    ///
    /// ```
    /// use kling_omni::MotionControl;
    /// use kling_omni::validation::FindingCode;
    ///
    /// let findings = MotionControl::builder().character("https://example.com/puppet.png").findings();
    /// assert_eq!(findings[0].code(), FindingCode::MissingField);
    /// assert_eq!(findings[0].field(), "video_url");
    /// ```
    builder MotionControlBuilder;

    fields MotionControlFields;
    mode Mode::MotionControl;
    limits motion_control_request;
    errors errors;
    warnings warnings;

    /// The image that shows the character.
    image_url IMAGE_URL: media(Character), set character(image), get character;

    /// The reference video whose motion the character takes over.
    video_url VIDEO_URL: media(ReferenceVideo), set reference_video(video), get reference_video;

    /// What the video shows.
    prompt PROMPT: text, set prompt(prompt), get prompt;

    /// What the orientation of the character follows: `video`, or `image` for a short video.
    character_orientation CHARACTER_ORIENTATION: choice(CharacterOrientation),
    set character_orientation(orientation), get character_orientation;

    /// How closely to follow the prompt; 0 is freest.
    cfg_scale CFG_SCALE: number, set cfg_scale(scale), get cfg_scale;

    /// Public http(s) URL that gets a signed POST whenever the task changes its status.
    webhook_url WEBHOOK_URL: text, set webhook_url(url), get webhook_url;
}

/// The rules of the document are about one field each.
fn errors(_: &MotionControlFields) -> [Finding; 0] {
    []
}

fn warnings(_: &MotionControlFields, _: &RequestJson, _: CreateRoute) -> Vec<Finding> {
    Vec::new()
}
