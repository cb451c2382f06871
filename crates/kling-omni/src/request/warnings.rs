//! What is legal and looks like a mistake.

use crate::request::aspect_ratio::AspectRatio;
use crate::request::element::Element;
use crate::request::fields::RequestJson;
use crate::request::text_to_video::TextToVideoFields;
use crate::request::validate::against;
use crate::request::video_reference::VideoReferenceFields;
use crate::route::CreateRoute;
use crate::validation::{Actual, Finding, FindingCode};

/// How the prompt calls the reference video.
const REFERENCE_VIDEO: &str = "@Video1";

pub(super) fn of_video_reference(
    fields: &VideoReferenceFields,
    json: &RequestJson,
    route: CreateRoute,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    of_prompt(fields, &mut findings);
    if route == CreateRoute::VideoReferencePro {
        findings.extend(rejected_by_successor(fields, json));
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

/// What the older route takes and its successor does not.
fn rejected_by_successor(
    fields: &VideoReferenceFields,
    json: &RequestJson,
) -> impl Iterator<Item = Finding> {
    let here = against(fields, json, CreateRoute::VideoReferencePro);
    against(fields, json, CreateRoute::ReferenceToVideoPro)
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

const IMAGE: &str = "@Image";
const ELEMENT: &str = "@Element";
/// How a prompt calls a reference video, which is for another type of request.
const VIDEO: &str = "@Video";

pub(super) fn of_text_to_video(fields: &TextToVideoFields) -> Vec<Finding> {
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

/// The longest mention that is repeated in a message, in bytes after the word.
const LONGEST_NUMBER: usize = 9;

/// Everything in a prompt that looks like a mention by one of `words`, such as `@video`, whatever its case: the word with
/// or without a number. A mention is a word of its own: `me@video.example` and `@Videography` are none.
fn mentions<'a>(prompt: &'a str, words: &[&str]) -> Vec<&'a str> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut before = None;
    prompt
        .char_indices()
        .filter_map(|(at, c)| {
            let alone = !before.replace(c).is_some_and(is_part);
            if c != '@' || !alone {
                return None;
            }
            let rest = &prompt[at..];
            let is_start = |word: &&&str| {
                let start = rest.get(..word.len());
                start.is_some_and(|start| start.eq_ignore_ascii_case(word))
            };
            let word = words.iter().find(is_start)?;
            let end = rest[1..]
                .find(|c| !is_part(c))
                .map_or(rest.len(), |end| end + 1);
            let number = &rest[word.len()..end];
            number
                .chars()
                .all(|c| c.is_ascii_digit())
                .then(|| &rest[..end.min(word.len() + LONGEST_NUMBER)])
        })
        .collect()
}
