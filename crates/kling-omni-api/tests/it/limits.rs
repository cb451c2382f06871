//! The generated limits, compared with the document.

use kling_omni_api::{Field, Media, MediaKind, Scalar, Span, limits};
use serde_json::{Map, Value, json};

use crate::service::{operation, resolve, spec};

fn number(value: f64) -> Value {
    json!(value)
}

/// The limits of a field in the form of the document.
fn stated(field: &Field) -> Value {
    let mut rules = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            rules.insert(key.to_owned(), value);
        }
    };
    put("required", field.required.then_some(json!(true)));
    put("format", field.format.map(Into::into));
    put(
        "minLength",
        field.min_length.map(|bound| number(bound as f64)),
    );
    put(
        "maxLength",
        field.max_length.map(|bound| number(bound as f64)),
    );
    put("minimum", field.minimum.map(number));
    put("maximum", field.maximum.map(number));
    put(
        "enum",
        (!field.values.is_empty()).then(|| json!(field.values)),
    );
    put(
        "default",
        field.default.map(|default| match default {
            Scalar::Text(text) => json!(text),
            Scalar::Number(value) => number(value),
            Scalar::Flag(flag) => json!(flag),
        }),
    );
    put("x-media", field.media.map(media));
    let output = field.output_seconds.iter();
    let output: Map<_, _> = output
        .map(|(value, seconds)| ((*value).to_owned(), span(*seconds)))
        .collect();
    put(
        "x-output-seconds",
        (!output.is_empty()).then_some(Value::Object(output)),
    );
    put("minItems", field.min_items.map(|count| json!(count as f64)));
    put("maxItems", field.max_items.map(|count| json!(count as f64)));
    put("items", field.items.map(stated));
    put(
        "fields",
        (!field.fields.is_empty()).then(|| all(field.fields)),
    );
    Value::Object(rules)
}

/// The fields of an object by name.
fn all(fields: &[Field]) -> Value {
    let named = fields.iter();
    named
        .map(|field| (field.name.to_owned(), stated(field)))
        .collect()
}

fn media(media: Media) -> Value {
    let mut rules = Map::new();
    let kind = match media.kind {
        MediaKind::Video => "video",
        MediaKind::Image => "image",
    };
    rules.insert("kind".to_owned(), json!(kind));
    rules.insert("formats".to_owned(), json!(media.formats));
    for (key, limits) in [
        ("seconds", media.seconds),
        ("pixels", media.pixels),
        ("framesPerSecond", media.frames_per_second),
        ("megabytes", media.megabytes),
    ] {
        if limits != Span::ANY {
            rules.insert(key.to_owned(), span(limits));
        }
    }
    Value::Object(rules)
}

fn span(span: Span) -> Value {
    let ends = [("minimum", span.minimum), ("maximum", span.maximum)];
    let ends = ends.into_iter();
    ends.filter_map(|(key, end)| Some((key.to_owned(), number(end?))))
        .collect()
}

/// The limits of a schema in the document, without its prose, with every number as a float.
fn written(schema: &'static Value, required: bool) -> Value {
    const PROSE: [&str; 6] = [
        "type",
        "description",
        "example",
        "required",
        "x-enum-varnames",
        "nullable",
    ];
    let mut rules = Map::new();
    if required {
        rules.insert("required".to_owned(), json!(true));
    }
    for (key, value) in resolve(schema).as_object().expect("a schema") {
        match key.as_str() {
            "items" => rules.insert(key.clone(), written(value, false)),
            "properties" => rules.insert("fields".to_owned(), properties(resolve(schema))),
            key if PROSE.contains(&key) => None,
            _ => rules.insert(key.clone(), floats(value)),
        };
    }
    Value::Object(rules)
}

/// The limits of an object's properties by name.
fn properties(schema: &'static Value) -> Value {
    let empty = Vec::new();
    let required = schema["required"].as_array().unwrap_or(&empty);
    let properties = schema["properties"].as_object().expect("properties");
    properties
        .iter()
        .map(|(name, property)| {
            (
                name.clone(),
                written(property, required.contains(&json!(name))),
            )
        })
        .collect()
}

fn floats(value: &Value) -> Value {
    match value {
        Value::Number(value) => number(value.as_f64().expect("a number")),
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), floats(value)))
            .collect(),
        other => other.clone(),
    }
}

/// The constants and the document are read independently: as Rust, and as JSON.
#[test]
fn limits_match_the_document() {
    for (subject, fields) in limits::ALL {
        let stated = all(fields);
        assert_eq!(stated.as_object().map(Map::len), Some(fields.len()));
        let schema = &spec()["components"]["schemas"][subject];
        let written = match schema.is_object() {
            true => properties(schema),
            false => parameters(subject),
        };
        assert_eq!(stated, written, "{subject}");
    }
}

/// The limits of an operation's parameters by name.
fn parameters(id: &str) -> Value {
    let parameters = operation(id)["parameters"].as_array().expect("parameters");
    parameters
        .iter()
        .map(|parameter| {
            let parameter = resolve(parameter);
            let name = parameter["name"].as_str().expect("a name");
            let rules = written(&parameter["schema"], parameter["required"] == true);
            (name.to_owned(), rules)
        })
        .collect()
}

#[test]
fn defaults_display_in_short_form() {
    let printed = [
        Scalar::Text("auto"),
        Scalar::Number(20.0),
        Scalar::Number(0.5),
        Scalar::Flag(true),
    ];
    assert_eq!(
        printed.map(|one| one.to_string()),
        ["auto", "20", "0.5", "true"]
    );
}
