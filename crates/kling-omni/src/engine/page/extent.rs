//! What an answer with a list says of how much of the list it is.

use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

/// What the service documents is a status of 200 and no word on the extent. Everything else is taken as what it is called
/// in other APIs: a word too many only leaves open what a list would otherwise prove.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Whether it is said that there is more behind it.
    pub(crate) has_more: bool,
    /// Whether it is said to be a part of what was asked for.
    pub(crate) is_partial: bool,
    /// How many tasks there are said to be on all pages.
    pub(crate) total: u64,
    /// How many pages there are said to be.
    pub(crate) pages: u64,
}

/// How deep what is said beside the tasks may be nested.
const MOST_NESTED: u32 = 4;

impl Extent {
    pub(crate) fn of(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
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
                // What a cache kept says nothing about what came later.
                "age" => extent.is_partial |= value != "0",
                "warning" => extent.is_partial |= value.starts_with("11"),
                "x-cache" | "cf-cache-status" => extent.is_partial |= is_from_cache(value),
                name => match serde_json::from_str(value) {
                    Ok(Value::Object(fields)) => extent.take_all(&fields, MOST_NESTED),
                    _ => extent.take(name.strip_prefix("x-").unwrap_or(name), &value.into()),
                },
            }
        }
        if let Ok(Value::Object(fields)) = serde_json::from_slice(body) {
            extent.take_all(&fields, MOST_NESTED);
        }
        extent
    }

    fn take_all(&mut self, fields: &Map<String, Value>, depth: u32) {
        for (name, value) in fields {
            self.take(name, value);
            match value {
                Value::Object(fields) if depth > 0 => self.take_all(fields, depth - 1),
                // Tasks are in arrays, too, and say nothing about the list.
                Value::Array(links) if matches!(&**name, "links" | "_links" | "link") => {
                    self.has_more |= links.iter().any(is_next);
                }
                _ => {}
            }
        }
    }

    fn take(&mut self, name: &str, value: &Value) {
        let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        let name = name.to_ascii_lowercase();
        let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        if begins_as(&name, "next", NEXT) || begins_as(&name, "odatanext", NEXT) {
            self.has_more |= is_said(value);
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
                self.has_more |= is_said(value)
            }
            "truncated" | "istruncated" | "partial" | "ispartial" | "incomplete"
            | "isincomplete" | "incompleteresults" | "timedout" | "stale" | "isstale"
            | "degraded" | "error" | "errors" => {
                self.is_partial |= is_said(value);
            }
            "count" | "found" => self.total = self.total.max(number(value)),
            "complete" | "iscomplete" | "success" | "ok" => self.is_partial |= is_denied(value),
            "last" | "islast" | "lastpage" | "islastpage" | "end" | "isend" | "done" => {
                self.has_more |= is_denied(value);
            }
            _ => {}
        }
    }
}

/// What may come next: the one word, or what leads to it.
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
/// What a total may be a total of.
const TOTAL: &[&str] = &[
    "", "count", "items", "results", "elements", "records", "tasks", "rows", "size", "hits",
    "entries", "number",
];
/// The same behind other words.
const TOTALS: &[&str] = &[
    "total",
    "totalcount",
    "totalitems",
    "totalresults",
    "numresults",
    "numfound",
];
/// How many pages there are, in other words.
const PAGES: &[&str] = &[
    "totalpages",
    "pagecount",
    "pagetotal",
    "numpages",
    "maxpage",
    "lastpage",
    "pages",
];

/// Whether a name is a word and one of these behind it.
fn begins_as(name: &str, word: &str, behind: &[&str]) -> bool {
    name.strip_prefix(word)
        .is_some_and(|rest| behind.contains(&rest))
}

/// Whether an element of a list of links leads to what comes next.
fn is_next(link: &Value) -> bool {
    let relations = ["rel", "relation"].map(|name| link[name].as_str());
    let mut relations = relations.into_iter().flatten();
    relations.any(|relation| relation.eq_ignore_ascii_case("next"))
}

fn is_from_cache(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    value.contains("hit") || value.contains("stale")
}

/// Whether a `Link` header has a link to what comes next.
fn has_next(link: &str) -> bool {
    link.split([';', ',']).any(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let value = value.trim().trim_matches(['"', '\'']);
        let mut relations = value.split_ascii_whitespace();
        name.trim().eq_ignore_ascii_case("rel")
            && relations.any(|relation| relation.eq_ignore_ascii_case("next"))
    })
}

fn is_said(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(is_said) => *is_said,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => {
            let text = text.trim().to_ascii_lowercase();
            !matches!(&*text, "" | "0" | "false" | "no" | "null" | "none")
        }
        Value::Array(values) => !values.is_empty(),
        Value::Object(fields) => fields.values().any(is_said),
    }
}

fn is_denied(value: &Value) -> bool {
    match value {
        Value::Bool(is_said) => !is_said,
        Value::String(text) => text.trim().eq_ignore_ascii_case("false"),
        _ => false,
    }
}

fn number(value: &Value) -> u64 {
    let text = value.as_str().and_then(|text| text.trim().parse().ok());
    // More than any list has counts as much as that.
    let float = value.as_f64().map(|number| number as u64);
    let inside = value.get("value").and_then(Value::as_u64);
    value.as_u64().or(text).or(float).or(inside).unwrap_or(0)
}
