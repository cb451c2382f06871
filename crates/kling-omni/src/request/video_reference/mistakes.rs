use crate::request::aspect_ratio::AspectRatio;
use crate::request::mentions::mentions;
use crate::request::validate::against;
use crate::request::video_reference::VideoReferenceFields;
use crate::route::CreateRoute;
use crate::validation::{Actual, Finding, FindingCode};

/// How the prompt calls the reference video.
const REFERENCE: &str = "@Video1";

pub(super) fn all(fields: &VideoReferenceFields, route: CreateRoute) -> Vec<Finding> {
    let mut findings = Vec::new();
    of_prompt(fields, &mut findings);
    if route == CreateRoute::VideoReferencePro {
        findings.extend(refused_by_successor(fields));
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
fn refused_by_successor(fields: &VideoReferenceFields) -> impl Iterator<Item = Finding> {
    let here = against(fields, CreateRoute::VideoReferencePro);
    against(fields, CreateRoute::ReferenceToVideoPro)
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
    if fields.video_url.is_some() && !mentions.contains(&REFERENCE) {
        warn(
            FindingCode::ReferenceNotMentioned,
            Actual::Characters(prompt.chars().count()),
            format!("never mentions the reference video as {REFERENCE}"),
        );
    }
    let mut unknown: Vec<_> = mentions
        .into_iter()
        .filter(|mention| *mention != REFERENCE || fields.video_url.is_none())
        .collect();
    unknown.sort_unstable();
    unknown.dedup();
    for mention in unknown {
        let message = if mention == REFERENCE {
            format!("mentions {REFERENCE}, and there is no reference video")
        } else {
            format!("mentions {mention}; there is one reference video at most, {REFERENCE}")
        };
        warn(
            FindingCode::UnknownReference,
            Actual::Value(mention.to_owned()),
            message,
        );
    }
}
