use kling_omni_api::{Field, Media, MediaKind, Scalar, Span, limits};
use serde_json::{Map, Value, json};

use crate::service::{operation, resolve, spec};

fn number(value: f64) -> Value {
    json!(value)
}

/// A field as the spec would write it, every rule that the type knows.
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
    Value::Object(rules)
}

fn media(media: Media) -> Value {
    let mut rules = Map::new();
    let kind = match media.kind {
        MediaKind::Video => "video",
        MediaKind::Image => "image",
    };
    rules.insert("kind".to_owned(), json!(kind));
    rules.insert("formats".to_owned(), json!(media.formats));
    for (key, span) in [
        ("seconds", media.seconds),
        ("pixels", media.pixels),
        ("framesPerSecond", media.frames_per_second),
        ("megabytes", media.megabytes),
    ] {
        if span != Span::ANY {
            let mut ends = Map::new();
            for (key, end) in [("minimum", span.minimum), ("maximum", span.maximum)] {
                ends.extend(end.map(|end| (key.to_owned(), number(end))));
            }
            rules.insert(key.to_owned(), Value::Object(ends));
        }
    }
    Value::Object(rules)
}

/// The rules of a schema in the spec, told from its prose, with every number as a float.
fn written(schema: &'static Value, required: bool) -> Value {
    const PROSE: [&str; 5] = [
        "type",
        "description",
        "example",
        "x-enum-varnames",
        "nullable",
    ];
    let mut rules = Map::new();
    if required {
        rules.insert("required".to_owned(), json!(true));
    }
    for (key, value) in resolve(schema).as_object().expect("a schema") {
        if !PROSE.contains(&key.as_str()) {
            rules.insert(key.clone(), floats(value));
        }
    }
    Value::Object(rules)
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

/// The constants and the spec are read independently here: one as Rust, the other as JSON.
#[test]
fn every_request_field_says_what_the_spec_says() {
    for (schema, fields) in [
        (
            "VideoReferenceRequest",
            limits::video_reference_request::FIELDS,
        ),
        (
            "ReferenceToVideoRequest",
            limits::reference_to_video_request::FIELDS,
        ),
    ] {
        let schema = &spec()["components"]["schemas"][schema];
        let properties = schema["properties"].as_object().expect("properties");
        assert_eq!(fields.len(), properties.len());
        for field in fields {
            let empty = Vec::new();
            let required = schema["required"].as_array().unwrap_or(&empty);
            let required = required.contains(&json!(field.name));
            let property = properties.get(field.name).expect(field.name);
            assert_eq!(stated(field), written(property, required), "{}", field.name);
        }
    }
}

#[test]
fn every_parameter_says_what_the_spec_says() {
    for (id, fields) in [
        (
            "listReferenceToVideoTasks",
            limits::list_reference_to_video_tasks::FIELDS,
        ),
        (
            "getReferenceToVideoTask",
            limits::get_reference_to_video_task::FIELDS,
        ),
        ("getVideoTask", limits::get_video_task::FIELDS),
    ] {
        let parameters = operation(id)["parameters"].as_array().expect("parameters");
        assert_eq!(fields.len(), parameters.len(), "{id}");
        for (field, parameter) in fields.iter().zip(parameters) {
            let parameter = resolve(parameter);
            assert_eq!(parameter["name"], field.name);
            let required = parameter["required"] == true;
            assert_eq!(
                stated(field),
                written(&parameter["schema"], required),
                "{}",
                field.name
            );
        }
    }
}

#[test]
fn defaults_print_as_a_person_would_write_them() {
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
