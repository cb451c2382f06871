//! The JSON Schema of a request, with the limits of the API's document.

use kling_omni_api::limits::element;
use kling_omni_api::{Field, Scalar};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::request::table::{FieldKind, RequestField};
use crate::route::Tier;

/// The JSON Schema of a request with the limits of the document, so editors validate a request file like the client.
/// `limits` has an item for each route: the limits of the first route apply, and a field is required if all routes
/// require it.
pub(super) fn request_schema(
    description: &str,
    table: &[RequestField],
    limits: &[&'static [Field]],
    values: impl IntoIterator<Item = Schema>,
    generator: &mut SchemaGenerator,
) -> Schema {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (field, mut schema) in table.iter().zip(values) {
        schema.insert("description".to_owned(), describe(field).into());
        let of_field = |rules: &&'static [Field]| rules.iter().find(|rule| rule.name == field.name);
        if limits
            .iter()
            .all(|rules| of_field(rules).is_some_and(|rule| rule.required))
        {
            required.push(field.name);
        }
        if let Some(rules) = limits.first().and_then(of_field) {
            add_limits(&mut schema, rules);
            if let Some(values) = schema.get_mut("enum").and_then(Value::as_array_mut) {
                values.retain(|value| is_offered(field.kind, value));
            }
        }
        properties.insert(field.name.to_owned(), schema.to_value());
    }
    let mut tier = generator.subschema_for::<Tier>();
    let text = "Quality tier of the video. It chooses the route and is not part of the body.";
    tier.insert("description".to_owned(), text.into());
    properties.insert("tier".to_owned(), tier.to_value());
    let mut schema = json_schema!({
        "description": description,
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    schema
}

/// Whether the SDK offers a value of the document for a field. New values of the document are not offered yet.
fn is_offered(kind: FieldKind, value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    match kind {
        FieldKind::Choice(names) => names().contains(&text),
        FieldKind::Seconds => text.parse::<u32>().is_ok(),
        _ => true,
    }
}

/// The description of a field in its JSON form.
fn describe(field: &RequestField) -> String {
    let text = field.text();
    let mut rest = text.chars();
    match (field.kind, rest.next()) {
        (FieldKind::Media, Some(first)) => {
            let urls = if field.is_list { "URLs" } else { "URL" };
            let first = first.to_lowercase();
            format!("Public http(s) {urls} of {first}{}", rest.as_str())
        }
        (FieldKind::Seconds, _) => format!("{}, as a string.", text.trim_end_matches('.')),
        _ => text,
    }
}

/// Adds the limits of the document to the schema of an element.
pub(super) fn add_element_limits(schema: &mut Schema) {
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else {
        return;
    };
    for field in element::FIELDS {
        let property = properties.get_mut(field.name);
        if let Some(Ok(property)) = property.map(<&mut Schema>::try_from) {
            add_limits(property, field);
        }
    }
}

fn add_limits(schema: &mut Schema, field: &Field) {
    // The Rust type of a number does not limit the API.
    schema.remove("format");
    let schema = schema.ensure_object();
    schema.extend(keywords(field));
    let items = schema.get_mut("items").map(<&mut Schema>::try_from);
    if let (Some(Ok(items)), Some(rules)) = (items, field.items) {
        add_limits(items, rules);
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
