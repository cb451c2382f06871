//! Validation of a request body against the limits of the API's document.

use kling_omni_api::Field;
use serde_json::Value;
use url::Url;

use crate::media_field::MediaField;
use crate::redact::{RedactedUrl, printable};
use crate::request::fields::{Fields, RequestJson};
use crate::route::{CreateRoute, Route};
use crate::validation::{Actual, Finding, FindingCode, Limit, must_be_between};

/// Validates a request whose route is not chosen yet: against the route of its tier with the fewest findings. Adds
/// warnings. Returns the findings, errors first, and the routes without findings.
pub(super) fn validate_for_build<F: Fields>(
    fields: &F,
    json: &RequestJson,
) -> (Vec<Finding>, Vec<CreateRoute>) {
    let routes = Route::Auto.routes_to_try(F::MODE, fields.tier().unwrap_or_default(), &[]);
    let mut passed = Vec::new();
    let best = routes
        .iter()
        .map(|route| (*route, validate_for_route(fields, json, *route)))
        .inspect(|(route, findings)| {
            if findings.is_empty() {
                passed.push(*route);
            }
        })
        .min_by_key(|(_, findings)| findings.len());
    let Some((route, mut findings)) = best else {
        return (Vec::new(), passed);
    };
    findings.extend(fields.warnings(json, route));
    visit_fields(route.limits(), json.body(), "", &mut |rules, at, value| {
        findings.extend(value.and_then(|value| unexpected_extension(rules, at, value)));
    });
    (findings, passed)
}

/// Validates a request against every rule of one route.
pub(super) fn validate_for_route(
    fields: &impl Fields,
    json: &RequestJson,
    route: CreateRoute,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let local = json.local_paths();
    visit_fields(route.limits(), json.body(), "", &mut |rules, at, value| {
        // A local file has no URL yet.
        if !local.iter().any(|path| path == at) {
            findings.extend(check(rules, at, value));
        }
    });
    find_unknown(route.limits(), json.body(), "", &mut |at, given| {
        findings.push(Finding::new(
            FindingCode::UnsupportedField,
            at,
            None,
            given,
            format!("is not a field of the route {route}, which ignores it"),
        ));
    });
    findings.extend(fields.errors());
    let tier = fields.tier().unwrap_or_default();
    if tier != route.tier() {
        findings.push(Finding::new(
            FindingCode::UnsupportedTier,
            "tier",
            Some(Limit::OneOf(vec![route.tier().as_str()])),
            Actual::Value(tier.to_string()),
            format!("is {tier}, which the route {route} does not support"),
        ));
    }
    findings
}

/// Visits each field that has rules, including those in lists and objects, with its path and its value if it is set.
fn visit_fields(
    rules: &[Field],
    object: &Value,
    within: &str,
    visit: &mut impl FnMut(&Field, &str, Option<&Value>),
) {
    for rules in rules {
        let at = match within {
            "" => rules.name.to_owned(),
            within => format!("{within}.{}", rules.name),
        };
        visit_value(rules, &at, object.get(rules.name), visit);
    }
}

fn visit_value(
    rules: &Field,
    at: &str,
    value: Option<&Value>,
    visit: &mut impl FnMut(&Field, &str, Option<&Value>),
) {
    visit(rules, at, value);
    match (value, rules.items) {
        (Some(Value::Array(items)), Some(rules)) => {
            for (index, item) in items.iter().enumerate() {
                visit_value(rules, &format!("{at}[{index}]"), Some(item), visit);
            }
        }
        (Some(object @ Value::Object(_)), _) => visit_fields(rules.fields, object, at, visit),
        _ => {}
    }
}

/// Visits each member of an object, and of objects in it, that has no rules. The service ignores such a field, and
/// makes and charges a different video.
fn find_unknown(
    rules: &[Field],
    object: &Value,
    within: &str,
    visit: &mut impl FnMut(&str, Actual),
) {
    for (name, value) in object.as_object().into_iter().flatten() {
        let at = match within {
            "" => name.clone(),
            within => format!("{within}.{name}"),
        };
        let Some(field) = rules.iter().find(|field| field.name == name) else {
            visit(&at, summarize(value));
            continue;
        };
        match (value, field.items) {
            (Value::Array(items), Some(item)) => {
                for (index, value) in items.iter().enumerate() {
                    find_unknown(item.fields, value, &format!("{at}[{index}]"), visit);
                }
            }
            _ => find_unknown(field.fields, value, &at, visit),
        }
    }
}

/// The representation of a value without rules in a finding. It omits text, which may be a URL with a token.
fn summarize(value: &Value) -> Actual {
    match value {
        Value::String(text) => Actual::Characters(text.chars().count()),
        Value::Array(items) => Actual::Items(items.len()),
        Value::Number(number) => Actual::Number(number.to_string()),
        Value::Object(members) => Actual::Items(members.len()),
        Value::Bool(_) | Value::Null => Actual::Value(value.to_string()),
    }
}

fn check(rules: &Field, at: &str, value: Option<&Value>) -> Vec<Finding> {
    match value {
        None if rules.required => vec![Finding::new(
            FindingCode::MissingField,
            at,
            None,
            Actual::Missing,
            "is required and not set".to_owned(),
        )],
        Some(Value::String(choice)) if !rules.values.is_empty() => {
            check_choice(rules, at, choice).into_iter().collect()
        }
        Some(Value::String(text)) => check_text(rules, at, text),
        Some(Value::Number(number)) => number
            .as_f64()
            .and_then(|number| check_number(rules, at, number))
            .into_iter()
            .collect(),
        Some(Value::Array(items)) => check_count(rules, at, items.len()).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn check_text(rules: &Field, at: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let characters = text.chars().count();
    let range = [rules.min_length, rules.max_length].map(|end| end.map(|end| end as f64));
    if let Some((end, limit, words)) = range_violation(range, characters as f64, "are") {
        findings.push(Finding::new(
            [FindingCode::TextTooShort, FindingCode::TextTooLong][end],
            at,
            Some(limit),
            Actual::Characters(characters),
            format!("has {characters} characters, {words}"),
        ));
    }
    if rules.format == Some("uri") {
        let need = if rules.name == "webhook_url" {
            "the service must be able to reach it"
        } else {
            FETCHES
        };
        findings.extend(check_url(at, text, need));
    }
    findings
}

const FETCHES: &str = "the service fetches the file";

/// Checks a string that should be the URL of an image or a video.
pub(crate) fn check_media_url(field: MediaField, text: &str) -> Option<Finding> {
    check_url(&field.to_string(), text, FETCHES)
}

/// The help for a string that is meant as a file.
fn path_help(text: &str) -> Option<String> {
    let is_url = text.contains("://") || text.to_ascii_lowercase().starts_with("http");
    let is_name = !text.is_empty() && !is_url;
    is_name.then(|| {
        let name = printable(text);
        format!("pass a local file as a path: Path::new({name:?})")
    })
}

fn check_url(at: &str, text: &str, need: &str) -> Option<Finding> {
    let reason = url_problem(text)?;
    Some(
        Finding::new(
            FindingCode::InvalidUrl,
            at,
            None,
            Actual::Url(RedactedUrl(text).to_string()),
            format!("{reason}: {} ({need})", RedactedUrl(text)),
        )
        .with_help(path_help(text).filter(|_| need == FETCHES)),
    )
}

/// Why a string is not an absolute http(s) URL that can be sent unchanged.
///
/// The lenient parser fixes spaces and umlauts; the service may not, so the strict parser decides.
fn url_problem(text: &str) -> Option<&'static str> {
    let lenient = Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some());
    if !lenient {
        return Some("is not an absolute http or https URL");
    }
    match fluent_uri::Uri::parse(text) {
        Err(_) => Some("has characters that must be escaped in a URL"),
        // The lenient parser also finds a host in `https:/h` and `https:h`.
        Ok(uri) if uri.authority().is_none_or(|host| host.host().is_empty()) => {
            Some("has no // and host after its scheme")
        }
        Ok(_) => None,
    }
}

fn check_number(rules: &Field, at: &str, number: f64) -> Option<Finding> {
    let (end, limit, words) = range_violation([rules.minimum, rules.maximum], number, "is")?;
    Some(Finding::new(
        [FindingCode::BelowMinimum, FindingCode::AboveMaximum][end],
        at,
        Some(limit),
        Actual::Number(number.to_string()),
        format!("is {number}, {words}"),
    ))
}

fn check_count(rules: &Field, at: &str, items: usize) -> Option<Finding> {
    let range = [rules.min_items, rules.max_items].map(|end| end.map(|end| end as f64));
    let (end, limit, words) = range_violation(range, items as f64, "are")?;
    Some(Finding::new(
        [FindingCode::TooFewItems, FindingCode::TooManyItems][end],
        at,
        Some(limit),
        Actual::Items(items),
        format!("has {items} items, {words}"),
    ))
}

/// The end of a range that a value violates: its index, its limit, and the limit as text.
fn range_violation(
    range: [Option<f64>; 2],
    value: f64,
    verb: &str,
) -> Option<(usize, Limit, String)> {
    let [min, max] = range;
    if let Some(min) = min.filter(|min| value < *min) {
        let words = format!("at least {min} {verb} required");
        return Some((0, Limit::AtLeast(min), words));
    }
    let max = max.filter(|max| value > *max)?;
    let words = format!("at most {max} {verb} allowed");
    Some((1, Limit::AtMost(max), words))
}

fn check_choice(rules: &Field, at: &str, choice: &str) -> Option<Finding> {
    if rules.values.contains(&choice) {
        return None;
    }
    let allowed = allowed(rules.values);
    Some(Finding::new(
        FindingCode::UnsupportedValue,
        at,
        Some(Limit::OneOf(rules.values.to_vec())),
        Actual::Value(choice.to_owned()),
        format!("is {choice}, {allowed}"),
    ))
}

/// Says what a value must be: one of several, or in the range of consecutive numbers.
fn allowed(values: &[&str]) -> String {
    let numbers: Option<Vec<i64>> = values.iter().map(|value| value.parse().ok()).collect();
    match numbers.as_deref() {
        Some([first, .., last]) if *last - *first == values.len() as i64 - 1 => {
            must_be_between(first, last)
        }
        _ => format!("must be one of {}", values.join(", ")),
    }
}

fn unexpected_extension(rules: &Field, at: &str, value: &Value) -> Option<Finding> {
    let media = rules.media?;
    let url = Url::parse(value.as_str()?).ok()?;
    let (_, extension) = url.path_segments()?.next_back()?.rsplit_once('.')?;
    let extension = extension.to_ascii_lowercase();
    // A version number or an id may follow a dot, too: only what looks like a file extension is checked.
    let looks_like_extension = (2..=4).contains(&extension.len())
        && extension.starts_with(|c: char| c.is_ascii_alphabetic());
    if !looks_like_extension || media.formats.contains(&extension.as_str()) {
        return None;
    }
    let allowed = media.formats.join(", ");
    Some(Finding::new(
        FindingCode::UnsupportedExtension,
        at,
        Some(Limit::OneOf(media.formats.to_vec())),
        Actual::Value(extension.clone()),
        format!("ends in .{extension}, the service accepts {allowed}"),
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn find_unknown_visits_every_depth() {
        const IMAGE: Field = Field {
            fields: &[Field::named("frontal_image_url")],
            ..Field::named("elements")
        };
        const RULES: &[Field] = &[
            Field::named("prompt"),
            Field::named("reference_video_url"),
            Field {
                items: Some(&IMAGE),
                ..Field::named("elements")
            },
        ];
        for (body, unknown) in [
            (json!({}), &[][..]),
            (json!({"prompt": "A river"}), &[]),
            (
                json!({"prompt": "A river", "video_url": "https://h.example/a.mp4"}),
                &["video_url"],
            ),
            (
                json!({"elements": [{}, {"frontal_image_url": "a", "main_image_url": "b"}]}),
                &["elements[1].main_image_url"],
            ),
            (
                json!({"seed": 7, "multi_prompt": ["a"]}),
                &["multi_prompt", "seed"],
            ),
            (json!({"prompt": {"text": "A river"}}), &["prompt.text"]),
        ] {
            let mut found = Vec::new();
            find_unknown(RULES, &body, "", &mut |at, _| found.push(at.to_owned()));
            found.sort();
            assert_eq!(found, unknown, "{body}");
        }
    }
}
