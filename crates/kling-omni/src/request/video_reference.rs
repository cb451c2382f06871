//! The request for a video from a reference video.

use crate::request::aspect_ratio::AspectRatio;
use crate::request::fields::RequestJson;
use crate::request::mentions::find_mentions;
use crate::request::typed::{CheckedRequest as _, request};
use crate::request::validate::validate_for_route;
use crate::route::{CreateRoute, Mode, Route};
use crate::validation::{Actual, Finding, FindingCode, ValidationError};

request! {
    /// A validated request for a video from a prompt, a reference video and a start frame.
    ///
    /// Build it with [`VideoReference::builder`], or deserialise it from JSON with the field names of the API
    /// (`{"prompt": …, "video_url": …, "duration": "8"}`), which validates it, too. Fields that are not set are not
    /// sent, so the service's defaults apply.
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
    request VideoReference = "A request for a video from a prompt, a reference video and a start frame.";

    /// A builder of a [`VideoReference`](crate::VideoReference). Validates all fields in [`build`](Self::build).
    ///
    /// The limits come from the API's document. Each setter names the constant with its limits on the older route,
    /// which are wider. [`raw::limits`](kling_omni_api::limits) has the limits of all routes.
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
    /// It deserialises from the same JSON as [`VideoReference`](crate::VideoReference), for a request in a file that is
    /// changed before it is built:
    ///
    /// ```
    /// use kling_omni::request::VideoReferenceBuilder;
    ///
    /// let builder: VideoReferenceBuilder = serde_json::from_str(r#"{"prompt": "A quiet lake", "duration": "2"}"#)?;
    /// assert_eq!(builder.duration(8).build()?.duration(), Some(8));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    builder VideoReferenceBuilder;

    fields VideoReferenceFields;
    mode Mode::Reference;
    limits video_reference_request, reference_to_video_request;
    errors errors;
    warnings warnings;

    /// What the video shows. Refer to the reference video as `@Video1`.
    prompt PROMPT: text, set prompt(prompt), get prompt;

    /// The reference video that guides motion and style.
    video_url VIDEO_URL: media(ReferenceVideo), set reference_video(video), get reference_video;

    /// The first frame of the video.
    image_url IMAGE_URL: media(StartFrame), set start_frame(image), get start_frame;

    /// Length of the video in whole seconds.
    duration DURATION: seconds, set duration(seconds), get duration;

    /// Aspect ratio of the video. `auto` follows the reference video or the start frame.
    aspect_ratio ASPECT_RATIO: choice(AspectRatio), set aspect_ratio(ratio), get aspect_ratio;

    /// How closely to follow the prompt. 0 follows it least. The older route accepts greater values than its successor.
    cfg_scale CFG_SCALE: number, set cfg_scale(scale), get cfg_scale;

    /// What the video must not show.
    negative_prompt NEGATIVE_PROMPT: text, set negative_prompt(prompt), get negative_prompt;

    /// Public http(s) URL that receives a signed POST on each status change of the task.
    webhook_url WEBHOOK_URL: text, set webhook_url(url), get webhook_url;
}

impl VideoReference {
    /// Checks the request validate_for_route the rules of a route, which may be stricter than those it was built with.
    ///
    /// [`Client::create`](crate::Client::create) does the same before it sends anything. With [`Route::Auto`] it checks
    /// for the older route first, and for the successor before it falls back to it.
    ///
    /// # Errors
    ///
    /// [`ValidationError`] with every rule of that route that the request violates.
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
        match route
            .routes_to_try(Mode::Reference, self.tier(), &[])
            .first()
        {
            Some(first) => self.checked.check_route(*first),
            None => Ok(()),
        }
    }
}

/// All rules of the document are on single fields.
fn errors(_: &VideoReferenceFields) -> [Finding; 0] {
    []
}

/// The mention of the reference video in the prompt.
const REFERENCE_VIDEO: &str = "@Video1";

fn warnings(fields: &VideoReferenceFields, json: &RequestJson, route: CreateRoute) -> Vec<Finding> {
    let mut findings = Vec::new();
    check_prompt(fields, &mut findings);
    if let Some(successor) = route.successor() {
        findings.extend(rejected_by_successor(fields, json, route, successor));
    }
    if fields.aspect_ratio == Some(AspectRatio::Auto)
        && fields.video_url.is_none()
        && fields.image_url.is_none()
    {
        findings.push(Finding::new(
            FindingCode::AutoRatioWithoutInput,
            "aspect_ratio",
            None,
            Actual::Value(AspectRatio::Auto.to_string()),
            "is auto without a reference video or a start frame to follow".to_owned(),
        ));
    }
    findings
}

/// Warnings about what the successor of a route would reject.
fn rejected_by_successor(
    fields: &VideoReferenceFields,
    json: &RequestJson,
    route: CreateRoute,
    successor: CreateRoute,
) -> impl Iterator<Item = Finding> {
    let own = validate_for_route(fields, json, route);
    validate_for_route(fields, json, successor)
        .into_iter()
        .filter(move |finding| !own.iter().any(|known| known.field() == finding.field()))
        .map(Finding::into_successor_warning)
}

fn check_prompt(fields: &VideoReferenceFields, findings: &mut Vec<Finding>) {
    let mut warn = |code, given, message: String| {
        findings.push(Finding::new(code, "prompt", None, given, message));
    };
    let prompt = fields.prompt.as_deref().unwrap_or_default();
    if prompt.trim().is_empty() {
        warn(
            FindingCode::MissingPrompt,
            Actual::Missing,
            "is empty, so the service chooses what the video shows".to_owned(),
        );
        return;
    }
    let mentions = find_mentions(prompt, &["@video"]);
    if fields.video_url.is_some() && !mentions.contains(&REFERENCE_VIDEO) {
        warn(
            FindingCode::ReferenceNotMentioned,
            Actual::Characters(prompt.chars().count()),
            format!("does not mention the reference video as {REFERENCE_VIDEO}"),
        );
    }
    let mut unknown: Vec<_> = mentions
        .into_iter()
        .filter(|mention| *mention != REFERENCE_VIDEO || fields.video_url.is_none())
        .collect();
    unknown.sort_unstable();
    unknown.dedup();
    for mention in unknown {
        let message = if mention == REFERENCE_VIDEO {
            format!("mentions {REFERENCE_VIDEO}, but the request has no reference video")
        } else {
            format!("mentions {mention}, but the only reference video is {REFERENCE_VIDEO}")
        };
        warn(
            FindingCode::UnknownReference,
            Actual::Value(mention.to_owned()),
            message,
        );
    }
}
