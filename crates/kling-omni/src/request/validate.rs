use kling_omni_api::Field;
use url::Url;

use super::aspect_ratio::AspectRatio;
use super::fields::{Fields, Value};
use super::finding::{Finding, FindingCode, Given, Limit};
use crate::redact::BareUrl;
use crate::route::{CreateRoute, Route};

/// How the prompt calls the reference video.
const REFERENCE: &str = "@Video1";

/// Holds a request against the route of its tier that it fits best, since the route is not chosen yet, and looks for
/// likely mistakes. Errors come first.
pub(super) fn at_build(fields: &Fields) -> Vec<Finding> {
    let routes = Route::Auto.plan(fields.tier.unwrap_or_default(), false);
    let best = routes
        .iter()
        .map(|route| (*route, against(fields, *route)))
        .min_by_key(|(_, findings)| findings.len());
    let Some((route, mut findings)) = best else {
        return Vec::new();
    };
    findings.extend(likely_mistakes(fields, route));
    findings
}

/// Holds a request against every rule that the spec has for one route.
pub(super) fn against(fields: &Fields, route: CreateRoute) -> Vec<Finding> {
    let mut findings: Vec<_> = route
        .limits()
        .iter()
        .flat_map(|rules| check(rules, fields.value(rules.name)))
        .collect();
    let tier = fields.tier.unwrap_or_default();
    if tier != route.tier() {
        findings.push(Finding::new(
            FindingCode::TierNotOnRoute,
            "tier",
            Some(Limit::OneOf(vec![route.tier().as_str()])),
            Given::Value(tier.to_string()),
            format!("the {tier} tier does not exist on the route {route}"),
        ));
    }
    findings
}

fn check(rules: &Field, value: Option<Value<'_>>) -> Vec<Finding> {
    match value {
        None if rules.required => vec![Finding::new(
            FindingCode::Missing,
            rules.name,
            None,
            Given::Nothing,
            "is required and not set".to_owned(),
        )],
        None => Vec::new(),
        Some(Value::Text(text)) => check_text(rules, text),
        Some(Value::Number(number)) => check_number(rules, number).into_iter().collect(),
        Some(Value::Choice(choice)) => check_choice(rules, choice).into_iter().collect(),
    }
}

fn check_text(rules: &Field, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let characters = text.chars().count();
    if let Some(least) = rules.min_length.filter(|least| characters < *least) {
        findings.push(Finding::new(
            FindingCode::TooShort,
            rules.name,
            Some(Limit::AtLeast(least as f64)),
            Given::Characters(characters),
            format!("has {characters} characters, at least {least} are needed"),
        ));
    }
    if let Some(most) = rules.max_length.filter(|most| characters > *most) {
        findings.push(Finding::new(
            FindingCode::TooLong,
            rules.name,
            Some(Limit::AtMost(most as f64)),
            Given::Characters(characters),
            format!("has {characters} characters, at most {most} are allowed"),
        ));
    }
    if rules.format == Some("uri")
        && let Some(why) = url_problem(text)
    {
        let need = if rules.media.is_some() {
            "the service fetches the file itself"
        } else {
            "the service has to reach it"
        };
        findings.push(Finding::new(
            FindingCode::NotAbsoluteUrl,
            rules.name,
            None,
            Given::Url(BareUrl(text).to_string()),
            format!("{why}: {}; {need}", BareUrl(text)),
        ));
    }
    findings
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

fn check_number(rules: &Field, number: f64) -> Option<Finding> {
    let given = Given::Number(number.to_string());
    let (code, limit, message) = if !number.is_finite() {
        let message = format!("is {number}, which is no number that can be sent");
        (FindingCode::NotFinite, None, message)
    } else if let Some(least) = rules.minimum.filter(|least| number < *least) {
        let message = format!("is {number}, at least {least} is needed");
        (
            FindingCode::BelowMinimum,
            Some(Limit::AtLeast(least)),
            message,
        )
    } else if let Some(most) = rules.maximum.filter(|most| number > *most) {
        let message = format!("is {number}, at most {most} is allowed");
        (
            FindingCode::AboveMaximum,
            Some(Limit::AtMost(most)),
            message,
        )
    } else {
        return None;
    };
    Some(Finding::new(code, rules.name, limit, given, message))
}

fn check_choice(rules: &Field, choice: String) -> Option<Finding> {
    if rules.values.is_empty() || rules.values.contains(&choice.as_str()) {
        return None;
    }
    let allowed = allowed(rules.values);
    Some(Finding::new(
        FindingCode::NotAllowed,
        rules.name,
        Some(Limit::OneOf(rules.values.to_vec())),
        Given::Value(choice.clone()),
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

fn likely_mistakes(fields: &Fields, route: CreateRoute) -> Vec<Finding> {
    let mut findings = Vec::new();
    prompt_mistakes(fields, &mut findings);
    findings.extend(
        route
            .limits()
            .iter()
            .filter_map(|rules| unlikely_format(rules, fields.value(rules.name)?)),
    );
    if route == CreateRoute::VideoReferencePro {
        findings.extend(refused_by_successor(fields));
    }
    if fields.aspect_ratio == Some(AspectRatio::Auto)
        && fields.video_url.is_none()
        && fields.image_url.is_none()
    {
        findings.push(Finding::new(
            FindingCode::NothingToFollow,
            "aspect_ratio",
            None,
            Given::Value(AspectRatio::Auto.to_string()),
            "is auto, and there is neither a reference video nor a start frame to follow"
                .to_owned(),
        ));
    }
    findings
}

/// What the older route takes and its successor does not.
fn refused_by_successor(fields: &Fields) -> impl Iterator<Item = Finding> {
    let here = against(fields, CreateRoute::VideoReferencePro);
    against(fields, CreateRoute::ReferenceToVideoPro)
        .into_iter()
        .filter(move |finding| !here.iter().any(|known| known.field() == finding.field()))
        .map(|finding| {
            Finding::new(
                FindingCode::SuccessorRefuses,
                finding.field(),
                finding.limit().cloned(),
                finding.given().clone(),
                format!(
                    "would be refused by the older route's successor: {}",
                    finding.message()
                ),
            )
        })
}

fn prompt_mistakes(fields: &Fields, findings: &mut Vec<Finding>) {
    let mut warn = |code, given, message: String| {
        findings.push(Finding::new(code, "prompt", None, given, message));
    };
    let prompt = fields.prompt.as_deref().unwrap_or_default();
    if prompt.trim().is_empty() {
        warn(
            FindingCode::NoPrompt,
            Given::Nothing,
            "is empty; the service is left to guess what the video shows".to_owned(),
        );
        return;
    }
    let mentions = mentions(prompt);
    if fields.video_url.is_some() && !mentions.contains(&REFERENCE) {
        warn(
            FindingCode::ReferenceNotMentioned,
            Given::Characters(prompt.chars().count()),
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
            Given::Value(mention.to_owned()),
            message,
        );
    }
}

/// Everything in the prompt that looks like a mention of a reference video, whatever its case. A mention is a word of its
/// own: `me@video.example` and `@Videography` are none.
fn mentions(prompt: &str) -> Vec<&str> {
    const WORD: &str = "@video";
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut before = None;
    prompt
        .char_indices()
        .filter_map(|(at, c)| {
            let alone = !before.replace(c).is_some_and(is_part);
            let rest = &prompt[at..];
            let word = rest.get(..WORD.len())?;
            if c != '@' || !alone || !word.eq_ignore_ascii_case(WORD) {
                return None;
            }
            let end = rest[1..]
                .find(|c| !is_part(c))
                .map_or(rest.len(), |end| end + 1);
            let number = &rest[WORD.len()..end];
            number
                .chars()
                .all(|c| c.is_ascii_digit())
                .then(|| &rest[..end.min(WORD.len() + 9)])
        })
        .collect()
}

fn unlikely_format(rules: &Field, value: Value<'_>) -> Option<Finding> {
    let (media, Value::Text(text)) = (rules.media?, value) else {
        return None;
    };
    let url = Url::parse(text).ok()?;
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
        FindingCode::UnlikelyFormat,
        rules.name,
        Some(Limit::OneOf(media.formats.to_vec())),
        Given::Value(extension.clone()),
        format!("ends in .{extension}, the service takes {allowed}"),
    ))
}
