//! The rules of the API's document, looked up field by field in the body of a request.

use kling_omni_api::Field;
use serde_json::Value;
use url::Url;

use crate::media_field::MediaField;
use crate::redact::{RedactedUrl, printable};
use crate::request::fields::{Fields, RequestJson};
use crate::route::{CreateRoute, Route};
use crate::validation::{Actual, Finding, FindingCode, Limit};

/// Checks a request against the route of its tier that it fits best, since the route is not chosen yet, and looks for
/// likely mistakes. Errors come first. Beside the findings, it gives the routes whose rules are all kept.
pub(super) fn at_build<F: Fields>(
    fields: &F,
    json: &RequestJson,
) -> (Vec<Finding>, Vec<CreateRoute>) {
    let routes = Route::Auto.plan(F::MODE, fields.tier().unwrap_or_default(), &[]);
    let mut passed = Vec::new();
    let best = routes
        .iter()
        .map(|route| (*route, against(fields, json, *route)))
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
    each_field(route.limits(), json.body(), "", &mut |rules, at, value| {
        findings.extend(value.and_then(|value| unlikely_format(rules, at, value)));
    });
    (findings, passed)
}

/// Checks a request against every rule of one route.
pub(super) fn against(
    fields: &impl Fields,
    json: &RequestJson,
    route: CreateRoute,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let local = json.local_paths();
    each_field(route.limits(), json.body(), "", &mut |rules, at, value| {
        // A file on this machine has no URL yet that could be wrong.
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
            format!("is not a field of the route {route}, which would ignore it"),
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
            format!("the {tier} tier does not exist on the route {route}"),
        ));
    }
    findings
}

/// Visits everything that there are rules for, in lists and in objects, too: with its path, and its value if it is set.
fn each_field(
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
        each_value(rules, &at, object.get(rules.name), visit);
    }
}

fn each_value(
    rules: &Field,
    at: &str,
    value: Option<&Value>,
    visit: &mut impl FnMut(&Field, &str, Option<&Value>),
) {
    visit(rules, at, value);
    match (value, rules.items) {
        (Some(Value::Array(items)), Some(rules)) => {
            for (index, item) in items.iter().enumerate() {
                each_value(rules, &format!("{at}[{index}]"), Some(item), visit);
            }
        }
        (Some(object @ Value::Object(_)), _) => each_field(rules.fields, object, at, visit),
        _ => {}
    }
}

/// Visits every member of an object, and of the objects in it, that there are no rules for. The service ignores such a
/// field, and makes and charges another video than the one that was asked for.
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
            visit(&at, shown(value));
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

/// What a finding may show of a value without rules: a text may be a URL with a token.
fn shown(value: &Value) -> Actual {
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
    if let Some((end, limit, words)) = outside(range, characters as f64, "are") {
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
            "the service has to reach it"
        } else {
            FETCHES
        };
        findings.extend(check_url(at, text, need));
    }
    findings
}

const FETCHES: &str = "the service fetches the file itself";

/// What keeps a text from being the URL of an image or a video.
pub(crate) fn check_media_url(field: MediaField, text: &str) -> Option<Finding> {
    check_url(&field.to_string(), text, FETCHES)
}

/// What to do about a text that is meant as a file.
fn as_path(text: &str) -> Option<String> {
    let is_url = text.contains("://") || text.to_ascii_lowercase().starts_with("http");
    let is_name = !text.is_empty() && !is_url;
    is_name.then(|| {
        let name = printable(text);
        format!("a text is a URL; give a file on this machine as a path: Path::new({name:?})")
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
            format!("{reason}: {}; {need}", RedactedUrl(text)),
        )
        .with_help(as_path(text).filter(|_| need == FETCHES)),
    )
}

/// What keeps a text from being an absolute http(s) URL that can be sent as it stands.
///
/// The lenient parser mends blanks and umlauts on the way; the service need not, so the strict one has the last word.
fn url_problem(text: &str) -> Option<&'static str> {
    let lenient = Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some());
    if !lenient {
        return Some("is no absolute http or https URL");
    }
    match fluent_uri::Uri::parse(text) {
        Err(_) => Some("has characters that a URL has to escape"),
        // The lenient parser reads a host into `https:/h` and `https:h`, too.
        Ok(uri) if uri.authority().is_none_or(|host| host.host().is_empty()) => {
            Some("has no // and host after its scheme")
        }
        Ok(_) => None,
    }
}

fn check_number(rules: &Field, at: &str, number: f64) -> Option<Finding> {
    let (end, limit, words) = outside([rules.minimum, rules.maximum], number, "is")?;
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
    let (end, limit, words) = outside(range, items as f64, "are")?;
    Some(Finding::new(
        [FindingCode::TooFewItems, FindingCode::TooManyItems][end],
        at,
        Some(limit),
        Actual::Items(items),
        format!("has {items} items, {words}"),
    ))
}

/// The end of a range that a value is beyond, by its index, as a limit and in words.
fn outside(range: [Option<f64>; 2], value: f64, verb: &str) -> Option<(usize, Limit, String)> {
    let [least, most] = range;
    if let Some(least) = least.filter(|least| value < *least) {
        let words = format!("at least {least} {verb} needed");
        return Some((0, Limit::AtLeast(least), words));
    }
    let most = most.filter(|most| value > *most)?;
    let words = format!("at most {most} {verb} allowed");
    Some((1, Limit::AtMost(most), words))
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
        format!("is {choice}, allowed are {allowed}"),
    ))
}

/// The values in words; numbers in a row are named by their ends.
fn allowed(values: &[&str]) -> String {
    let numbers: Option<Vec<i64>> = values.iter().map(|value| value.parse().ok()).collect();
    match numbers.as_deref() {
        Some([first, .., last]) if *last - *first == values.len() as i64 - 1 => {
            format!("{first} to {last}")
        }
        _ => values.join(", "),
    }
}

fn unlikely_format(rules: &Field, at: &str, value: &Value) -> Option<Finding> {
    let media = rules.media?;
    let url = Url::parse(value.as_str()?).ok()?;
    let (_, extension) = url.path_segments()?.next_back()?.rsplit_once('.')?;
    let extension = extension.to_ascii_lowercase();
    // A version number or an id may follow a dot, too: only what looks like a file extension is judged.
    let looks_like_one = (2..=4).contains(&extension.len())
        && extension.starts_with(|c: char| c.is_ascii_alphabetic());
    if !looks_like_one || media.formats.contains(&extension.as_str()) {
        return None;
    }
    let allowed = media.formats.join(", ");
    Some(Finding::new(
        FindingCode::UnsupportedExtension,
        at,
        Some(Limit::OneOf(media.formats.to_vec())),
        Actual::Value(extension.clone()),
        format!("ends in .{extension}, the service takes {allowed}"),
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unknown_fields_are_found_at_every_depth() {
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
