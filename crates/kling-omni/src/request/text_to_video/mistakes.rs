use crate::request::aspect_ratio::AspectRatio;
use crate::request::element::Element;
use crate::request::mentions::mentions;
use crate::request::text_to_video::TextToVideoFields;
use crate::validation::{Actual, Finding, FindingCode};

const IMAGE: &str = "@Image";
const ELEMENT: &str = "@Element";
/// How a prompt calls a reference video, which is for another type of request.
const VIDEO: &str = "@Video";

pub(super) fn all(fields: &TextToVideoFields) -> Vec<Finding> {
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

/// Holds what the prompts mention against what is there.
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
