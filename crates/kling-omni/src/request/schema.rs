//! The limits of the API's document in the JSON Schema of a request.

use kling_omni_api::limits::element;
use kling_omni_api::{Field, Scalar};
use schemars::Schema;
use serde_json::{Value, json};

use crate::request::fields::Fields;

/// Writes the spec's limits into the JSON Schema of a request, so that editors check a request file as the client will.
pub(super) fn add_limits<F: Fields>(schema: &mut Schema) {
    of_object(schema, F::RULES);
}

/// The same for the objects in a request.
pub(super) fn add_element_limits(schema: &mut Schema) {
    of_object(schema, element::FIELDS);
}

fn of_object(schema: &mut Schema, fields: &[Field]) {
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else {
        return;
    };
    for field in fields {
        if let Some(property) = properties.get_mut(field.name) {
            add(property, field);
        }
    }
}

fn add(value: &mut Value, field: &Field) {
    let Value::Object(schema) = value else {
        return;
    };
    schema.extend(keywords(field));
    if let (Some(items), Some(rules)) = (schema.get_mut("items"), field.items) {
        add(items, rules);
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
        ("minItems", field.min_items.map(Value::from)),
        ("maxItems", field.max_items.map(Value::from)),
        (
            "enum",
            (!field.values.is_empty()).then(|| json!(field.values)),
        ),
        ("default", default),
    ]
    .into_iter()
    .filter_map(|(keyword, value)| Some((keyword.to_owned(), value?)))
}
