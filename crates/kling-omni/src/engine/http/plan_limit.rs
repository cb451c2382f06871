//! Whether a 429 reports the limit of a trial or a plan, for which waiting does not help.

use serde_json::Value;

/// The maximum number of bytes of a body that are searched.
const MAX_SEARCHED: usize = 64 * 1024;

/// Phrases that mean a plan limit in any text, except with [`SOON`].
const CERTAIN: &[&str] = &[
    "free trial",
    "trial usage",
    "trial limit",
    "trial quota",
    "trial credit",
    "trial account",
    "trial period",
    "trial plan",
    "trial has",
    "trial is",
    "trial ended",
    "trial expired",
    "out of credit",
    "no credit",
    "no more credit",
    "no remaining credit",
    "not enough credit",
    "insufficient credit",
    "insufficient balance",
    "insufficient fund",
    "insufficient quota",
    "credit limit",
    "credits exhausted",
    "credits have been used",
    "used all your credit",
    "used up your credit",
    "run out of",
    "monthly limit",
    "monthly quota",
    "monthly usage",
];

/// Phrases that mean a plan limit in a text without the words of a [rate limit](RATE).
const LIKELY: &[&str] = &[
    "usage limit",
    "usage cap",
    "upgrade",
    "quota exceeded",
    "exceeded your quota",
    "exceeded your current quota",
    "exceeded the quota",
    "quota has been",
    "quota reached",
    "quota is exhausted",
    "plan limit",
    "plan's limit",
    "limit of your plan",
    "limits of your plan",
    "your current plan",
    "your plan does not",
    "your subscription",
    "billing",
    "free tier",
    "free plan",
    "daily limit",
    "daily quota",
];

/// Words of a rate limit.
const RATE: &[&str] = &[
    "rate limit",
    "rate-limit",
    "ratelimit",
    "too many requests",
    "too many tasks",
    "slow down",
    "try again in",
    "retry after",
    "retry in",
    "throttl",
];

/// Words of a limit that recovers within minutes.
const SOON: &[&str] = &[
    "per second",
    "per minute",
    "per min",
    "a second",
    "a minute",
    "/second",
    "/sec",
    "/minute",
    "/min",
    "requests/",
    "concurren",
    "simultaneous",
    "in parallel",
    "at the same time",
];

/// Whether a body, JSON of any shape or plain text, reports a plan limit.
pub(crate) fn is_reported(body: &[u8]) -> bool {
    let body = &body[..body.len().min(MAX_SEARCHED)];
    let mut texts = Vec::new();
    match serde_json::from_slice(body) {
        Ok(json) => collect(json, &mut texts),
        Err(_) => texts.push(String::from_utf8_lossy(body).into_owned()),
    }
    let texts: Vec<String> = texts.iter().map(|text| normalize(text)).collect();
    let has = |text: &str, phrases: &[&str]| phrases.iter().any(|phrase| text.contains(phrase));
    !texts.iter().any(|text| has(text, SOON))
        && texts
            .iter()
            .any(|text| has(text, CERTAIN) || has(text, LIKELY) && !has(text, RATE))
}

fn collect(json: Value, texts: &mut Vec<String>) {
    match json {
        Value::String(text) => texts.push(text),
        Value::Array(values) => values.into_iter().for_each(|value| collect(value, texts)),
        Value::Object(fields) => fields
            .into_iter()
            .for_each(|(_, value)| collect(value, texts)),
        _ => {}
    }
}

/// Converts a text to lower case with single spaces. Codes are split into words, too: `QUOTA_EXCEEDED`, `QuotaExceeded`.
fn normalize(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut before = ' ';
    for c in text.chars() {
        if before.is_lowercase() && c.is_uppercase() {
            plain.push(' ');
        }
        before = c;
        match c {
            '_' => plain.push(' '),
            '’' => plain.push('\''),
            c => plain.extend(c.to_lowercase()),
        }
    }
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plan_limits_differ_from_rate_limits() {
        for text in [
            "You have reached the usage limit of your free trial",
            "Free  Trial\nusage limit reached. Upgrade your plan to continue.",
            "FREE TRIAL LIMIT REACHED",
            "Trial usage exceeded",
            "Please upgrade to continue",
            "Usage limit exceeded",
            "Quota exceeded",
            "quota_exceeded",
            "QuotaExceeded",
            "insufficient_quota",
            "You are out of credits",
            "Not enough credits",
            "You exceeded your current quota, please check your plan and billing details",
            "Monthly limit reached",
            "Free tier exhausted",
            "You've hit your plan’s limit",
            "Rate limit: your free trial has ended",
        ] {
            let escaped = serde_json::to_string(text).unwrap();
            for body in [
                format!(r#"{{"message":{escaped}}}"#),
                format!(r#"{{"problem":{{"message":{escaped},"invalid_params":[]}}}}"#),
                format!(r#"{{"message":"Too Many Requests","detail":{escaped}}}"#),
                format!(r#"{{"error":{escaped}}}"#),
                format!(r#"{{"error":{{"code":429,"message":{escaped}}}}}"#),
                format!(r#"{{"errors":[{{"message":{escaped}}}]}}"#),
                escaped.clone(),
                text.to_owned(),
                format!("\u{feff}{{\"message\":{escaped}}}"),
                format!("<html><h1>{text}</h1></html>"),
            ] {
                assert!(is_reported(body.as_bytes()), "{body}");
            }
        }
        for text in [
            "",
            "Too Many Requests",
            "Rate limit exceeded",
            "The rate limit is used up; wait for its next window",
            "Rate limit exceeded. Upgrade your plan for higher limits.",
            "rate_limit_exceeded",
            "Quota exceeded for quota metric 'Requests' and limit 'Requests per minute'",
            "The usage limit is 300 requests/min",
            "Free trial accounts may send 10 requests per minute",
            "API rate limit of the free tier exceeded, try again in 20 s",
            "Throttled; upgrade to be faster",
            "3 concurrent tasks are allowed on your current plan",
            "You have 3 tasks running at the same time; upgrade for more",
            "Slow down",
        ] {
            for body in [
                serde_json::json!({ "message": text }).to_string(),
                text.to_owned(),
                format!("<html><title>429 Too Many Requests</title>{text}</html>"),
            ] {
                assert!(!is_reported(body.as_bytes()), "{body}");
            }
        }
    }
}
