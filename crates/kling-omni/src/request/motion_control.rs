//! The request for a character that moves like a reference video.

use crate::request::fields::RequestJson;
use crate::request::table::choice;
use crate::request::typed::request;
use crate::route::{CreateRoute, Mode};
use crate::validation::Finding;

choice! {
    /// What determines the orientation of the character, and with it the maximum length of the video.
    CharacterOrientation = "What determines the orientation of the character." {
        /// `video`: the reference video, for complex motion. The default of the service.
        Video,
        /// `image`: the image of the character, for a moving camera. The video is short.
        Image,
    }
}

request! {
    /// A validated request for a video of a character that moves like a reference video.
    ///
    /// The image shows the character, and the reference video the motion. Both are required. The service decides the
    /// length of the video.
    ///
    /// Build it with [`MotionControl::builder`], or deserialise it from JSON with the field names of the API
    /// (`{"image_url": …, "video_url": …}`), which validates it, too. Fields that are not set are not sent, so the
    /// service's defaults apply.
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
    request MotionControl = "A request for a video of a character that moves like a reference video.";

    /// A builder of a [`MotionControl`](crate::MotionControl). Validates all fields in [`build`](Self::build).
    ///
    /// The limits come from the API's document. Each setter names the constant with its limits.
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

    /// The image of the character.
    image_url IMAGE_URL: media(Character), set character(image), get character;

    /// The reference video whose motion the character follows.
    video_url VIDEO_URL: media(ReferenceVideo), set reference_video(video), get reference_video;

    /// What the video shows.
    prompt PROMPT: text, set prompt(prompt), get prompt;

    /// What determines the orientation of the character: `video`, or `image` for a short video.
    character_orientation CHARACTER_ORIENTATION: choice(CharacterOrientation),
    set character_orientation(orientation), get character_orientation;

    /// How closely to follow the prompt. 0 follows it least.
    cfg_scale CFG_SCALE: number, set cfg_scale(scale), get cfg_scale;

    /// Public http(s) URL that receives a signed POST on each status change of the task.
    webhook_url WEBHOOK_URL: text, set webhook_url(url), get webhook_url;
}

/// All rules of the document are on single fields.
fn errors(_: &MotionControlFields) -> [Finding; 0] {
    []
}

fn warnings(_: &MotionControlFields, _: &RequestJson, _: CreateRoute) -> Vec<Finding> {
    Vec::new()
}
