//! Help texts of the request options. All limits in them come from the document.

use kling_omni::Tier;
use kling_omni::request::{FieldKind, RequestType};
use kling_omni_api::{Field, Span};

pub(super) fn mode() -> String {
    let modes: Vec<_> = RequestType::by_preference()
        .map(|one| one.mode.as_str())
        .collect();
    format!(
        "What the video is made from [default: the first of {} that has all given options]",
        modes.join(", ")
    )
}

/// Returns the heading above the options of one request type.
pub(super) fn heading(request: &RequestType) -> String {
    format!("From {}", request.source)
}

pub(super) fn tier() -> String {
    format!(
        "Quality tier, which determines the price [default: {}]",
        Tier::default()
    )
}

/// Appends the limits of a field in brackets, by request type where they differ.
pub(super) fn with_limits(
    text: &str,
    kind: FieldKind,
    types: &[(&RequestType, Vec<&Field>)],
) -> String {
    // The parser of a choice lists the values itself.
    let has_choice = matches!(kind, FieldKind::Choice(_));
    let limits: Vec<_> = types
        .iter()
        .map(|(request, routes)| (request.source, limits_of(routes, has_choice)))
        .collect();
    let mut text = text.to_owned();
    for index in 0..KINDS {
        let of_types: Vec<_> = limits
            .iter()
            .map(|(source, all)| (source, &all[index]))
            .collect();
        let is_same = of_types.iter().all(|(_, limit)| *limit == of_types[0].1);
        let shown: Vec<_> = of_types
            .iter()
            .filter_map(|(source, limit)| {
                let limit = (*limit).clone()?;
                Some(match is_same {
                    true => limit,
                    false => format!("{limit} from {source}"),
                })
            })
            .collect();
        let shown = if is_same {
            &shown[..shown.len().min(1)]
        } else {
            &shown
        };
        if !shown.is_empty() {
            text.push_str(&format!(" [{}]", shown.join(", ")));
        }
    }
    text
}

/// The number of kinds of limits. Each has its own brackets.
const KINDS: usize = 7;

/// Returns the limits of a field in one mode. A different limit of another route follows that of the preferred route.
fn limits_of(routes: &[&Field], has_choice: bool) -> [Option<String>; KINDS] {
    let of_routes = |limit: &dyn Fn(&Field) -> Option<String>| {
        let mut limits = routes.iter().filter_map(|field| limit(field));
        let first = limits.next()?;
        let others = limits.filter(|other| *other != first);
        let others: String = others
            .map(|other| format!(", {other} on the successor route"))
            .collect();
        Some(first + &others)
    };
    let media: Vec<_> = [
        of_routes(&|field| formats(field.media?.formats)),
        of_routes(&|field| in_units(field.media?.seconds, "s")),
        of_routes(&|field| in_units(field.media?.pixels, "px")),
        of_routes(&|field| in_units(field.media?.frames_per_second, "fps")),
        of_routes(&|field| in_units(field.media?.megabytes, "MB")),
    ]
    .into_iter()
    .flatten()
    .collect();
    [
        of_routes(&|field| values(field.values).filter(|_| !has_choice)),
        of_routes(&|field| Some(format!("at most {} characters", field.max_length?))),
        of_routes(&|field| {
            range(Span {
                minimum: field.minimum,
                maximum: field.maximum,
            })
        }),
        of_routes(&|field| Some(format!("at most {}", field.max_items?))),
        (!media.is_empty()).then(|| media.join(", ")),
        of_routes(&|field| output_seconds(field.output_seconds)),
        of_routes(&|field| Some(format!("default: {}", field.default?))),
    ]
}

/// Formats consecutive integers as a range, and other values as a list.
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

fn in_units(span: Span, unit: &str) -> Option<String> {
    range(span).map(|range| format!("{range} {unit}"))
}

/// Formats the range of video durations for each value.
fn output_seconds(values: &[(&str, Span)]) -> Option<String> {
    let limited = values.iter().filter_map(|(value, span)| {
        let seconds = in_units(*span, "s")?;
        Some(format!("with {value} a video of {seconds}"))
    });
    let limited: Vec<_> = limited.collect();
    (!limited.is_empty()).then(|| limited.join(", "))
}

fn formats(formats: &[&str]) -> Option<String> {
    match formats {
        [] => None,
        [only] => Some((*only).to_owned()),
        [first @ .., last] => Some(format!("{} or {last}", first.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use kling_omni::Mode;

    use super::*;

    #[test]
    fn values_and_ranges_are_formatted() {
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

    #[test]
    fn limits_are_listed_by_mode_where_they_differ() {
        let long = |most| Field {
            max_length: Some(most),
            ..Field::named("prompt")
        };
        let scale = |most| Field {
            minimum: Some(0.0),
            maximum: Some(most),
            ..Field::named("cfg_scale")
        };
        let free = Field::named("prompt");
        let (shorter, longer) = (long(2500), long(3000));
        let (low, high) = (scale(1.0), scale(2.0));
        let reference =
            |fields: &[&'static Field]| (RequestType::for_mode(Mode::Reference), fields.to_vec());
        let text = |fields: &[&'static Field]| (RequestType::for_mode(Mode::Text), fields.to_vec());
        let leak = |field: Field| -> &'static Field { Box::leak(Box::new(field)) };
        let [shorter, longer, low, high, free] = [shorter, longer, low, high, free].map(leak);
        for (modes, shown) in [
            (vec![text(&[shorter])], "P [at most 2500 characters]"),
            (
                vec![reference(&[shorter, shorter]), text(&[shorter])],
                "P [at most 2500 characters]",
            ),
            (
                vec![reference(&[longer, longer]), text(&[shorter])],
                "P [at most 3000 characters from a reference video, at most 2500 characters from text and images]",
            ),
            (
                vec![reference(&[free, free]), text(&[shorter])],
                "P [at most 2500 characters from text and images]",
            ),
            (
                vec![reference(&[high, low])],
                "P [0 to 2, 0 to 1 on the successor route]",
            ),
            (vec![reference(&[free, low])], "P [0 to 1]"),
            (vec![text(&[free])], "P"),
        ] {
            assert_eq!(with_limits("P", FieldKind::Text, &modes), shown);
        }
    }
}
