//! What an answer with a list says of how much of the list it is.

use http::header::{CONTENT_RANGE, LINK};
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
            if name == LINK {
                extent.has_more |= has_next(&value);
            } else if name == CONTENT_RANGE {
                match value.rsplit_once('/').map(|(_, total)| total.parse()) {
                    Some(Ok(total)) => extent.total = extent.total.max(total),
                    _ => extent.is_partial = true,
                }
            } else if let Some(name) = name.as_str().strip_prefix("x-") {
                extent.take(name, &Value::from(value.trim()));
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
            // Tasks are in arrays.
            if let (Value::Object(fields), true) = (value, depth > 0) {
                self.take_all(fields, depth - 1);
            }
        }
    }

    fn take(&mut self, name: &str, value: &Value) {
        let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        match name.to_ascii_lowercase().as_str() {
            "hasmore" | "hasnext" | "hasnextpage" | "more" | "moreavailable" | "moreresults"
            | "next" | "nextpage" | "nextpagetoken" | "nextpageurl" | "nexttoken"
            | "nextcursor" | "nextoffset" | "nexturl" | "nextlink" | "nexthref" | "nextmarker"
            | "nextid" | "cursor" | "continuation" | "continuationtoken" | "remaining"
            | "remainingitems" | "remainingcount" => self.has_more |= is_said(value),
            "truncated" | "istruncated" | "partial" | "ispartial" | "incomplete"
            | "isincomplete" => {
                self.is_partial |= is_said(value);
            }
            "complete" | "iscomplete" => self.is_partial |= is_denied(value),
            "last" | "islast" | "lastpage" | "islastpage" | "end" | "isend" | "done" => {
                self.has_more |= is_denied(value);
            }
            "total" | "totalcount" | "totalitems" | "totalresults" | "totalelements"
            | "totalrecords" | "totaltasks" | "count" => {
                self.total = self.total.max(number(value));
            }
            "totalpages" | "pagecount" | "pages" => self.pages = self.pages.max(number(value)),
            _ => {}
        }
    }
}

/// Whether a `Link` header has a link to what comes next.
fn has_next(link: &str) -> bool {
    link.split([';', ',']).any(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
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
        // What is in it is asked by itself.
        Value::Object(fields) => fields.contains_key("href") || fields.contains_key("url"),
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
    value.as_u64().or(text).or(float).unwrap_or(0)
}
