//! The generated limits, and the spec that they come from.

use std::collections::{BTreeMap, BTreeSet};

use heck::ToSnakeCase as _;
use kling_omni_api::{Field, limits};
use kling_omni_test_support::fail_on;
use kling_omni_test_support::sources;
use kling_omni_test_support::spec::{
    Operation, SPEC, entries, items, require_fresh_code, schema_name,
};
use kling_omni_tests::rules::{self, Row, Rules};
use serde_json::Value;
use syn::{Item, Visibility};

const FOLDER: &str = "crates/kling-omni-api/src/generated/limits";

#[test]
fn limits_say_what_the_spec_says() {
    require_fresh_code();
    let mut differences = Vec::new();
    for (subject, fields) in limits::ALL {
        let mut spec = match SPEC.schemas().get(subject) {
            Some(schema) => of_schema(schema),
            None => of_parameters(operation(subject)),
        };
        // Types are the business of the generated types; those of objects name their fields.
        for row in spec.values_mut() {
            row.rules.retain(|keyword, name| {
                keyword != "type" || SPEC.schemas().contains_key(name.as_str())
            });
        }
        let constants = table(fields);
        let places: BTreeSet<_> = spec.keys().chain(constants.keys()).collect();
        for place in places {
            let line = |rows: &BTreeMap<_, _>| {
                rows.get(place)
                    .map_or_else(|| "nothing\n".to_owned(), rules::lines)
            };
            let (spec, constant) = (line(&spec), line(&constants));
            if spec != constant {
                differences.push(format!(
                    "limits of {subject}\n  spec       {spec}  constants  {constant}"
                ));
            }
        }
    }
    fail_on(differences);
}

#[test]
fn every_request_and_every_parameter_has_limits() {
    let mut expected = BTreeSet::new();
    for operation in SPEC.operations() {
        if operation.is_callback {
            continue;
        }
        if !SPEC.parameters(&operation).is_empty() {
            expected.insert(operation.id);
        }
        if let Some(body) = operation.node.get("requestBody") {
            objects(body, &mut expected);
        }
    }
    let found: BTreeSet<_> = limits::ALL.iter().map(|(subject, _)| *subject).collect();
    assert_eq!(found, expected);
}

/// Adds the object schemas that a node of the spec leads to.
fn objects(node: &'static Value, names: &mut BTreeSet<&'static str>) {
    if let Some(name) = schema_name(node) {
        let schema = SPEC.schema(name);
        if schema["type"] == "object" {
            names.insert(name);
        }
        objects(schema, names);
    }
    entries(node).for_each(|(_, node)| objects(node, names));
    items(node).for_each(|node| objects(node, names));
}

#[test]
fn every_constant_is_among_the_fields() {
    let mut modules: BTreeMap<_, _> = limits::ALL
        .iter()
        .map(|(subject, fields)| (subject.to_snake_case(), fields))
        .collect();
    for path in sources::files_below(FOLDER) {
        let name = path
            .trim_start_matches(FOLDER)
            .trim_matches('/')
            .trim_end_matches(".rs");
        if name == "mod" {
            continue;
        }
        let fields = modules
            .remove(name)
            .unwrap_or_else(|| panic!("limits::ALL lacks {name}"));
        let file = syn::parse_file(&sources::read(&path)).expect("generated code is Rust");
        let constants = file.items.iter().filter(|item| {
            matches!(item, Item::Const(item) if matches!(item.vis, Visibility::Public(_)) && item.ident != "FIELDS")
        });
        assert_eq!(constants.count(), fields.len(), "limits::{name}");
    }
    assert!(modules.is_empty());
}

fn table(fields: &[Field]) -> BTreeMap<String, Row> {
    let rows = rules::field_rows(fields).into_iter();
    rows.map(|row| (row.place.clone(), row)).collect()
}

fn of_schema(schema: &Value) -> BTreeMap<String, Row> {
    rules::rows(&SPEC, schema)
        .into_iter()
        .filter(|row| row.place != ".")
        .map(|row| (row.place.clone(), row))
        .collect()
}

fn of_parameters(operation: Operation<'_>) -> BTreeMap<String, Row> {
    let parameters = SPEC.parameters(&operation);
    let rows = parameters.into_iter().map(|parameter| {
        let place = format!(".{}", parameter["name"].as_str().unwrap_or_default());
        let rules: Rules = rules::of_schema(SPEC.resolve(&parameter["schema"]));
        let row = Row {
            place: place.clone(),
            required: Some(parameter["required"] == true),
            rules,
        };
        (place, row)
    });
    rows.collect()
}

fn operation(id: &str) -> Operation<'static> {
    SPEC.operations()
        .into_iter()
        .find(|operation| operation.id == id)
        .unwrap_or_else(|| panic!("the spec has no operation {id}"))
}
