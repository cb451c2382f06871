use kling_omni_api::limits::video_reference_request::FIELDS;
use kling_omni_api::{Field, Scalar};
use schemars::Schema;
use serde_json::{Value, json};

/// Writes the spec's limits into the JSON Schema of a request, so that editors check a request file as the client will.
pub(super) fn add_limits(schema: &mut Schema) {
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else {
        return;
    };
    for field in FIELDS {
        if let Some(Value::Object(property)) = properties.get_mut(field.name) {
            property.extend(keywords(field));
        }
    }
}

fn keywords(field: &Field) -> impl Iterator<Item = (String, Value)> {
    let default = field.default.map(|default| match default {
        Scalar::Text(text) => json!(text),
        Scalar::Number(number) => json!(number),
        Scalar::Flag(flag) => json!(flag),
    });
    [
        ("format", field.format.map(Value::from)),
        ("minLength", field.min_length.map(Value::from)),
        ("maxLength", field.max_length.map(Value::from)),
        ("minimum", field.minimum.map(Value::from)),
        ("maximum", field.maximum.map(Value::from)),
        (
            "enum",
            (!field.values.is_empty()).then(|| json!(field.values)),
        ),
        ("default", default),
    ]
    .into_iter()
    .filter_map(|(keyword, value)| Some((keyword.to_owned(), value?)))
}
