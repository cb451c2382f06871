//! A request that starts from text, or from text and images.

use kling_omni_api::limits::video_request::ELEMENTS;

use crate::request::aspect_ratio::AspectRatio;
use crate::request::element::Element;
use crate::request::fields::RequestJson;
use crate::request::mentions::mentions;
use crate::request::shot_type::ShotType;
use crate::request::typed::request;
use crate::route::{CreateRoute, Mode};
use crate::validation::{Actual, Finding, FindingCode, Limit};

request! {
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
    request TextToVideo = "A video to make from text, or from text and images.";

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
    /// use kling_omni::validation::FindingCode;
    /// use kling_omni::TextToVideo;
    ///
    /// let findings = TextToVideo::builder().prompt("It rains").reference_image("rain.png").findings();
    /// assert_eq!(findings[0].code(), FindingCode::InvalidUrl);
    /// assert_eq!(findings[0].field(), "image_urls[0]");
    /// ```
    ///
    /// It can be read from the same JSON as a [`TextToVideo`](crate::TextToVideo), for a request in a file that is still to be changed.
    builder TextToVideoBuilder;

    fields TextToVideoFields;
    mode Mode::Text;
    limits video_request;
    errors errors;
    warnings warnings;

    /// What the video shows.
    prompt PROMPT: text,
    /// Call reference images `@Image1`, `@Image2` and so on, and elements `@Element1` and so on.
    set prompt(prompt), get prompt;

    /// What each shot shows, in order.
    multi_prompt MULTI_PROMPT: texts,
    /// A shot has no length of its own; [`duration`](Self::duration) is that of all shots together.
    set shot(prompt), get shots;

    /// How the shots are made into a video.
    shot_type SHOT_TYPE: choice(ShotType), set shot_type(kind), get shot_type;

    /// The image that the video starts with.
    image_url IMAGE_URL: media(StartFrame),
    /// It is what the documentation asks for in image to video.
    set start_frame(image), get start_frame;

    /// The first frame, for use with `end_image_url`.
    start_image_url START_IMAGE_URL: media(FirstFrame),
    /// How it differs from [`start_frame`](Self::start_frame) is not documented; set one of them, beside an
    /// [`end_frame`](Self::end_frame) if you like.
    set first_frame(image), get first_frame;

    /// The image that the video ends with.
    end_image_url END_IMAGE_URL: media(EndFrame),
    /// It goes with a start frame.
    set end_frame(image), get end_frame;

    /// Images that guide style and looks; `@Image1` and so on in the prompt.
    image_urls IMAGE_URLS: media_list(ReferenceImage), set reference_image(image), get reference_images;

    /// Characters and objects that look the same throughout the video; `@Element1` and so on in the prompt.
    elements ELEMENTS: elements, set element(element), get elements;

    /// Whether the video gets a sound track.
    generate_audio GENERATE_AUDIO: flag,
    /// What the service does when nothing is set is not documented.
    set generate_audio(audio), get generate_audio;

    /// Length of the video to make, all shots together, in whole seconds.
    duration DURATION: seconds, set duration(seconds), get duration;

    /// Shape of the video to make. `auto` follows the start frame.
    aspect_ratio ASPECT_RATIO: choice(AspectRatio), set aspect_ratio(ratio), get aspect_ratio;

    /// Public http(s) URL that gets a signed POST whenever the task changes its status.
    webhook_url WEBHOOK_URL: text, set webhook_url(url), get webhook_url;
}

impl TextToVideoFields {
    /// Whether an image starts the video, which makes it image to video.
    pub(crate) fn has_start_frame(&self) -> bool {
        self.image_url.is_some() || self.start_image_url.is_some()
    }

    fn nothing_to_show(&self) -> Option<Finding> {
        (self.prompt.is_none() && self.multi_prompt.is_empty()).then(|| {
            Finding::new(
                FindingCode::MissingField,
                "prompt",
                None,
                Actual::Missing,
                "is not set, and there are no shots (multi_prompt); one of the two is needed"
                    .to_owned(),
            )
        })
    }

    fn prompt_and_shots(&self) -> Option<Finding> {
        let both = self.prompt.is_some() && !self.multi_prompt.is_empty();
        (both && self.has_start_frame()).then(|| {
            Finding::new(
                FindingCode::PromptConflictsWithShots,
                "multi_prompt",
                None,
                Actual::Items(self.multi_prompt.len()),
                "stand beside a prompt; with a start frame, only one of the two is allowed"
                    .to_owned(),
            )
        })
    }

    /// The document has one bound for both lists together, as that of each. What is too many by itself is found there.
    fn too_many_together(&self) -> Option<Finding> {
        let most = ELEMENTS.max_items?;
        let (elements, images) = (self.elements.len(), self.image_urls.len());
        let together = elements + images;
        (elements <= most && images <= most && together > most).then(|| {
            Finding::new(
                FindingCode::TooManyItems,
                "elements",
                Some(Limit::AtMost(most as f64)),
                Actual::Items(together),
                format!(
                    "are {elements}, with {images} reference images (image_urls) beside them; {most} are allowed \
                     together"
                ),
            )
        })
    }
}

/// The rules that the document has in prose only.
fn errors(fields: &TextToVideoFields) -> impl Iterator<Item = Finding> {
    [
        fields.nothing_to_show(),
        fields.prompt_and_shots(),
        fields.too_many_together(),
    ]
    .into_iter()
    .flatten()
}

const IMAGE: &str = "@Image";
const ELEMENT: &str = "@Element";
/// How a prompt calls a reference video, which is for another type of request.
const VIDEO: &str = "@Video";

fn warnings(fields: &TextToVideoFields, _: &RequestJson, _: CreateRoute) -> Vec<Finding> {
    let mut findings = Vec::new();
    of_prompts(fields, &mut findings);
    of_mentions(fields, &mut findings);
    of_frames(fields, &mut findings);
    for (index, _) in odd(&fields.elements, Element::is_empty) {
        findings.push(warning(
            FindingCode::ElementWithoutImage,
            format!("elements[{index}]"),
            "has no image that would show what it is",
        ));
    }
    findings
}

fn of_prompts(fields: &TextToVideoFields, findings: &mut Vec<Finding>) {
    let is_blank = |text: &String| text.trim().is_empty();
    const GUESS: &str = "is empty; the service is left to guess what the video shows";
    if fields.prompt.as_ref().is_some_and(is_blank) {
        findings.push(warning(FindingCode::MissingPrompt, "prompt", GUESS));
    }
    for (index, _) in odd(&fields.multi_prompt, is_blank) {
        let place = format!("multi_prompt[{index}]");
        findings.push(warning(FindingCode::MissingPrompt, place, GUESS));
    }
    let has_shots = !fields.multi_prompt.is_empty();
    if fields.prompt.is_some() && has_shots && !fields.has_start_frame() {
        findings.push(warning(
            FindingCode::PromptWithShots,
            "prompt",
            "stands beside shots (multi_prompt), and nothing says what becomes of it",
        ));
    }
    if fields.shot_type.is_some() && !has_shots {
        findings.push(warning(
            FindingCode::ShotTypeWithoutShots,
            "shot_type",
            "is set, and there are no shots (multi_prompt)",
        ));
    }
}

fn of_frames(fields: &TextToVideoFields, findings: &mut Vec<Finding>) {
    if fields.image_url.is_some() && fields.start_image_url.is_some() {
        findings.push(warning(
            FindingCode::DuplicateStartFrame,
            "start_image_url",
            "is a second start frame beside image_url, and nothing says which of them counts",
        ));
    }
    if fields.has_start_frame() {
        return;
    }
    if fields.end_image_url.is_some() {
        findings.push(warning(
            FindingCode::EndFrameWithoutStartFrame,
            "end_image_url",
            "has no start frame to begin from; the service knows an end frame for image to video only",
        ));
    }
    if fields.aspect_ratio == Some(AspectRatio::Auto) {
        findings.push(Finding::new(
            FindingCode::AutoRatioWithoutInput,
            "aspect_ratio",
            None,
            Actual::Value(AspectRatio::Auto.to_string()),
            "is auto, and there is no start frame to follow".to_owned(),
        ));
    }
}

/// Compares what the prompts mention with what is there.
fn of_mentions(fields: &TextToVideoFields, findings: &mut Vec<Finding>) {
    let prompt = fields.prompt.iter().map(|text| ("prompt".to_owned(), text));
    let shots = fields.multi_prompt.iter().enumerate();
    let shots = shots.map(|(index, text)| (format!("multi_prompt[{index}]"), text));
    let prompts: Vec<_> = prompt.chain(shots).collect();

    let names = |word: &str, count: usize| (1..=count).map(|n| format!("{word}{n}")).collect();
    let images: Vec<String> = names(IMAGE, fields.image_urls.len());
    let elements: Vec<String> = names(ELEMENT, fields.elements.len());
    let mut mentioned = Vec::new();
    for (place, text) in &prompts {
        let mut here = mentions(text, &[IMAGE, ELEMENT, VIDEO]);
        here.sort_unstable();
        here.dedup();
        for mention in &here {
            if !images.iter().chain(&elements).any(|name| name == mention) {
                findings.push(Finding::new(
                    FindingCode::UnknownReference,
                    place,
                    None,
                    Actual::Value((*mention).to_owned()),
                    format!(
                        "mentions {mention}; {}",
                        what_there_is(mention, &images, &elements)
                    ),
                ));
            }
        }
        mentioned.extend(here);
    }
    if prompts.is_empty() {
        return;
    }
    for (list, names) in [("image_urls", images), ("elements", elements)] {
        for (index, name) in odd(&names, |name| !mentioned.contains(&name.as_str())) {
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

/// The names that a prompt can use in place of `mention`, in words.
fn what_there_is(mention: &str, images: &[String], elements: &[String]) -> String {
    let is_video = mention[..VIDEO.len()].eq_ignore_ascii_case(VIDEO);
    if is_video {
        return "a video from text has no reference video".to_owned();
    }
    let names: Vec<_> = images.iter().chain(elements).map(String::as_str).collect();
    if names.is_empty() {
        "there are neither reference images nor elements".to_owned()
    } else {
        format!("there is {}", names.join(", "))
    }
}

/// The items of a list that something is the matter with, and their places.
fn odd<T>(items: &[T], is_odd: impl Fn(&T) -> bool) -> impl Iterator<Item = (usize, &T)> {
    let items = items.iter().enumerate();
    items.filter(move |(_, item)| is_odd(item))
}

fn warning(code: FindingCode, place: impl Into<String>, message: &str) -> Finding {
    Finding::new(code, place, None, Actual::Missing, message.to_owned())
}
