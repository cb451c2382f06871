//! Help texts of the request's options. Every number and value in them comes from the spec.

use kling_omni::request::AspectRatio;
use kling_omni::{Mode, Tier};
use kling_omni_api::limits::{reference_to_video_request, video_reference_request, video_request};
use kling_omni_api::{Field, Media, Span};

pub(super) fn mode() -> String {
    format!(
        "What to make the video from [default: {} if there is --video or another of its options, else {}]",
        Mode::Reference,
        Mode::Text
    )
}

pub(super) fn shot() -> String {
    with_rules(
        "What a shot shows, in place of --prompt; once for each shot, and --duration is that of all together",
        &video_request::MULTI_PROMPT,
    )
}

pub(super) fn reference_image() -> String {
    with_rules(
        "An image that guides style and looks, @Image1 and so on in the prompt; once for each",
        &video_request::IMAGE_URLS,
    )
}

pub(super) fn element() -> String {
    let mut text =
        "A character or an object, @Element1 and so on in the prompt: its main image, and others \
                    after blanks; once for each"
            .to_owned();
    if let Some(most) = video_request::ELEMENTS.max_items {
        text.push_str(&format!(
            " [at most {most}, together with --reference-image]"
        ));
    }
    text
}

pub(super) fn prompt() -> String {
    with_rules(
        "What the video shows, or - for standard input; calls a reference video @Video1, other inputs as they say themselves",
        &video_reference_request::PROMPT,
    )
}

pub(super) fn video() -> String {
    let rules = &reference_to_video_request::VIDEO_URL;
    with_rules(
        "The reference video that guides motion and style: a file, which is uploaded, or a public URL",
        rules,
    )
}

pub(super) fn image() -> String {
    let rules = &video_reference_request::IMAGE_URL;
    with_rules(
        "The image that the video starts with, a file or a public URL",
        rules,
    )
}

pub(super) fn duration() -> String {
    let rules = &video_reference_request::DURATION;
    with_rules("Length of the video to make, in seconds", rules)
}

pub(super) fn aspect_ratio() -> String {
    // The parser lists the values itself.
    let rules = Field {
        values: &[],
        ..video_reference_request::ASPECT_RATIO
    };
    let auto = AspectRatio::Auto;
    with_rules(
        &format!("Shape of the video to make; {auto} follows the input"),
        &rules,
    )
}

pub(super) fn cfg_scale() -> String {
    let rules = &video_reference_request::CFG_SCALE;
    let mut text = "How closely to follow the prompt, from free to strict".to_owned();
    let successor = reference_to_video_request::CFG_SCALE.maximum;
    if let Some(most) = successor.filter(|_| successor != rules.maximum) {
        text.push_str(&format!("; the successor route takes {most} at most"));
    }
    with_rules(&text, rules)
}

pub(super) fn negative_prompt() -> String {
    let rules = &video_reference_request::NEGATIVE_PROMPT;
    with_rules("What to keep out of the video", rules)
}

pub(super) fn tier() -> String {
    format!(
        "Quality tier, which decides the price [default: {}]",
        Tier::default()
    )
}

/// The text, followed by the rules of the field in brackets.
fn with_rules(text: &str, rules: &Field) -> String {
    let allowed = [
        values(rules.values),
        rules
            .max_length
            .map(|most| format!("at most {most} characters")),
        range(Span {
            minimum: rules.minimum,
            maximum: rules.maximum,
        }),
        rules.max_items.map(|most| format!("at most {most}")),
        rules.media.as_ref().map(media),
    ];
    let mut text = text.to_owned();
    for allowed in allowed.into_iter().flatten() {
        text.push_str(&format!(" [{allowed}]"));
    }
    if let Some(default) = rules.default {
        text.push_str(&format!(" [default: {default}]"));
    }
    text
}

/// Whole numbers without a gap as a range, anything else as a list.
fn values(values: &[&str]) -> Option<String> {
    let numbers: Option<Vec<u32>> = values.iter().map(|value| value.parse().ok()).collect();
    let first = numbers.as_deref().and_then(<[u32]>::first);
    let last = numbers.as_deref().and_then(<[u32]>::last);
    match (first, last, &numbers) {
        _ if values.is_empty() => None,
        (Some(first), Some(last), Some(numbers))
            if (*first..=*last).eq(numbers.iter().copied()) =>
        {
            Some(format!("{first} to {last}"))
        }
        _ => Some(values.join(", ")),
    }
}

fn range(span: Span) -> Option<String> {
    match (span.minimum, span.maximum) {
        (Some(least), Some(most)) => Some(format!("{least} to {most}")),
        (Some(least), None) => Some(format!("at least {least}")),
        (None, Some(most)) => Some(format!("at most {most}")),
        (None, None) => None,
    }
}

fn media(media: &Media) -> String {
    let unit = |span, unit: &str| range(span).map(|range| format!("{range} {unit}"));
    let formats = match media.formats {
        [] => None,
        [only] => Some((*only).to_owned()),
        [first @ .., last] => Some(format!("{} or {last}", first.join(", "))),
    };
    [
        formats,
        unit(media.seconds, "s"),
        unit(media.pixels, "px"),
        unit(media.frames_per_second, "fps"),
        unit(media.megabytes, "MB"),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>()
    .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_read_well() {
        for (list, shown) in [
            (&["3", "4", "5"][..], Some("3 to 5")),
            (&["3", "5"], Some("3, 5")),
            (&["7"], Some("7 to 7")),
            (&["auto", "1:1"], Some("auto, 1:1")),
            (&[], None),
        ] {
            assert_eq!(values(list).as_deref(), shown);
        }
        for (minimum, maximum, shown) in [
            (Some(0.0), Some(2.0), Some("0 to 2")),
            (Some(0.5), None, Some("at least 0.5")),
            (None, Some(10.0), Some("at most 10")),
            (None, None, None),
        ] {
            assert_eq!(range(Span { minimum, maximum }).as_deref(), shown);
        }
    }
}
