//! Validates values against a schema of the document.

use jsonschema::{Draft, Validator};
use serde_json::{Map, Value, json};

use super::violation::{InvalidParam, violations};

/// A compiled schema of the document.
#[derive(Debug)]
pub(crate) struct Schema {
    validator: Validator,
    properties: Map<String, Value>,
}

impl Schema {
    /// Compiles a schema of an OpenAPI 3.0 document, whose `$ref`s refer to the document.
    pub(super) fn compile(document: &Value, schema: &Value) -> Result<Self, String> {
        let mut components = document["components"]["schemas"].clone();
        for component in components
            .as_object_mut()
            .into_iter()
            .flat_map(Map::values_mut)
        {
            upgrade(component);
        }
        let mut schema = schema.clone();
        upgrade(&mut schema);

        let root = json!({ "components": { "schemas": components }, "allOf": [schema] });
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true)
            .build(&root)
            .map_err(|error| error.to_string())?;
        let properties = resolve(&root, &root["allOf"][0])["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, property)| (name.clone(), resolve(&root, property).clone()))
            .collect();
        Ok(Self {
            validator,
            properties,
        })
    }

    /// Returns all violations of `value`, sorted by name.
    pub(crate) fn check(&self, value: &Value) -> Vec<InvalidParam> {
        violations(self.validator.iter_errors(value))
    }

    /// Returns a property of `value`, or its default in the document, as text.
    pub(crate) fn text(&self, value: &Value, property: &str) -> Option<String> {
        match self.value(value, property)? {
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    /// Returns an integer property of `value`, or its default in the document.
    pub(crate) fn number(&self, value: &Value, property: &str) -> Option<u64> {
        self.value(value, property)?.as_u64()
    }

    fn value<'a>(&'a self, value: &'a Value, property: &str) -> Option<&'a Value> {
        value
            .get(property)
            .or_else(|| self.properties.get(property)?.get("default"))
    }

    /// Parses a query to an object for [`check`](Self::check). Numbers and booleans are parsed; a value of the wrong type
    /// stays text. Of several values of one name, the last one is used.
    pub(crate) fn parse_query(&self, query: &str) -> Value {
        let parsed: Map<String, Value> = url::form_urlencoded::parse(query.as_bytes())
            .map(|(name, text)| {
                let property = self.properties.get(name.as_ref());
                let kind = property.map_or(&Value::Null, |property| &property["type"]);
                let value = match kind.as_str() {
                    Some("integer") => text.parse::<i64>().ok().map(Value::from),
                    Some("number") => text.parse::<f64>().ok().map(Value::from),
                    Some("boolean") => text.parse::<bool>().ok().map(Value::from),
                    _ => None,
                };
                let value = value.unwrap_or_else(|| Value::from(text.into_owned()));
                (name.into_owned(), value)
            })
            .collect();
        Value::Object(parsed)
    }
}

fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema["$ref"].as_str();
    match target.and_then(|reference| document.pointer(reference.trim_start_matches('#'))) {
        Some(target) => resolve(document, target),
        None => schema,
    }
}

/// Converts a schema of OpenAPI 3.0 to JSON Schema 2020-12, in place.
fn upgrade(schema: &mut Value) {
    let Some(keywords) = schema.as_object_mut() else {
        return;
    };
    // OpenAPI 3.0 ignores all keywords beside a `$ref`; JSON Schema does not.
    if keywords.contains_key("$ref") {
        keywords.retain(|keyword, _| keyword == "$ref");
        return;
    }
    if keywords.remove("nullable") == Some(Value::Bool(true))
        && let Some(kind) = keywords.get_mut("type")
    {
        *kind = json!([kind.take(), "null"]);
    }
    exclusive(keywords, "exclusiveMinimum", "minimum");
    exclusive(keywords, "exclusiveMaximum", "maximum");
    integer_bounds(keywords);

    for keyword in ["properties", "patternProperties"] {
        let schemas = keywords.get_mut(keyword).and_then(Value::as_object_mut);
        schemas
            .into_iter()
            .flatten()
            .for_each(|(_, schema)| upgrade(schema));
    }
    for keyword in ["allOf", "anyOf", "oneOf"] {
        let schemas = keywords.get_mut(keyword).and_then(Value::as_array_mut);
        schemas.into_iter().flatten().for_each(upgrade);
    }
    for keyword in ["items", "not", "additionalProperties"] {
        keywords.get_mut(keyword).into_iter().for_each(upgrade);
    }
}

/// Converts `exclusiveMinimum: true` and `minimum` to `exclusiveMinimum: NUMBER`.
fn exclusive(keywords: &mut Map<String, Value>, exclusive: &str, bound: &str) {
    if let Some(flag) = keywords.get(exclusive).and_then(Value::as_bool) {
        keywords.remove(exclusive);
        if flag && let Some(limit) = keywords.remove(bound) {
            keywords.insert(exclusive.to_owned(), limit);
        }
    }
}

/// Converts the formats `int32` and `int64` to bounds, unless the document has bounds. JSON Schema has formats of strings
/// only.
fn integer_bounds(keywords: &mut Map<String, Value>) {
    let (minimum, maximum) = match keywords.get("format").and_then(Value::as_str) {
        Some("int32") => (i64::from(i32::MIN), i64::from(i32::MAX)),
        Some("int64") => (i64::MIN, i64::MAX),
        _ => return,
    };
    for (bound, exclusive, limit) in [
        ("minimum", "exclusiveMinimum", minimum),
        ("maximum", "exclusiveMaximum", maximum),
    ] {
        if !keywords.contains_key(exclusive) {
            keywords.entry(bound).or_insert_with(|| limit.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upgrade_converts_to_json_schema() {
        let cases = [
            (
                json!({"type": "string", "nullable": true}),
                json!({"type": ["string", "null"]}),
            ),
            (
                json!({"type": "string", "nullable": false}),
                json!({"type": "string"}),
            ),
            (
                json!({"$ref": "#/components/schemas/A", "nullable": true}),
                json!({"$ref": "#/components/schemas/A"}),
            ),
            (
                json!({"minimum": 1, "exclusiveMinimum": true, "maximum": 2, "exclusiveMaximum": false}),
                json!({"exclusiveMinimum": 1, "maximum": 2}),
            ),
            (
                json!({"type": "integer", "format": "int32", "minimum": 1}),
                json!({"type": "integer", "format": "int32", "minimum": 1, "maximum": i32::MAX}),
            ),
            (
                json!({"properties": {"a": {"items": {"type": "string", "nullable": true}}}}),
                json!({"properties": {"a": {"items": {"type": ["string", "null"]}}}}),
            ),
            (
                json!({"allOf": [{"type": "number", "nullable": true}]}),
                json!({"allOf": [{"type": ["number", "null"]}]}),
            ),
        ];
        for (mut schema, expected) in cases {
            upgrade(&mut schema);
            assert_eq!(schema, expected);
        }
    }
}
