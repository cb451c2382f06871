//! The spec itself: its examples and defaults obey its rules, and the generated crate carries it unchanged.

use kling_omni_test_support::fail_on;
use kling_omni_test_support::spec::{SPEC, complaints, entries, items, require_fresh_code};
use serde_json::Value;

#[test]
fn the_embedded_spec_is_the_spec() {
    require_fresh_code();
}

#[test]
fn every_example_and_default_obeys_its_schema() {
    let mut checked = 0;
    let mut problems = Vec::new();
    visit(&SPEC.document, "", &mut |pointer, node| {
        if let Some((schema, values)) = values_with_schema(node) {
            let judge = SPEC.validator_for(schema);
            for (name, value) in values {
                checked += 1;
                let found = complaints(&judge, value);
                problems.extend(
                    found
                        .iter()
                        .map(|problem| format!("{pointer}/{name}: {problem}")),
                );
            }
        }
    });
    fail_on(problems);
    assert!(
        checked > 50,
        "{checked} examples are too few: they were not found"
    );
}

#[test]
fn every_example_is_used() {
    let text = SPEC.document.to_string();
    for (name, _) in entries(&SPEC.document["components"]["examples"]) {
        assert!(
            text.contains(&format!("\"#/components/examples/{name}\"")),
            "nothing refers to the example {name}"
        );
    }
}

/// The values that a node says to be valid for a schema: of a media type or parameter beside its `schema`, or of a
/// schema for itself.
fn values_with_schema(node: &Value) -> Option<(&Value, Vec<(String, &Value)>)> {
    let mut values: Vec<_> = ["example", "default"]
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), node.get(key)?)))
        .collect();
    values.extend(
        entries(&node["examples"])
            .map(|(name, example)| (format!("examples/{name}"), &SPEC.resolve(example)["value"])),
    );
    let schema = match node.get("schema") {
        Some(schema) => schema,
        None if node["type"].is_string() => node,
        None => return None,
    };
    Some((schema, values))
}

/// Walks the document, without the values of examples and without keys, whose `type` is not that of a schema.
fn visit<'a>(node: &'a Value, pointer: &str, look: &mut impl FnMut(&str, &'a Value)) {
    look(pointer, node);
    for (key, child) in entries(node) {
        if !matches!(
            key,
            "example" | "examples" | "default" | "enum" | "securitySchemes"
        ) {
            visit(child, &format!("{pointer}/{key}"), look);
        }
    }
    for (index, child) in items(node).enumerate() {
        visit(child, &format!("{pointer}/{index}"), look);
    }
}
