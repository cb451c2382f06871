//! Lint of schemas: types and keywords that the generator supports.

use std::collections::BTreeMap;

use crate::finding::Findings;
use crate::limits::asked;
use crate::prepare::generated_schemas;
use crate::rules;
use crate::spec::{Spec, schema_name};
use openapi_diff::tree::{Node, join};

/// Keywords for every type.
const ANY: [&str; 9] = [
    "default",
    "deprecated",
    "description",
    "enum",
    "example",
    "format",
    "nullable",
    "type",
    "externalDocs",
];

/// What each type may have besides, and which formats the generator gets right without a further crate.
const TYPES: [(&str, &[&str], &[&str]); 6] = [
    ("string", &["minLength", "maxLength"], &["uri"]),
    ("integer", &["minimum", "maximum"], &["int32", "int64"]),
    ("number", &["minimum", "maximum"], &["float", "double"]),
    ("boolean", &[], &[]),
    ("array", &["items", "minItems", "maxItems"], &[]),
    (
        "object",
        &["properties", "required", "additionalProperties"],
        &[],
    ),
];

const COMPOSITIONS: [&str; 5] = ["allOf", "anyOf", "discriminator", "not", "oneOf"];

/// Keywords that only requests may have: limits are generated for requests, not for responses.
const LIMITED: [&str; 2] = ["minItems", "maxItems"];

/// Checks every schema that code is generated from. Those of error responses are not among them.
pub fn check(spec: &Spec, findings: &mut Findings) {
    let generated = generated_schemas(spec);
    // A body that cannot be followed is reported where references are.
    let asked = asked(spec).unwrap_or_default();
    for (name, schema) in spec.schemas() {
        if generated.contains(name) {
            let pointer = join("/components/schemas", name);
            if schema.get("enum").is_some() {
                super::enums::check(&pointer, schema, findings);
            }
            one(&pointer, schema, true, findings);
            if !asked.contains(name) {
                unlimited(&pointer, schema, findings);
            } else if is_map(schema) {
                findings.add_unsupported_keyword(&pointer, "additionalProperties");
            }
        }
    }
    for operation in spec.operations() {
        for (pointer, parameter) in operation.parameters() {
            let Ok((pointer, parameter)) = spec.locate(&pointer, parameter) else {
                continue;
            };
            if let Some(schema) = parameter.get("schema") {
                one(&join(&pointer, "schema"), schema, false, findings);
            }
        }
    }
    recursion(spec, findings);
}

fn one(pointer: &str, schema: &Node, named: bool, findings: &mut Findings) {
    if schema.get("$ref").is_some() {
        if named {
            let message =
                "a component that is only a `$ref` gets no Rust type; refer to the target";
            findings.add(&rules::BROKEN_REFERENCE, pointer, message);
        }
        return;
    }
    if schema.get("enum").is_some() && !named {
        let message = "an enum needs a name: move it to components/schemas and use a `$ref`";
        findings.add(&rules::INLINE_ENUM, pointer, message);
    }
    let composed = COMPOSITIONS.iter().filter(|key| schema.get(key).is_some());
    let composed: Vec<_> = composed.collect();
    for keyword in &composed {
        let message = format!("`{keyword}` has no plain Rust type; write one schema");
        findings.add(&rules::COMPOSITION, &join(pointer, keyword), message);
    }
    let kind = schema.text("type").unwrap_or_default();
    let Some((_, keywords, formats)) = TYPES.iter().find(|(name, _, _)| *name == kind) else {
        if composed.is_empty() {
            let known = TYPES.map(|(name, _, _)| name).join(", ");
            let message = match schema.get("type") {
                Some(Node::List(_)) => format!(
                    "a list of types is OpenAPI 3.1, and code is generated from 3.0: write one `type` of {known}, and `nullable: true` for null"
                ),
                _ => format!("`type` must be one of {known}"),
            };
            findings.add(&rules::TYPE, pointer, message);
        }
        return;
    };
    for (key, _) in schema.entries() {
        let known = ANY.contains(&key) || keywords.contains(&key) || COMPOSITIONS.contains(&key);
        if !known && !key.starts_with("x-") {
            findings.add_unsupported_keyword(pointer, key);
        }
    }
    if let Some(format) = schema.text("format")
        && !formats.contains(&format)
    {
        let known = match formats {
            [] => "none".to_owned(),
            known => known.join(", "),
        };
        let message = format!("`{format}` is not known for this type; known: {known}");
        findings.add(&rules::UNKNOWN_FORMAT, &join(pointer, "format"), message);
    }
    bounds(pointer, schema, findings);
    default(pointer, schema, kind, findings);
    match kind {
        "object" if !named => {
            let message = "an object needs a name: move it to components/schemas and use a `$ref`";
            findings.add(&rules::INLINE_OBJECT, pointer, message);
        }
        "object" => object(pointer, schema, findings),
        "array" => match schema.get("items") {
            Some(items) => one(&join(pointer, "items"), items, false, findings),
            None => findings.add(&rules::TYPE, pointer, "an array needs `items`"),
        },
        _ => {}
    }
}

/// Reports the limits of lists in a schema that no request leads to.
fn unlimited(pointer: &str, schema: &Node, findings: &mut Findings) {
    schema.walk(pointer, &mut |pointer, node| {
        if node.text("type") == Some("array") {
            for key in LIMITED.iter().filter(|key| node.get(key).is_some()) {
                findings.add_unsupported_keyword(pointer, key);
            }
        }
    });
}

/// Whether an object has names of any kind with texts behind them. Only responses may: a request has limits, which go by
/// name.
fn is_map(schema: &Node) -> bool {
    schema.get("properties").is_none()
        && schema
            .get("additionalProperties")
            .is_some_and(|values| values.text("type") == Some("string"))
}

fn object(pointer: &str, schema: &Node, findings: &mut Findings) {
    if is_map(schema)
        && let Some(values) = schema.get("additionalProperties")
    {
        return one(
            &join(pointer, "additionalProperties"),
            values,
            false,
            findings,
        );
    }
    if !matches!(
        schema.get("additionalProperties"),
        None | Some(Node::Flag(false))
    ) {
        findings.add_unsupported_keyword(pointer, "additionalProperties");
    }
    let properties = schema.get("properties");
    if properties.is_none_or(|all| all.entries().count() == 0) {
        findings.add_missing_part(pointer, "properties");
    }
    for (name, property) in properties.into_iter().flat_map(Node::entries) {
        one(
            &join(&join(pointer, "properties"), name),
            property,
            false,
            findings,
        );
    }
    let Some(required) = schema.get("required") else {
        return;
    };
    let here = join(pointer, "required");
    if !matches!(required, Node::List(_)) {
        findings.add(
            &rules::TYPE,
            &here,
            "`required` of an object is a list of names",
        );
    }
    for name in required.items() {
        let name = name.as_text().unwrap_or_default();
        if properties.and_then(|all| all.get(name)).is_none() {
            let message = format!("`{name}` is required but no property");
            findings.add(&rules::UNKNOWN_REQUIRED, &here, message);
        }
    }
}

fn bounds(pointer: &str, schema: &Node, findings: &mut Findings) {
    for (least, most) in [
        ("minLength", "maxLength"),
        ("minItems", "maxItems"),
        ("minimum", "maximum"),
    ] {
        for key in [least, most] {
            let Some(bound) = schema.get(key) else {
                continue;
            };
            let fit = match key.ends_with("imum") {
                true => bound.as_f64().is_some(),
                false => bound.as_u64().is_some(),
            };
            if !fit {
                findings.add(
                    &rules::BOUND,
                    &join(pointer, key),
                    format!("`{key}` is not a number that fits"),
                );
            }
        }
        let bound = |key| schema.get(key).and_then(Node::as_f64);
        if let (Some(low), Some(high)) = (bound(least), bound(most))
            && low > high
        {
            let message = format!("`{least}` {low} is above `{most}` {high}");
            findings.add(&rules::BOUND, pointer, message);
        }
    }
}

fn default(pointer: &str, schema: &Node, kind: &str, findings: &mut Findings) {
    let Some(value) = schema.get("default") else {
        return;
    };
    let here = join(pointer, "default");
    let fit = match kind {
        "string" => value.as_text().is_some(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.as_f64().is_some(),
        "boolean" => matches!(value, Node::Flag(_)),
        _ => false,
    };
    if !fit {
        findings.add(
            &rules::DEFAULT,
            &here,
            format!("it is not of the type `{kind}`"),
        );
        return;
    }
    if let Some(values) = schema.get("enum")
        && !values.items().contains(value)
    {
        findings.add(&rules::DEFAULT, &here, "it is not one of the values");
    }
    let bound = |key| schema.get(key).and_then(Node::as_f64);
    let (size, low, high) = match value {
        Node::Text(text) => {
            let length = text.chars().count() as f64;
            (length, bound("minLength"), bound("maxLength"))
        }
        other => (
            other.as_f64().unwrap_or_default(),
            bound("minimum"),
            bound("maximum"),
        ),
    };
    if low.is_some_and(|low| size < low) || high.is_some_and(|high| size > high) {
        findings.add(
            &rules::DEFAULT,
            &here,
            "it is out of the schema's own bounds",
        );
    }
}

/// Finds schemas that contain themselves: the limits of such a request have no end.
fn recursion(spec: &Spec, findings: &mut Findings) {
    let mut leads_to: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    // A schema that is only a `$ref` is reported where references are followed.
    for (name, schema) in spec
        .schemas()
        .filter(|(_, schema)| schema.get("$ref").is_none())
    {
        let targets = leads_to.entry(name).or_default();
        schema.walk("", &mut |_, node| {
            targets.extend(node.text("$ref").and_then(schema_name));
        });
    }
    for start in leads_to.keys() {
        let mut ahead = leads_to[start].clone();
        let mut seen = Vec::new();
        while let Some(name) = ahead.pop() {
            if name == *start {
                let pointer = join("/components/schemas", start);
                findings.add(
                    &rules::BROKEN_REFERENCE,
                    &pointer,
                    "the schema contains itself",
                );
                break;
            }
            if !seen.contains(&name) {
                seen.push(name);
                ahead.extend(leads_to.get(name).into_iter().flatten().copied());
            }
        }
    }
}
