//! Lint of the extensions about files and videos: `x-media` and `x-output-seconds`.

use crate::finding::Findings;
use crate::limits::SPANS;
use crate::rules;
use openapi_diff::tree::{Node, join};

/// Spans that only a moving picture has.
const VIDEO_ONLY: [&str; 2] = ["seconds", "framesPerSecond"];

pub fn check(pointer: &str, media: &Node, findings: &mut Findings) {
    if media.as_map().is_none() {
        findings.add(&rules::MALFORMED_EXTENSION, pointer, "it is a mapping");
        return;
    }
    let kind = media.text("kind");
    if !matches!(kind, Some("video" | "image")) {
        let here = join(pointer, "kind");
        findings.add(
            &rules::MALFORMED_EXTENSION,
            &here,
            "`kind` is `video` or `image`",
        );
    }
    formats(&join(pointer, "formats"), media.get("formats"), findings);
    for (key, value) in media.entries() {
        let here = join(pointer, key);
        if SPANS.iter().any(|(span, _)| *span == key) {
            if kind == Some("image") && VIDEO_ONLY.contains(&key) {
                findings.add(
                    &rules::MALFORMED_EXTENSION,
                    &here,
                    format!("an image has no `{key}`"),
                );
            }
            span(&here, value, findings);
        } else if !["kind", "formats"].contains(&key) {
            let known = SPANS.map(|(span, _)| span).join(", ");
            let message = format!("unknown key; known are kind, formats, {known}");
            findings.add(&rules::MALFORMED_EXTENSION, &here, message);
        }
    }
}

/// Checks `x-output-seconds` of a schema with `enum`.
pub fn check_output(pointer: &str, seconds: &Node, schema: &Node, findings: &mut Findings) {
    if seconds.entries().count() == 0 {
        findings.add(
            &rules::MALFORMED_EXTENSION,
            pointer,
            "it is a mapping of values to spans",
        );
    }
    let values = schema.get("enum").map_or(&[][..], Node::items);
    for (value, seconds) in seconds.entries() {
        let here = join(pointer, value);
        if !values.iter().any(|known| known.as_text() == Some(value)) {
            findings.add(
                &rules::MALFORMED_EXTENSION,
                &here,
                format!("`{value}` is not a value of the enum"),
            );
        }
        span(&here, seconds, findings);
    }
}

fn formats(pointer: &str, formats: Option<&Node>, findings: &mut Findings) {
    let formats = formats.map_or(&[][..], Node::items);
    let extension = |text: &str| {
        let mut letters = text.chars();
        letters.all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit())
    };
    let fit = formats.iter().all(|format| {
        format
            .as_text()
            .is_some_and(|text| !text.is_empty() && extension(text))
    });
    if formats.is_empty() || !fit {
        let message = "`formats` is a list of lower-case file extensions";
        findings.add(&rules::MALFORMED_EXTENSION, pointer, message);
    }
}

fn span(pointer: &str, span: &Node, findings: &mut Findings) {
    let known = ["minimum", "maximum"];
    let ends: Vec<_> = known.iter().filter_map(|key| span.get(key)).collect();
    let numbers: Vec<_> = ends.iter().filter_map(|end| end.as_f64()).collect();
    let others = span.entries().any(|(key, _)| !known.contains(&key));
    let sane = numbers.iter().all(|end| *end >= 0.0) && numbers.is_sorted();
    if ends.is_empty() || others || numbers.len() != ends.len() || !sane {
        let message = "a span has `minimum`, `maximum` or both, in order and not below zero, and nothing else";
        findings.add(&rules::MALFORMED_EXTENSION, pointer, message);
    }
}
