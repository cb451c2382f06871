//! Agreement of the handwritten types with the document.

mod enums;
mod keys;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use kling_omni::polling::{TaskState, TaskSummary};
use kling_omni::request::Element;
use kling_omni_api::enums::AspectRatio;
use kling_omni_api::{Operation, service};
use kling_omni_test_support::spec::{
    SPEC, entries, is_called, items, request_bodies, require_fresh_code,
};
use kling_omni_test_support::{fail_on, sources};
use kling_omni_tests::rules::{self, Row};
use kling_omni_tests::snapshots::Kind;
use schemars::{Schema, schema_for};
use serde_json::{Map, Value, json};

/// How a line ends that names something which the spec has and we have not, and which nothing breaks without. Such lines
/// are the list of what is left to do.
const NOT_OFFERED: &str = "not offered yet";

/// The operations of the last accepted document.
const OPERATIONS: &str = "tests/snapshots/agreement/operations.snap";

/// A difference that is meant. `*` stands for every field, and for every rest of a keyword.
struct Intended {
    place: &'static str,
    keyword: &'static str,
    reason: &'static str,
}

const CLOSED: &[Intended] = &[Intended {
    place: ".",
    keyword: "additionalProperties",
    reason: "a misspelt field in a request file is refused instead of being left out in silence",
}];

const REQUEST: &[Intended] = &[
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

const MOTION_CONTROL: &[Intended] = &[Intended {
    place: ".character_orientation",
    keyword: "output-seconds.*",
    reason: "JSON Schema knows nothing of the video to make; a preflight warns of it",
}];

/// The request goes to routes with different rules. Its schema has those of the older one, which takes more.
const SUCCESSOR: &[Intended] = &[
    Intended {
        place: ".cfg_scale",
        keyword: "maximum",
        reason: "the schema has the wider range; a request is checked against the route that it goes to",
    },
    Intended {
        place: ".video_url",
        keyword: "required",
        reason: "the older route does without; a request is checked against the route that it goes to",
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
];

const STATUS: &[Intended] = &[
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

/// One of our types, and a schema of the spec that it stands for.
struct Pair {
    component: &'static str,
    ours: Schema,
    /// Where the type is declared, if we write it: then a required field cannot wait, and one of ours has to be known.
    declared_in: Option<String>,
    intended: &'static [&'static [Intended]],
}

#[test]
fn ergonomic_types_agree_with_the_spec() {
    require_fresh_code();
    let pairs = pairs();
    let mut texts = Vec::new();
    let mut problems = Vec::new();
    for pair in &pairs {
        let agreement = compare(pair, SPEC.schema(pair.component));
        problems.extend(
            agreement
                .problems
                .into_iter()
                .map(|problem| format!("{}{problem}", pair.component)),
        );
        texts.push((pair.component, agreement.text));
    }
    for (name, agreement) in [
        ("enums", enums::agreement()),
        ("operations", operations(&sources::read(OPERATIONS))),
    ] {
        problems.extend(agreement.problems);
        texts.push((name, agreement.text));
    }
    fail_on(problems);
    let mut snapshots = Kind::Agreement.all();
    for (name, text) in texts {
        snapshots.check(name, &text);
    }
    snapshots.finish();
}

fn request_pairs() -> impl Iterator<Item = Pair> {
    request_bodies().into_iter().map(|body| Pair {
        component: body.schema,
        ours: (body.request.schema)(),
        declared_in: Some(file_of(body.request.name)),
        intended: match body.schema {
            "ReferenceToVideoRequest" => &[CLOSED, REQUEST, SUCCESSOR],
            "MotionControlRequest" => &[CLOSED, REQUEST, MOTION_CONTROL],
            _ => &[CLOSED, REQUEST],
        },
    })
}

/// The file that declares a type of requests.
fn file_of(name: &str) -> String {
    let mut file = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !file.is_empty() {
            file.push('_');
        }
        file.push(letter.to_ascii_lowercase());
    }
    file + ".rs"
}

fn pairs() -> Vec<Pair> {
    let others = [
        Pair {
            component: "Element",
            ours: schema_for!(Element),
            declared_in: Some(file_of("Element")),
            intended: &[CLOSED],
        },
        Pair {
            component: "TaskDetail",
            ours: schema_for!(TaskState),
            declared_in: None,
            intended: &[TASK, STATUS],
        },
        Pair {
            component: "TaskSummary",
            ours: schema_for!(TaskSummary),
            declared_in: None,
            intended: &[STATUS],
        },
    ];
    request_pairs().chain(others).collect()
}

/// What the vendor adds waits, and a field that it renames is one line.
#[test]
fn an_edited_document_waits_or_names_the_row() {
    let offered_later = |name: &str| format!(".{name}  only the spec: {NOT_OFFERED}\n");
    let values = [AspectRatio::VALUES, &["99:1"]].concat();
    let mut ratio = SPEC.schema("AspectRatio").clone();
    ratio["enum"] = json!(values);
    for (name, field) in [
        ("vendor_seed", json!({"type": "integer", "minimum": 0})),
        ("vendor_strength", json!({"type": "number", "maximum": 1})),
        ("vendor_watermark", json!({"type": "boolean"})),
        (
            "vendor_tags",
            json!({"type": "array", "items": {"type": "string"}}),
        ),
        ("aspect_ratio", ratio),
    ] {
        for pair in &request_pairs().collect::<Vec<_>>() {
            let mut edited = SPEC.schema(pair.component).clone();
            if name == "aspect_ratio" && edited["properties"].get(name).is_none() {
                continue;
            }
            edited["properties"][name] = field.clone();
            let agreement = compare(pair, &edited);
            assert_eq!(agreement.problems, [""; 0], "{name}");
            let waits = match name {
                "aspect_ratio" => offered_later("aspect_ratio 99:1"),
                name => offered_later(name),
            };
            assert!(agreement.text.contains(&waits), "{}", agreement.text);
        }
    }
    for pair in request_pairs() {
        for name in ["video_url", "image_url", "image_urls"] {
            let mut edited = SPEC.schema(pair.component).clone();
            let properties = edited["properties"].as_object_mut().expect("properties");
            let Some(field) = properties.remove(name) else {
                continue;
            };
            properties.insert(format!("new_{name}"), field);
            let file = pair.declared_in.as_deref().expect("a request type");
            let expected = format!(
                ".{name}: the spec has no such field; rename its row in crates/kling-omni/src/request/{file}, or remove \
                 it; the spec has, and we do not offer: "
            );
            let problems = compare(&pair, &edited).problems;
            let [problem] = &problems[..] else {
                panic!("{problems:?}");
            };
            let others = problem.strip_prefix(&expected).expect(problem);
            let renamed = format!(".new_{name}");
            assert!(others.split(", ").any(|other| other == renamed));
        }
    }
}

#[test]
fn a_removed_operation_is_named() {
    for (verdict, count) in [("=", 1), ("only the spec: not offered yet", 0)] {
        let agreement = operations(&format!("listOldTasks  {verdict}\n"));
        let problems = agreement.problems.iter();
        let named = problems.filter(|problem| problem.contains("listOldTasks, which crates/"));
        assert_eq!(named.count(), count, "{verdict}");
        assert_eq!(agreement.problems.len(), count);
    }
}

/// What two sides agree in and what we have yet to offer, and whatever is not as it was meant.
#[derive(Default)]
struct Agreement {
    text: String,
    problems: Vec<String>,
}

/// What is said, by place and then by keyword.
type Facts = BTreeMap<String, BTreeMap<String, String>>;

fn facts(rows: Vec<Row>) -> Facts {
    let mut facts = Facts::new();
    for row in rows {
        let mut said = row.rules;
        if let Some(required) = row.required {
            said.insert("required".to_owned(), required.to_string());
        }
        facts.entry(row.place).or_default().extend(said);
    }
    facts
}

/// Compares one of our types with a schema.
fn compare(pair: &Pair, schema: &Value) -> Agreement {
    let spec = facts(rules::rows(&SPEC, schema));
    let ours = facts(rules::rows(&SPEC, &flattened(&pair.ours)));
    let intended: Vec<_> = pair.intended.iter().copied().flatten().collect();
    let mut unused: BTreeSet<_> = (0..intended.len()).collect();
    let mut agreement = Agreement::default();
    let mut missing: Vec<&String> = Vec::new();
    let mut gone: Vec<(&String, &str)> = Vec::new();
    let nothing = BTreeMap::new();
    let places: BTreeSet<_> = spec.keys().chain(ours.keys()).collect();
    for place in places {
        let (said, say) = (spec.get(place), ours.get(place));
        let is_meant = intended.iter().any(|entry| entry.covers(place, "type"));
        if let (Some(said), None, false) = (said, say, is_meant || place == ".") {
            let is_inside = |outer: &&String| {
                place
                    .strip_prefix(outer.as_str())
                    .is_some_and(|rest| rest.starts_with(['.', '[']))
            };
            if missing.iter().any(is_inside) {
                continue;
            }
            missing.push(place);
            if pair.declared_in.is_some()
                && said.get("required").is_some_and(|value| value == "true")
            {
                agreement.problems.push(format!(
                    "{place}: the spec requires it, and we cannot send it; add a row to its request type"
                ));
            } else {
                let _ = writeln!(agreement.text, "{place}  only the spec: {NOT_OFFERED}");
            }
            continue;
        }
        if let (None, Some(file), false) =
            (said, pair.declared_in.as_deref(), is_meant || place == ".")
        {
            // The items of a list, and the rules about its difference, go with it.
            if !place.ends_with("[]") {
                gone.push((place, file));
            }
            unused.retain(|index| !intended[*index].covers(place, intended[*index].keyword));
            continue;
        }
        let (said, say) = (said.unwrap_or(&nothing), say.unwrap_or(&nothing));
        let mut equal = Vec::new();
        let mut different = BTreeMap::<String, Vec<&str>>::new();
        for keyword in said.keys().chain(say.keys()).collect::<BTreeSet<_>>() {
            let difference = match (said.get(keyword), say.get(keyword)) {
                (Some(spec), Some(ours)) if spec == ours => {
                    equal.push(keyword.as_str());
                    continue;
                }
                (Some(spec), Some(ours)) if keyword == "enum" && has_values(spec, ours) => {
                    equal.push(keyword.as_str());
                    for value in values(spec).filter(|value| values(ours).all(|one| one != *value))
                    {
                        let _ = writeln!(
                            agreement.text,
                            "{place} {value}  only the spec: {NOT_OFFERED}"
                        );
                    }
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
                    let reason = format!("{difference}: {}", entry.reason);
                    different.entry(reason).or_default().push(keyword);
                }
                None => agreement.problems.push(format!(
                    "{place} {keyword}: {difference}; make them agree, or give a reason in the table of this test"
                )),
            }
        }
        if !equal.is_empty() {
            let _ = writeln!(agreement.text, "{place}  = {}", equal.join(" "));
        }
        for (reason, keywords) in different {
            let _ = writeln!(
                agreement.text,
                "{place}  ≠ {}  {reason}",
                keywords.join(" ")
            );
        }
    }
    agreement.problems.extend(gone.into_iter().map(|(place, file)| {
        let mut text = format!(
            "{place}: the spec has no such field; rename its row in crates/kling-omni/src/request/{file}, or remove it"
        );
        if !missing.is_empty() {
            let _ = write!(text, "; the spec has, and we do not offer: {}", joined(&missing));
        }
        text
    }));
    agreement.problems.extend(unused.into_iter().map(|index| {
        let Intended { place, keyword, .. } = intended[index];
        format!("{place} {keyword}: there is no such difference any more; take it out of the table")
    }));
    agreement
}

fn joined(places: &[&String]) -> String {
    let places: Vec<_> = places.iter().map(|place| place.as_str()).collect();
    places.join(", ")
}

/// The values of an enum, as its rule is written.
fn values(rule: &str) -> impl Iterator<Item = &str> {
    rule.split('|')
}

/// Whether all values that we have are among those of the spec.
fn has_values(spec: &str, ours: &str) -> bool {
    values(ours).all(|value| values(spec).any(|one| one == value))
}

/// The operations of the spec, and whether the ergonomic crate calls them. One that it called cannot go unnoticed.
fn operations(accepted: &str) -> Agreement {
    let mut agreement = Agreement::default();
    for operation in service::OPERATIONS {
        let verdict = match is_called(operation) {
            true => "=".to_owned(),
            false => format!("only the spec: {NOT_OFFERED}"),
        };
        let _ = writeln!(agreement.text, "{}  {verdict}", operation.id);
    }
    // A task operation has no other name in our code than its mode, tier or family.
    let ours = accepted.lines().filter_map(|line| line.strip_suffix("  ="));
    for id in ours.filter(|id| Operation::by_id(id).is_none()) {
        agreement.problems.push(format!(
            "operations: the spec has no {id}, which crates/kling-omni/src/route.rs offers; remove its line from {OPERATIONS} once nothing needs it"
        ));
    }
    agreement
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
                // An object with a name of the document is compared on its own.
                let name = pointer.rsplit('/').next().unwrap_or_default();
                if SPEC
                    .schemas()
                    .get(name)
                    .is_some_and(|schema| schema["type"] == "object")
                {
                    return json!({ "$ref": format!("#/components/schemas/{name}") });
                }
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
