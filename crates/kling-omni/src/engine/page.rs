//! A page of a paginated list of tasks, and what its response says about the rest of the list.

use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use crate::engine::state::TaskSummary;

/// One page of a list, with completeness flags.
pub(crate) struct Page {
    pub(crate) tasks: Vec<TaskSummary>,
    /// Whether all ids could be read.
    pub(crate) is_complete: bool,
    /// The announced position and size of the page.
    pub(crate) extent: Extent,
    /// Whether the list exists. The service returns 404 for an account without tasks, and would do so for a removed
    /// route.
    pub(crate) exists: bool,
}

/// What a response says about the extent of its list. The service documents a status of 200 and nothing else. Other fields
/// and headers are read with their usual meaning in other APIs. A false positive only makes a list count as incomplete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Whether more pages are announced.
    pub(crate) has_more: bool,
    /// Whether the response is announced to be partial.
    pub(crate) is_partial: bool,
    /// The announced number of tasks on all pages.
    pub(crate) total: u64,
    /// The announced number of pages.
    pub(crate) pages: u64,
}

/// The largest depth of nested metadata that is read.
const MAX_DEPTH: u32 = 4;

impl Extent {
    pub(crate) fn read(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let mut extent = Self {
            is_partial: status != StatusCode::OK,
            ..Self::default()
        };
        for (name, value) in headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            let value = value.trim();
            match name.as_str() {
                "link" => extent.has_more |= has_next(value),
                "content-range" => match value.rsplit_once('/').map(|(_, total)| total.parse()) {
                    Some(Ok(total)) => extent.total = extent.total.max(total),
                    _ => extent.is_partial = true,
                },
                // A cached response does not have later tasks.
                "age" => extent.is_partial |= value != "0",
                "warning" => extent.is_partial |= value.starts_with("11"),
                "x-cache" | "cf-cache-status" => extent.is_partial |= is_from_cache(value),
                name => match serde_json::from_str(value) {
                    Ok(Value::Object(fields)) => extent.read_fields(&fields, MAX_DEPTH),
                    _ => extent.read_field(name.strip_prefix("x-").unwrap_or(name), &value.into()),
                },
            }
        }
        if let Ok(Value::Object(fields)) = serde_json::from_slice(body) {
            extent.read_fields(&fields, MAX_DEPTH);
        }
        extent
    }

    fn read_fields(&mut self, fields: &Map<String, Value>, depth: u32) {
        for (name, value) in fields {
            self.read_field(name, value);
            match value {
                Value::Object(fields) if depth > 0 => self.read_fields(fields, depth - 1),
                // Other arrays, such as the tasks, say nothing about the list.
                Value::Array(links) if matches!(&**name, "links" | "_links" | "link") => {
                    self.has_more |= links.iter().any(is_next);
                }
                _ => {}
            }
        }
    }

    fn read_field(&mut self, name: &str, value: &Value) {
        let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        let name = name.to_ascii_lowercase();
        let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        if begins_as(&name, "next", NEXT) || begins_as(&name, "odatanext", NEXT) {
            self.has_more |= is_truthy(value);
        }
        if ends(PAGES) {
            self.pages = self.pages.max(number(value));
        } else if begins_as(&name, "total", TOTAL) || ends(TOTALS) && !name.contains("limit") {
            self.total = self.total.max(number(value));
        }
        match &*name {
            "hasmore" | "hasmoreitems" | "hasmoreresults" | "hasmorepages" | "hasnext"
            | "hasnextpage" | "hasnextresults" | "more" | "moreavailable" | "moreitems"
            | "moreresults" | "cursor" | "continuation" | "continuationtoken"
            | "lastevaluatedkey" | "remaining" | "remainingitems" | "remainingcount" => {
                self.has_more |= is_truthy(value)
            }
            "truncated" | "istruncated" | "partial" | "ispartial" | "incomplete"
            | "isincomplete" | "incompleteresults" | "timedout" | "stale" | "isstale"
            | "degraded" | "error" | "errors" => {
                self.is_partial |= is_truthy(value);
            }
            "count" | "found" => self.total = self.total.max(number(value)),
            "complete" | "iscomplete" | "success" | "ok" => self.is_partial |= is_false(value),
            "last" | "islast" | "lastpage" | "islastpage" | "end" | "isend" | "done" => {
                self.has_more |= is_false(value);
            }
            _ => {}
        }
    }
}

/// Suffixes of `next`, the word for the next page.
const NEXT: &[&str] = &[
    "",
    "page",
    "pagetoken",
    "pageurl",
    "pageuri",
    "pagelink",
    "pagekey",
    "token",
    "cursor",
    "offset",
    "url",
    "uri",
    "link",
    "href",
    "marker",
    "id",
    "key",
    "results",
    "continuationtoken",
    "after",
    "pagenumber",
];
/// Suffixes of `total`, the number of tasks.
const TOTAL: &[&str] = &[
    "", "count", "items", "results", "elements", "records", "tasks", "rows", "size", "hits",
    "entries", "number",
];
/// Other endings of names that have the number of tasks.
const TOTALS: &[&str] = &[
    "total",
    "totalcount",
    "totalitems",
    "totalresults",
    "numresults",
    "numfound",
];
/// Endings of names that have the number of pages.
const PAGES: &[&str] = &[
    "totalpages",
    "pagecount",
    "pagetotal",
    "numpages",
    "maxpage",
    "lastpage",
    "pages",
];

/// Whether a name is a word followed by one of the suffixes.
fn begins_as(name: &str, word: &str, suffixes: &[&str]) -> bool {
    name.strip_prefix(word)
        .is_some_and(|rest| suffixes.contains(&rest))
}

/// Whether an element of a list of links has the relation `next`.
fn is_next(link: &Value) -> bool {
    let relations = ["rel", "relation"].map(|name| link[name].as_str());
    let mut relations = relations.into_iter().flatten();
    relations.any(|relation| relation.eq_ignore_ascii_case("next"))
}

fn is_from_cache(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    value.contains("hit") || value.contains("stale")
}

/// Whether a `Link` header has the relation `next`.
fn has_next(link: &str) -> bool {
    link.split([';', ',']).any(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let value = value.trim().trim_matches(['"', '\'']);
        let mut relations = value.split_ascii_whitespace();
        name.trim().eq_ignore_ascii_case("rel")
            && relations.any(|relation| relation.eq_ignore_ascii_case("next"))
    })
}

fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => {
            let text = text.trim().to_ascii_lowercase();
            !matches!(&*text, "" | "0" | "false" | "no" | "null" | "none")
        }
        Value::Array(values) => !values.is_empty(),
        Value::Object(fields) => fields.values().any(is_truthy),
    }
}

fn is_false(value: &Value) -> bool {
    match value {
        Value::Bool(value) => !value,
        Value::String(text) => text.trim().eq_ignore_ascii_case("false"),
        _ => false,
    }
}

fn number(value: &Value) -> u64 {
    let text = value.as_str().and_then(|text| text.trim().parse().ok());
    // A number above the range of u64 saturates.
    let float = value.as_f64().map(|number| number as u64);
    let inside = value.get("value").and_then(Value::as_u64);
    value.as_u64().or(text).or(float).or(inside).unwrap_or(0)
}
