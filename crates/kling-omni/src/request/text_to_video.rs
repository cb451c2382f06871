//! The request for a video from text, or from text and images.

use kling_omni_api::limits::video_request::ELEMENTS;

use crate::request::aspect_ratio::AspectRatio;
use crate::request::element::Element;
use crate::request::fields::RequestJson;
use crate::request::mentions::find_mentions;
use crate::request::shot_type::ShotType;
use crate::request::typed::request;
use crate::route::{CreateRoute, Mode};
use crate::validation::{Actual, Finding, FindingCode, Limit};

request! {
    /// A validated request for a video from text, or from text and images.
    ///
    /// One prompt describes the video, or each shot has its own prompt. A start frame, with or without an end frame,
    /// makes it image to video. Elements and reference images keep characters, objects and style consistent. For a
    /// reference video, use [`VideoReference`](crate::VideoReference).
    ///
    /// Build it with [`TextToVideo::builder`], or deserialise it from JSON with the field names of the API (`{"prompt":
    /// …, "image_url": …, "duration": "8"}`), which validates it, too. Fields that are not set are not sent, so the
    /// service's defaults apply.
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
    request TextToVideo = "A request for a video from text, or from text and images.";

    /// A builder of a [`TextToVideo`](crate::TextToVideo). Validates all fields in [`build`](Self::build).
    ///
    /// The limits come from the API's document. Each setter names the constant with its limits. `build` also checks the
    /// documented rules on several fields:
    ///
    /// * A prompt or shots are required. With a start frame, only one of the two is allowed.
    /// * Elements and reference images together are limited to the number that
    ///   [`ELEMENTS`](kling_omni_api::limits::video_request::ELEMENTS) allows for elements alone. Frames and the images
    ///   of an element do not count.
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
    /// It deserialises from the same JSON as [`TextToVideo`](crate::TextToVideo), for a request in a file that is
    /// changed before it is built.
    builder TextToVideoBuilder;

    fields TextToVideoFields;
    mode Mode::Text;
    limits video_request;
    errors errors;
    warnings warnings;

    /// What the video shows.
    prompt PROMPT: text,
    /// Refer to reference images as `@Image1`, `@Image2` and so on, and to elements as `@Element1` and so on.
    set prompt(prompt), get prompt;

    /// What each shot shows, in order.
    multi_prompt MULTI_PROMPT: texts,
    /// A shot has no length of its own; [`duration`](Self::duration) is the length of all shots together.
    set shot(prompt), get shots;

    /// How the shots are combined into a video.
    shot_type SHOT_TYPE: choice(ShotType), set shot_type(kind), get shot_type;

    /// The first frame of the video.
    image_url IMAGE_URL: media(StartFrame),
    /// The documented field for image to video.
    set start_frame(image), get start_frame;

    /// The first frame, for use with `end_image_url`.
    start_image_url START_IMAGE_URL: media(FirstFrame),
    /// The difference to [`start_frame`](Self::start_frame) is not documented. Set one of them, optionally with an
    /// [`end_frame`](Self::end_frame).
    set first_frame(image), get first_frame;

    /// The last frame of the video.
    end_image_url END_IMAGE_URL: media(EndFrame),
    /// It requires a start frame.
    set end_frame(image), get end_frame;

    /// Images that guide style and look; `@Image1` and so on in the prompt.
    image_urls IMAGE_URLS: media_list(ReferenceImage), set reference_image(image), get reference_images;

    /// Characters and objects that stay consistent throughout the video; `@Element1` and so on in the prompt.
    elements ELEMENTS: elements, set element(element), get elements;

    /// Whether the video has sound.
    generate_audio GENERATE_AUDIO: flag,
    /// The default of the service is not documented.
    set generate_audio(audio), get generate_audio;

    /// Length of the video in whole seconds, for all shots together.
    duration DURATION: seconds, set duration(seconds), get duration;

    /// Aspect ratio of the video. `auto` follows the start frame.
    aspect_ratio ASPECT_RATIO: choice(AspectRatio), set aspect_ratio(ratio), get aspect_ratio;

    /// Public http(s) URL that receives a signed POST on each status change of the task.
    webhook_url WEBHOOK_URL: text, set webhook_url(url), get webhook_url;
}

impl TextToVideoFields {
    /// Whether a first frame is set, which makes the request image to video.
    pub(crate) fn has_start_frame(&self) -> bool {
        self.image_url.is_some() || self.start_image_url.is_some()
    }

    fn missing_prompt(&self) -> Option<Finding> {
        (self.prompt.is_none() && self.multi_prompt.is_empty()).then(|| {
            Finding::new(
                FindingCode::MissingField,
                "prompt",
                None,
                Actual::Missing,
                "is not set, and neither are shots (multi_prompt): one of the two is required"
                    .to_owned(),
            )
        })
    }

    fn conflicting_prompts(&self) -> Option<Finding> {
        let both = self.prompt.is_some() && !self.multi_prompt.is_empty();
        (both && self.has_start_frame()).then(|| {
            Finding::new(
                FindingCode::PromptConflictsWithShots,
                "multi_prompt",
                None,
                Actual::Items(self.multi_prompt.len()),
                "cannot be combined with a prompt and a start frame".to_owned(),
            )
        })
    }

    /// The document has the same maximum for both lists together as for each. A single list above it is reported
    /// elsewhere.
    fn too_many_references(&self) -> Option<Finding> {
        let max = ELEMENTS.max_items?;
        let (elements, images) = (self.elements.len(), self.image_urls.len());
        let together = elements + images;
        (elements <= max && images <= max && together > max).then(|| {
            Finding::new(
                FindingCode::TooManyItems,
                "elements",
                Some(Limit::AtMost(max as f64)),
                Actual::Items(together),
                format!(
                    "has {elements} items with {images} reference images (image_urls), at most {max} are allowed together"
                ),
            )
        })
    }
}

/// Checks the rules that the document has only in prose.
fn errors(fields: &TextToVideoFields) -> impl Iterator<Item = Finding> {
    [
        fields.missing_prompt(),
        fields.conflicting_prompts(),
        fields.too_many_references(),
    ]
    .into_iter()
    .flatten()
}

const IMAGE: &str = "@Image";
const ELEMENT: &str = "@Element";
/// The mention of a reference video, which belongs to another request type.
const VIDEO: &str = "@Video";

fn warnings(fields: &TextToVideoFields, _: &RequestJson, _: CreateRoute) -> Vec<Finding> {
    let mut findings = Vec::new();
    check_prompts(fields, &mut findings);
    check_mentions(fields, &mut findings);
    check_frames(fields, &mut findings);
    for (index, _) in matching_items(&fields.elements, Element::is_empty) {
        findings.push(warning(
            FindingCode::ElementWithoutImage,
            format!("elements[{index}]"),
            "has no image",
        ));
    }
    findings
}

fn check_prompts(fields: &TextToVideoFields, findings: &mut Vec<Finding>) {
    let is_blank = |text: &String| text.trim().is_empty();
    const EMPTY: &str = "is empty, so the service chooses what the video shows";
    if fields.prompt.as_ref().is_some_and(is_blank) {
        findings.push(warning(FindingCode::MissingPrompt, "prompt", EMPTY));
    }
    for (index, _) in matching_items(&fields.multi_prompt, is_blank) {
        let field = format!("multi_prompt[{index}]");
        findings.push(warning(FindingCode::MissingPrompt, field, EMPTY));
    }
    let has_shots = !fields.multi_prompt.is_empty();
    if fields.prompt.is_some() && has_shots && !fields.has_start_frame() {
        findings.push(warning(
            FindingCode::PromptWithShots,
            "prompt",
            "is combined with shots (multi_prompt), and the effect is not documented",
        ));
    }
    if fields.shot_type.is_some() && !has_shots {
        findings.push(warning(
            FindingCode::ShotTypeWithoutShots,
            "shot_type",
            "is set without shots (multi_prompt)",
        ));
    }
}

fn check_frames(fields: &TextToVideoFields, findings: &mut Vec<Finding>) {
    if fields.image_url.is_some() && fields.start_image_url.is_some() {
        findings.push(warning(
            FindingCode::DuplicateStartFrame,
            "start_image_url",
            "is a second start frame beside image_url, and which one applies is not documented",
        ));
    }
    if fields.has_start_frame() {
        return;
    }
    if fields.end_image_url.is_some() {
        findings.push(warning(
            FindingCode::EndFrameWithoutStartFrame,
            "end_image_url",
            "is set without a start frame, which image to video requires",
        ));
    }
    if fields.aspect_ratio == Some(AspectRatio::Auto) {
        findings.push(Finding::new(
            FindingCode::AutoRatioWithoutInput,
            "aspect_ratio",
            None,
            Actual::Value(AspectRatio::Auto.to_string()),
            "is auto without a start frame to follow".to_owned(),
        ));
    }
}

/// Compares the mentions in the prompts with the references of the request.
fn check_mentions(fields: &TextToVideoFields, findings: &mut Vec<Finding>) {
    let prompt = fields.prompt.iter().map(|text| ("prompt".to_owned(), text));
    let shots = fields.multi_prompt.iter().enumerate();
    let shots = shots.map(|(index, text)| (format!("multi_prompt[{index}]"), text));
    let prompts: Vec<_> = prompt.chain(shots).collect();

    let names = |word: &str, count: usize| (1..=count).map(|n| format!("{word}{n}")).collect();
    let images: Vec<String> = names(IMAGE, fields.image_urls.len());
    let elements: Vec<String> = names(ELEMENT, fields.elements.len());
    let mut mentioned = Vec::new();
    for (field, text) in &prompts {
        let mut mentions = find_mentions(text, &[IMAGE, ELEMENT, VIDEO]);
        mentions.sort_unstable();
        mentions.dedup();
        for mention in &mentions {
            if !images.iter().chain(&elements).any(|name| name == mention) {
                findings.push(Finding::new(
                    FindingCode::UnknownReference,
                    field,
                    None,
                    Actual::Value((*mention).to_owned()),
                    format!(
                        "mentions {mention}, but {}",
                        describe_references(mention, &images, &elements)
                    ),
                ));
            }
        }
        mentioned.extend(mentions);
    }
    if prompts.is_empty() {
        return;
    }
    for (list, names) in [("image_urls", images), ("elements", elements)] {
        for (index, name) in matching_items(&names, |name| !mentioned.contains(&name.as_str())) {
            findings.push(Finding::new(
                FindingCode::ReferenceNotMentioned,
                format!("{list}[{index}]"),
                None,
                Actual::Value(name.clone()),
                format!("is never mentioned as {name}"),
            ));
        }
    }
}

/// Lists the mentions that a prompt can use instead of `mention`.
fn describe_references(mention: &str, images: &[String], elements: &[String]) -> String {
    let is_video = mention[..VIDEO.len()].eq_ignore_ascii_case(VIDEO);
    if is_video {
        return "a text request has no reference video".to_owned();
    }
    let names: Vec<_> = images.iter().chain(elements).map(String::as_str).collect();
    if names.is_empty() {
        "the request has neither reference images nor elements".to_owned()
    } else {
        format!("the request has {}", names.join(", "))
    }
}

/// The items that match a predicate, with their indices.
fn matching_items<T>(
    items: &[T],
    matches: impl Fn(&T) -> bool,
) -> impl Iterator<Item = (usize, &T)> {
    let items = items.iter().enumerate();
    items.filter(move |(_, item)| matches(item))
}

fn warning(code: FindingCode, field: impl Into<String>, message: &str) -> Finding {
    Finding::new(code, field, None, Actual::Missing, message.to_owned())
}
