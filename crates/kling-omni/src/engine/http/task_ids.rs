//! The task ids in the response to a create, whatever its shape.

use http::HeaderMap;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::engine::task_id::TaskId;

const KEY: &str = "task_id";
const QUOTED_KEY: &[u8] = b"\"task_id\"";
/// More ids than this do not help to find the right one.
const MAX_IDS: usize = 20;
/// The maximum nesting of JSON in strings of JSON.
const MAX_NESTING: u32 = 4;

/// Returns the distinct ids that a response gives tasks, in the order of their appearance, at most 20. The response may be
/// incomplete, and need not be JSON as a whole.
///
/// The response is searched twice. The text has what a parser hides: the first of two equal keys, and an id before the
/// point where the response breaks off. The parser finds what the text hides: escaped keys, and JSON in strings.
pub(crate) fn named_tasks(response: &[u8]) -> Vec<String> {
    let mut ids = Ids::default();
    ids.search_text(response);
    if let Ok(value) = serde_json::from_slice(response) {
        ids.search_value(&value, MAX_NESTING);
    }
    ids.0
}

/// Counts the ids that a JSON text gives tasks, at any depth. A parser hides the first of two equal keys.
pub(crate) fn count(json: &[u8]) -> usize {
    let mut rest = json;
    let mut count = 0;
    while let Some(at) = find(rest, QUOTED_KEY) {
        rest = &rest[at + QUOTED_KEY.len()..];
        count += usize::from(rest.trim_ascii_start().starts_with(b":"));
    }
    count
}

#[derive(Default)]
struct Ids(Vec<String>);

impl Ids {
    fn add(&mut self, id: String) {
        if self.0.len() < MAX_IDS && TaskId::is_valid(&id) && !self.0.contains(&id) {
            self.0.push(id);
        }
    }

    fn search_text(&mut self, text: &[u8]) {
        let mut rest = text;
        while let Some(at) = find(rest, QUOTED_KEY) {
            let is_escaped = rest[..at].ends_with(b"\\");
            rest = &rest[at + QUOTED_KEY.len()..];
            if let Some(value) = rest.trim_ascii_start().strip_prefix(b":")
                && !is_escaped
                && let Some(id) = scalar(value.trim_ascii_start())
            {
                self.add(id);
            }
        }
    }

    fn search_value(&mut self, value: &Value, depth: u32) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value {
                        Value::String(id) if is_key(name) => self.add(id.clone()),
                        Value::Number(id) if is_key(name) && !id.is_f64() => {
                            self.add(id.to_string())
                        }
                        value => self.search_value(value, depth),
                    }
                }
            }
            Value::Array(values) => values
                .iter()
                .for_each(|value| self.search_value(value, depth)),
            Value::String(text) if depth > 0 && text.contains(KEY) => {
                let nested = serde_json::from_str(text);
                if let Ok(nested @ (Value::Object(_) | Value::Array(_))) = nested {
                    self.search_text(text.as_bytes());
                    self.search_value(&nested, depth - 1);
                }
            }
            _ => {}
        }
    }
}

/// Whether a field has the id of a task, in any spelling of its name.
fn is_key(name: &str) -> bool {
    let letters = name.bytes().filter(u8::is_ascii_alphanumeric);
    letters.map(|byte| byte.to_ascii_lowercase()).eq(*b"taskid")
}

/// Returns the ids that the headers of a response may give a task: a header of that name, or the last segment of a location.
pub(crate) fn hinted_tasks(headers: &HeaderMap) -> Vec<String> {
    let mut ids = Ids::default();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let name = name.as_str();
        if is_key(name.strip_prefix("x-").unwrap_or(name)) {
            ids.add(value.trim().to_owned());
        } else if matches!(name, "location" | "content-location") {
            let path = value.split(['?', '#']).next().unwrap_or_default();
            let last = path.trim().rsplit('/').next().unwrap_or_default();
            ids.add(percent_decode_str(last).decode_utf8_lossy().into_owned());
        }
    }
    ids.0
}

/// Returns the string or integer at the beginning of a text, if it is complete.
fn scalar(text: &[u8]) -> Option<String> {
    if let Some(inside) = text.strip_prefix(b"\"") {
        let mut strings = serde_json::Deserializer::from_slice(text).into_iter();
        return strings.next()?.ok().or_else(|| raw_string(inside));
    }
    let end = text.iter().position(|byte| !byte.is_ascii_digit())?;
    // A fraction or an exponent is not an id, and neither is a number that may be truncated.
    let is_whole = matches!(text[end], b',' | b'}' | b']') || text[end].is_ascii_whitespace();
    let digits = std::str::from_utf8(&text[..end]).ok()?;
    (is_whole && end > 0).then(|| digits.to_owned())
}

/// Returns a string that JSON does not allow, such as one with a bare control character. Without it, another id could look
/// like the only one.
fn raw_string(inside: &[u8]) -> Option<String> {
    let is_end = |at: &usize| inside[*at] == b'"' && !inside[..*at].ends_with(b"\\");
    let end = (0..inside.len()).find(is_end)?;
    Some(String::from_utf8_lossy(&inside[..end]).into_owned())
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_tasks_finds_every_id() {
        for (response, expected) in [
            (
                r#"{"data":{"task_id":"a-1","status":"CREATED"}}"#,
                &["a-1"][..],
            ),
            (r#"{"task_id":"a"}"#, &["a"]),
            (r#"{"task_id" : 17 }"#, &["17"]),
            (r#"{"task_id":17"#, &[]),
            (r#"{"task_id":1.5}"#, &[]),
            (
                r#"{"data":{"status":7,"x":[{"task_id":"b"}],"task_id":"a"}}"#,
                &["b", "a"],
            ),
            (r#"{"data":{"task_id":"a","task_id":"b"}}"#, &["a", "b"]),
            (r#"{"data":{"task_id":"a","sta"#, &["a"]),
            (r#"{"data":{"task_id":"a""#, &["a"]),
            (r#"{"data":{"task_id":"a"#, &[]),
            (r#"{"data":{"task_id":"a"}} and more"#, &["a"]),
            (r#"{"data":{"task_id":"../a"}}"#, &["../a"]),
            (r#"{"data":{"task_id":"a\nb"}}"#, &["a\nb"]),
            (r#"{"data":{"task_id":""}}"#, &[]),
            (r#"{"data":{"task_id":null}}"#, &[]),
            (r#"{"data":{"data":{"task_id":"a"}}}"#, &["a"]),
            (r#"{"data":[{"task_id":"a"}]}"#, &["a"]),
            (r#"{"result":{"task":{"task_id":"a"}}}"#, &["a"]),
            (r#"{"task\u005fid":"a"}"#, &["a"]),
            (r#"{"data":{"taskId":"a"}}"#, &["a"]),
            (r#"{"Task-ID":17}"#, &["17"]),
            (r#"{"body":"{\"data\":{\"task_id\":\"a\"}}"}"#, &["a"]),
            ("cb({\"data\":{\"task_id\":\"a\"}});", &["a"]),
            ("data: {\"task_id\":\"a\"}\n\n", &["a"]),
            (r#"{"message":"task_id"}"#, &[]),
            (r#"{"message":"no \"task_id\": \"x\" given"}"#, &[]),
            (r#"{"xtask_id":"a"}"#, &[]),
            (r#"["task_id","a"]"#, &[]),
            ("{\"task_id\":\"a\u{1b}b\"}", &["a\u{1b}b"]),
            (
                "[{\"task_id\":\"a\"},{\"task_id\":\"b\nc\"}]",
                &["a", "b\nc"],
            ),
            (r#"{"task_id":"\ud800"}"#, &[r"\ud800"]),
            ("<html>", &[]),
            ("", &[]),
        ] {
            assert_eq!(named_tasks(response.as_bytes()), expected, "{response}");
        }
    }

    #[test]
    fn hinted_tasks_reads_headers() {
        for (name, value, expected) in [
            (
                "location",
                "/v1/ai/video/kling-v3-omni/a%2Eb?x=/y",
                &["a.b"][..],
            ),
            ("content-location", "https://h.example/tasks/a", &["a"]),
            ("location", "https://h.example/tasks/", &[]),
            ("x-task-id", "a", &["a"]),
            ("task-id", "a", &["a"]),
            ("x-request-id", "a", &[]),
        ] {
            let headers = HeaderMap::from_iter([(
                http::HeaderName::from_static(name),
                http::HeaderValue::from_static(value),
            )]);
            assert_eq!(hinted_tasks(&headers), expected, "{name}: {value}");
        }
    }

    #[test]
    fn named_tasks_is_bounded() {
        let long = format!(r#"{{"task_id":"{}"}}"#, "a".repeat(5_000));
        assert!(named_tasks(long.as_bytes()).is_empty());
        let many: String = (0..100)
            .map(|id| format!(r#"{{"task_id":"{id}"}}"#))
            .collect();
        assert_eq!(named_tasks(many.as_bytes()).len(), MAX_IDS);
    }
}
