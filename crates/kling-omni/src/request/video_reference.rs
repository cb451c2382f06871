//! A request that starts from a reference video.

use crate::request::aspect_ratio::AspectRatio;
use crate::request::fields::RequestJson;
use crate::request::mentions::mentions;
use crate::request::typed::{CheckedRequest as _, request};
use crate::request::validate::against;
use crate::route::{CreateRoute, Mode, Route};
use crate::validation::{Actual, Finding, FindingCode, ValidationError};

request! {
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
    request VideoReference = "A video to make from a prompt, a reference video and a start frame.";

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
    builder VideoReferenceBuilder;

    fields VideoReferenceFields;
    mode Mode::Reference;
    limits video_reference_request, reference_to_video_request;
    errors errors;
    warnings warnings;

    /// What the video shows. Call the reference video `@Video1`.
    prompt PROMPT: text, set prompt(prompt), get prompt;

    /// The reference video that guides motion and style.
    video_url VIDEO_URL: media(ReferenceVideo), set reference_video(video), get reference_video;

    /// The image that the video starts with.
    image_url IMAGE_URL: media(StartFrame), set start_frame(image), get start_frame;

    /// Length of the video to make, in whole seconds.
    duration DURATION: seconds, set duration(seconds), get duration;

    /// Shape of the video to make. `auto` follows the reference video or the start frame.
    aspect_ratio ASPECT_RATIO: choice(AspectRatio), set aspect_ratio(ratio), get aspect_ratio;

    /// How closely to follow the prompt; 0 is freest. The older route takes greater values than its successor.
    cfg_scale CFG_SCALE: number, set cfg_scale(scale), get cfg_scale;

    /// What to keep out of the video.
    negative_prompt NEGATIVE_PROMPT: text, set negative_prompt(prompt), get negative_prompt;

    /// Public http(s) URL that gets a signed POST whenever the task changes its status.
    webhook_url WEBHOOK_URL: text, set webhook_url(url), get webhook_url;
}

impl VideoReference {
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
        match route.plan(Mode::Reference, self.tier(), &[]).first() {
            Some(first) => self.checked.check_for(*first),
            None => Ok(()),
        }
    }
}

/// The rules of the document are about one field each.
fn errors(_: &VideoReferenceFields) -> [Finding; 0] {
    []
}

/// How the prompt calls the reference video.
const REFERENCE_VIDEO: &str = "@Video1";

fn warnings(fields: &VideoReferenceFields, json: &RequestJson, route: CreateRoute) -> Vec<Finding> {
    let mut findings = Vec::new();
    of_prompt(fields, &mut findings);
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
            "is auto, and there is neither a reference video nor a start frame to follow"
                .to_owned(),
        ));
    }
    findings
}

/// What a route takes and its successor does not.
fn rejected_by_successor(
    fields: &VideoReferenceFields,
    json: &RequestJson,
    route: CreateRoute,
    successor: CreateRoute,
) -> impl Iterator<Item = Finding> {
    let here = against(fields, json, route);
    against(fields, json, successor)
        .into_iter()
        .filter(move |finding| !here.iter().any(|known| known.field() == finding.field()))
        .map(Finding::of_successor)
}

fn of_prompt(fields: &VideoReferenceFields, findings: &mut Vec<Finding>) {
    let mut warn = |code, given, message: String| {
        findings.push(Finding::new(code, "prompt", None, given, message));
    };
    let prompt = fields.prompt.as_deref().unwrap_or_default();
    if prompt.trim().is_empty() {
        warn(
            FindingCode::MissingPrompt,
            Actual::Missing,
            "is empty; the service is left to guess what the video shows".to_owned(),
        );
        return;
    }
    let mentions = mentions(prompt, &["@video"]);
    if fields.video_url.is_some() && !mentions.contains(&REFERENCE_VIDEO) {
        warn(
            FindingCode::ReferenceNotMentioned,
            Actual::Characters(prompt.chars().count()),
            format!("never mentions the reference video as {REFERENCE_VIDEO}"),
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
            format!("mentions {REFERENCE_VIDEO}, and there is no reference video")
        } else {
            format!("mentions {mention}; there is one reference video at most, {REFERENCE_VIDEO}")
        };
        warn(
            FindingCode::UnknownReference,
            Actual::Value(mention.to_owned()),
            message,
        );
    }
}
