//! The ergonomic types held against the spec, which they are written by hand for.

mod enums;
mod keys;

use std::collections::{BTreeMap, BTreeSet};

use kling_omni::{TaskState, VideoReference};
use kling_omni_tests::fail_on;
use kling_omni_tests::rules::{self, Row};
use kling_omni_tests::snapshots::{Kind, Snapshots};
use kling_omni_tests::spec::{SPEC, entries, items, require_fresh_code};
use schemars::{Schema, schema_for};
use serde_json::{Map, Value, json};

/// A difference that is meant. `*` stands for every field, and for every rest of a keyword.
struct Intended {
    place: &'static str,
    keyword: &'static str,
    reason: &'static str,
}

const REQUEST: &[Intended] = &[
    Intended {
        place: ".",
        keyword: "additionalProperties",
        reason: "a misspelt field in a request file is refused instead of being left out in silence",
    },
    Intended {
        place: ".tier",
        keyword: "*",
        reason: "chooses the path, and is not sent",
    },
    Intended {
        place: "*",
        keyword: "media.*",
        reason: "JSON Schema cannot look at a file behind a URL",
    },
];

const TASK: &[Intended] = &[
    Intended {
        place: ".generated",
        keyword: "required",
        reason: "reading forgives a missing list",
    },
    Intended {
        place: ".generated",
        keyword: "default",
        reason: "a missing list is an empty one",
    },
    Intended {
        place: ".generated[]",
        keyword: "format",
        reason: "a malformed URL must not hide the task that it belongs to",
    },
    Intended {
        place: ".status",
        keyword: "enum",
        reason: "unknown values are kept, so any text will do",
    },
    Intended {
        place: ".status",
        keyword: "x-open-enum",
        reason: "unknown values are kept, so any text will do",
    },
];

#[test]
fn ergonomic_types_agree_with_the_spec() {
    require_fresh_code();
    let cases = [
        (
            "VideoReference",
            schema_for!(VideoReference),
            "VideoReferenceRequest",
            REQUEST,
        ),
        ("TaskState", schema_for!(TaskState), "TaskDetail", TASK),
    ];
    let mut texts = Vec::new();
    let mut problems = Vec::new();
    for (name, ours, component, intended) in cases {
        let ours = facts(rules::rows(&SPEC, &flattened(&ours)));
        let spec = facts(rules::rows(&SPEC, SPEC.schema(component)));
        let (text, found) = compare(&spec, &ours, intended);
        problems.extend(found.into_iter().map(|problem| format!("{name}{problem}")));
        texts.push((name, text));
    }
    fail_on(problems);
    let mut snapshots = Snapshots::all_of(Kind::Agreement);
    for (name, text) in texts {
        snapshots.check(name, &text);
    }
    snapshots.finish();
}

/// What is said, by place and keyword.
type Facts = BTreeMap<(String, String), String>;

fn facts(rows: Vec<Row>) -> Facts {
    let mut facts = Facts::new();
    for row in rows {
        if let Some(required) = row.required {
            let key = (row.place.clone(), "required".to_owned());
            facts.insert(key, required.to_string());
        }
        for (keyword, text) in row.rules {
            facts.insert((row.place.clone(), keyword), text);
        }
    }
    facts
}

/// A line for each fact of either side, and whatever is not as it was meant.
fn compare(spec: &Facts, ours: &Facts, intended: &[Intended]) -> (String, Vec<String>) {
    let mut text = String::new();
    let mut problems = Vec::new();
    let mut unused: BTreeSet<_> = (0..intended.len()).collect();
    let keys: BTreeSet<_> = spec.keys().chain(ours.keys()).collect();
    for key @ (place, keyword) in keys {
        let difference = match (spec.get(key), ours.get(key)) {
            (Some(spec), Some(ours)) if spec == ours => {
                text.push_str(&format!("{place} {keyword}  =\n"));
                continue;
            }
            (Some(spec), Some(ours)) => format!("the spec says {spec}, we say {ours}"),
            (Some(_), None) => "only the spec".to_owned(),
            (None, _) => "only ours".to_owned(),
        };
        let mut entries = intended.iter().enumerate();
        match entries.find(|(_, entry)| entry.covers(place, keyword)) {
            Some((index, entry)) => {
                unused.remove(&index);
                text.push_str(&format!("{place} {keyword}  ≠ {difference}: {}\n", entry.reason));
            }
            None => problems.push(format!(
                "{place} {keyword}: {difference}; make them agree, or give a reason in the table of this test"
            )),
        }
    }
    problems.extend(unused.into_iter().map(|index| {
        let Intended { place, keyword, .. } = intended[index];
        format!("{place} {keyword}: there is no such difference any more; take it out of the table")
    }));
    (text, problems)
}

impl Intended {
    fn covers(&self, place: &str, keyword: &str) -> bool {
        let matches = |pattern: &str, text: &str| match pattern.strip_suffix('*') {
            Some(start) => text.starts_with(start),
            None => pattern == text,
        };
        matches(self.place, place) && matches(self.keyword, keyword)
    }
}

/// A schema of schemars in the manner of the spec: without `$ref`, `anyOf` with null, and `oneOf` of constants.
fn flattened(schema: &Schema) -> Value {
    flatten(schema.as_value(), schema.as_value())
}

fn flatten(root: &Value, node: &Value) -> Value {
    let mut flat = Map::new();
    for (keyword, value) in entries(node) {
        match keyword {
            "$ref" => {
                let pointer = value.as_str().unwrap_or_default().trim_start_matches('#');
                let target = root
                    .pointer(pointer)
                    .unwrap_or_else(|| panic!("{pointer} leads nowhere"));
                merge(&mut flat, flatten(root, target));
            }
            "anyOf" => {
                for choice in items(value) {
                    merge(&mut flat, flatten(root, choice));
                }
            }
            "oneOf" => {
                let constants: Vec<_> =
                    items(value).map(|choice| choice["const"].clone()).collect();
                flat.insert("type".to_owned(), json!("string"));
                flat.insert("enum".to_owned(), Value::Array(constants));
            }
            "properties" => {
                let properties: Map<_, _> = entries(value)
                    .map(|(name, property)| (name.to_owned(), flatten(root, property)))
                    .collect();
                flat.insert(keyword.to_owned(), Value::Object(properties));
            }
            "items" => {
                flat.insert(keyword.to_owned(), flatten(root, value));
            }
            "$defs" => {}
            keyword => merge(&mut flat, json!({ keyword: value })),
        }
    }
    Value::Object(flat)
}

/// Adds what another schema says; of types, both are kept.
fn merge(flat: &mut Map<String, Value>, other: Value) {
    for (keyword, value) in entries(&other) {
        match flat.get_mut(keyword) {
            Some(types) if keyword == "type" => *types = json!([types.take(), value]),
            _ => {
                flat.insert(keyword.to_owned(), value.clone());
            }
        }
    }
}
