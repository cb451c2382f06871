//! What a document says about one value, as keywords and texts. Two documents can be compared by it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use kling_omni_api::{Field, MediaKind, Scalar, Span, limits};
use serde_json::Value;

use kling_omni_test_support::spec::{Spec, entries, items, schema_name};

/// Keywords and what they say. Rules of `x-media` are called `media.…`.
pub type Rules = BTreeMap<String, String>;

/// One line of a table of rules.
pub struct Row {
    /// Where the value stands: `.prompt`, or `.generated[]` for the items of an array.
    pub place: String,
    /// Whether it may be left out; `None` where that does not apply.
    pub required: Option<bool>,
    /// What it has to be.
    pub rules: Rules,
}

/// Keywords that come first, in this order; all others follow by their names, and the default ends the line.
const FIRST: [&str; 10] = [
    "type",
    "nullable",
    "format",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "enum",
];
/// Keywords that say nothing about which values are valid, or that other snapshots show.
const NO_RULES: [&str; 6] = [
    "$schema",
    "description",
    "example",
    "properties",
    "title",
    "x-enum-varnames",
];
const MEDIA: &str = "media.";
const OUTPUT_SECONDS: &str = "output-seconds.";

/// The rows of an object schema: what it says as a whole, and its properties by name, with the properties of those that
/// have no schema of their own.
pub fn rows(spec: &Spec, schema: &Value) -> Vec<Row> {
    let mut rules = of_schema(schema);
    rules.remove("type");
    let mut rows = Vec::new();
    if !rules.is_empty() {
        rows.push(Row {
            place: ".".to_owned(),
            required: None,
            rules,
        });
    }
    of_object(spec, "", schema, &mut rows);
    rows
}

fn of_object(spec: &Spec, place: &str, schema: &Value, rows: &mut Vec<Row>) {
    let required: Vec<_> = items(&schema["required"]).collect();
    let mut properties: Vec<_> = entries(&schema["properties"]).collect();
    properties.sort_by_key(|(name, _)| *name);
    for (name, property) in properties {
        let is_required = required.iter().any(|required| *required == name);
        of_value(
            spec,
            format!("{place}.{name}"),
            Some(is_required),
            property,
            rows,
        );
    }
}

fn of_value(spec: &Spec, place: String, required: Option<bool>, node: &Value, rows: &mut Vec<Row>) {
    let schema = spec.resolve(node);
    let named = schema_name(node).filter(|_| schema["type"] == "object");
    let rules = match named {
        Some(name) => Rules::from([("type".to_owned(), name.to_owned())]),
        None => of_schema(schema),
    };
    rows.push(Row {
        place: place.clone(),
        required,
        rules,
    });
    if named.is_none() {
        of_object(spec, &place, schema, rows);
    }
    if let Some(item) = schema.get("items") {
        of_value(spec, format!("{place}[]"), None, item, rows);
    }
}

/// What a schema says of the value itself, without its properties and items.
pub fn of_schema(schema: &Value) -> Rules {
    let mut rules = Rules::new();
    for (keyword, value) in entries(schema) {
        match keyword {
            "x-media" => rules.extend(of_media(value)),
            "x-output-seconds" => rules.extend(entries(value).map(|(choice, seconds)| {
                let text = span(seconds["minimum"].as_f64(), seconds["maximum"].as_f64());
                (format!("{OUTPUT_SECONDS}{choice}"), text)
            })),
            "type" if value.is_array() => {
                let kinds: Vec<_> = items(value).filter(|kind| *kind != "null").collect();
                rules.insert("nullable".to_owned(), "true".to_owned());
                rules.insert("type".to_owned(), joined(kinds));
            }
            "enum" => {
                rules.insert("enum".to_owned(), joined(items(value)));
            }
            "default" => {
                rules.insert("default".to_owned(), literal(value));
            }
            "items" | "required" => {}
            keyword if NO_RULES.contains(&keyword) => {}
            keyword => {
                rules.insert(keyword.to_owned(), text(value));
            }
        }
    }
    rules
}

fn of_media(media: &Value) -> Rules {
    let rule = |(name, value): (&str, &Value)| {
        let text = match value {
            Value::Array(_) => joined(items(value)),
            Value::Object(_) => span(value["minimum"].as_f64(), value["maximum"].as_f64()),
            value => text(value),
        };
        (format!("{MEDIA}{name}"), text)
    };
    entries(media).map(rule).collect()
}

/// The rows of generated fields, by the places where they stand.
pub fn field_rows(fields: &[Field]) -> Vec<Row> {
    let mut rows = Vec::new();
    for field in fields {
        let mut place = format!(".{}", field.name);
        rows.push(Row {
            place: place.clone(),
            required: Some(field.required),
            rules: of_field(field),
        });
        let mut outer = field;
        while let Some(item) = outer.items {
            place.push_str("[]");
            rows.push(Row {
                place: place.clone(),
                required: None,
                rules: of_field(item),
            });
            outer = item;
        }
    }
    rows
}

/// What the generated constants say of one value. They have no types but those of objects, and do not tell fields from
/// parameters.
pub fn of_field(field: &Field) -> Rules {
    let mut rules = Rules::new();
    let mut add = |keyword: &str, text: Option<String>| {
        if let Some(text) = text {
            rules.insert(keyword.to_owned(), text);
        }
    };
    add("format", field.format.map(str::to_owned));
    add(
        "minLength",
        field.min_length.map(|length| length.to_string()),
    );
    add(
        "maxLength",
        field.max_length.map(|length| length.to_string()),
    );
    add("minimum", field.minimum.map(number));
    add("maximum", field.maximum.map(number));
    add("minItems", field.min_items.map(|count| count.to_string()));
    add("maxItems", field.max_items.map(|count| count.to_string()));
    add("type", object_name(field).map(str::to_owned));
    add(
        "enum",
        (!field.values.is_empty()).then(|| field.values.join("|")),
    );
    add(
        "default",
        field.default.map(|default| match default {
            Scalar::Text(text) => Value::from(text).to_string(),
            Scalar::Number(value) => number(value),
            Scalar::Flag(flag) => flag.to_string(),
        }),
    );
    for (choice, seconds) in field.output_seconds {
        add(
            &format!("{OUTPUT_SECONDS}{choice}"),
            Some(span(seconds.minimum, seconds.maximum)),
        );
    }
    if let Some(media) = field.media {
        let kind = match media.kind {
            MediaKind::Video => "video",
            MediaKind::Image => "image",
        };
        add("media.kind", Some(kind.to_owned()));
        add("media.formats", Some(media.formats.join("|")));
        for (name, limits) in [
            ("seconds", media.seconds),
            ("pixels", media.pixels),
            ("framesPerSecond", media.frames_per_second),
            ("megabytes", media.megabytes),
        ] {
            let stated = limits != Span::ANY;
            add(
                &format!("{MEDIA}{name}"),
                stated.then(|| span(limits.minimum, limits.maximum)),
            );
        }
    }
    rules
}

/// The schema whose fields a generated field has.
fn object_name(field: &Field) -> Option<&'static str> {
    if field.fields.is_empty() {
        return None;
    }
    let mut all = limits::ALL.iter();
    let (name, _) = all
        .find(|(_, fields)| *fields == field.fields)
        .unwrap_or_else(|| panic!("{} has the fields of no schema", field.name));
    Some(name)
}

/// A row as one line, and a second one for its media.
pub fn lines(row: &Row) -> String {
    let mut line = row.place.clone();
    if let Some(required) = row.required {
        line.push_str(if required { "  required" } else { "  optional" });
    }
    let ends = |keyword: &str| FIRST.contains(&keyword) || keyword == "default";
    let middle = row.rules.keys().map(String::as_str);
    let middle = middle.filter(|keyword| !ends(keyword) && !keyword.starts_with(MEDIA));
    for keyword in FIRST.into_iter().chain(middle).chain(["default"]) {
        match (keyword, row.rules.get(keyword)) {
            (_, None) => {}
            ("type", Some(text)) => {
                let _ = write!(line, "  {text}");
            }
            (keyword, Some(text)) => {
                let _ = write!(line, "  {keyword}={text}");
            }
        }
    }
    line.push('\n');
    let media = row.rules.iter().filter_map(|(keyword, text)| {
        let keyword = keyword.strip_prefix(MEDIA)?;
        Some(format!("  {keyword}={text}"))
    });
    let media: String = media.collect();
    if !media.is_empty() {
        let _ = writeln!(line, "{}  media{media}", row.place);
    }
    line
}

fn joined<'a>(values: impl IntoIterator<Item = &'a Value>) -> String {
    let values: Vec<_> = values
        .into_iter()
        .map(|value| value.as_str().map_or_else(|| text(value), str::to_owned))
        .collect();
    values.join("|")
}

fn span(minimum: Option<f64>, maximum: Option<f64>) -> String {
    let end = |end: Option<f64>| end.map(number).unwrap_or_default();
    format!("{}..{}", end(minimum), end(maximum))
}

/// `2` and `2.0` are one number.
fn number(value: f64) -> String {
    value.to_string()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(value) => value.clone(),
        value => literal(value),
    }
}

fn literal(value: &Value) -> String {
    match value.as_f64() {
        Some(value) => number(value),
        None => value.to_string(),
    }
}
