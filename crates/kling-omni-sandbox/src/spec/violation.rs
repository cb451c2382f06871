//! Converts violations of a schema to the form of the service.

use std::collections::BTreeMap;

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde::Serialize;
use serde_json::Value;

/// The name for a violation of the body itself.
const BODY: &str = "body";

/// One violation, in the form of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct InvalidParam {
    pub(crate) name: String,
    pub(crate) reason: String,
}

/// Returns one entry for each violation, sorted by name.
pub(super) fn violations<'a>(
    errors: impl Iterator<Item = ValidationError<'a>>,
) -> Vec<InvalidParam> {
    let mut by_name: BTreeMap<String, Vec<ValidationError<'a>>> = BTreeMap::new();
    for error in errors {
        by_name.entry(name(&error)).or_default().push(error);
    }
    let mut params = Vec::new();
    for (name, errors) in by_name {
        // A value of the wrong type violates other rules for that reason only.
        let is_type =
            |error: &&ValidationError| matches!(error.kind(), ValidationErrorKind::Type { .. });
        let type_error = errors.iter().find(is_type);
        let reported = type_error.map_or(errors.as_slice(), std::slice::from_ref);
        params.extend(reported.iter().map(|error| InvalidParam {
            name: name.clone(),
            reason: reason(error),
        }));
    }
    params
}

/// Returns the path of the field, such as `prompt` or `elements.0.frontal_image_url`.
fn name(error: &ValidationError) -> String {
    let mut name = String::new();
    let mut add = |step: &str| {
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(step);
    };
    for step in error.instance_path().as_str().split('/').skip(1) {
        add(&step.replace("~1", "/").replace("~0", "~"));
    }
    if let ValidationErrorKind::Required { property } = error.kind() {
        add(&text(property));
    }
    if name.is_empty() {
        BODY.to_owned()
    } else {
        name
    }
}

/// Returns the violated rule, without the value.
fn reason(error: &ValidationError) -> String {
    use ValidationErrorKind as Rule;
    match error.kind() {
        Rule::Required { .. } => "is required".to_owned(),
        Rule::Type { kind } => format!("must be {}", types(kind)),
        Rule::Enum { options } => format!("must be one of {}", list(options)),
        Rule::Minimum { limit } => format!("must be {limit} or more"),
        Rule::Maximum { limit } => format!("must be {limit} or less"),
        Rule::ExclusiveMinimum { limit } => format!("must be more than {limit}"),
        Rule::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        Rule::MinLength { limit } => {
            let given = characters(error.instance());
            format!("must have {limit} characters or more, has {given}")
        }
        Rule::MaxLength { limit } => {
            let given = characters(error.instance());
            format!("must have {limit} characters or fewer, has {given}")
        }
        Rule::MinItems { limit } => format!("must have {limit} items or more"),
        Rule::MaxItems { limit } => format!("must have {limit} items or fewer"),
        Rule::Format { format } if format == "uri" => "must be an absolute URI".to_owned(),
        Rule::Format { format } => format!("must have the format {format}"),
        Rule::Pattern { pattern } => format!("must match the pattern {pattern}"),
        _ => error.masked().to_string(),
    }
}

fn types(kind: &TypeKind) -> String {
    let named = |name: &str| match name {
        "integer" => "a whole number".to_owned(),
        "array" | "object" => format!("an {name}"),
        "null" => "null".to_owned(),
        name => format!("a {name}"),
    };
    match kind {
        TypeKind::Single(one) => named(one.as_str()),
        TypeKind::Multiple(several) => {
            let names: Vec<String> = several.iter().map(|one| named(one.as_str())).collect();
            names.join(" or ")
        }
    }
}

fn list(options: &Value) -> String {
    let options = options.as_array().map_or(&[][..], Vec::as_slice);
    options.iter().map(text).collect::<Vec<_>>().join(", ")
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn characters(value: &Value) -> usize {
    value.as_str().map_or(0, |text| text.chars().count())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn violations_name_field_and_rule() {
        let cases = [
            (json!({"required": ["a"]}), json!({}), "a is required"),
            (
                json!({"type": "object"}),
                json!(1),
                "body must be an object",
            ),
            (
                json!({"properties": {"a": {"type": ["string", "null"], "maxLength": 2}}}),
                json!({"a": 1}),
                "a must be null or a string",
            ),
            (
                json!({"properties": {"a": {"type": "string", "enum": ["x", "y"]}}}),
                json!({"a": 1}),
                "a must be a string",
            ),
            (
                json!({"properties": {"a": {"enum": ["x", 2]}}}),
                json!({"a": "long".repeat(999)}),
                "a must be one of x, 2",
            ),
            (
                json!({"properties": {"a": {"items": {"required": ["b/c"]}}}}),
                json!({"a": [{}]}),
                "a.0.b/c is required",
            ),
            (
                json!({"properties": {"a/b": {"maxLength": 3, "pattern": "^x"}}}),
                json!({"a/b": "ääää"}),
                "a/b must have 3 characters or fewer, has 4; a/b must match the pattern ^x",
            ),
            (
                json!({"properties": {"b": {"minimum": 1}, "a": {"maximum": 0.5}}}),
                json!({"a": 1, "b": 0}),
                "a must be 0.5 or less; b must be 1 or more",
            ),
            (
                json!({"properties": {"a": {"uniqueItems": true}}}),
                json!({"a": ["secret", "secret"]}),
                "a value has non-unique elements",
            ),
        ];
        for (schema, value, expected) in cases {
            let validator = jsonschema::validator_for(&schema).unwrap();
            let reported: Vec<String> = violations(validator.iter_errors(&value))
                .iter()
                .map(|param| format!("{} {}", param.name, param.reason))
                .collect();
            assert_eq!(reported.join("; "), expected);
        }
    }
}
