//! The generated limits, and the spec that they come from.

use std::collections::{BTreeMap, BTreeSet};

use kling_omni_api::{Field, limits};
use kling_omni_tests::fail_on;
use kling_omni_tests::rules::{self, Row, Rules};
use kling_omni_tests::snapshots::{Kind, Snapshots};
use kling_omni_tests::sources;
use kling_omni_tests::spec::{Operation, SPEC, require_fresh_code};
use syn::{Item, Visibility};

const FOLDER: &str = "crates/kling-omni-api/src/generated/limits";

/// What one module of the generated limits is about.
enum Subject {
    Schema(&'static str),
    Parameters(&'static str),
}

/// Every module of the generated limits.
const MODULES: &[(&str, Subject, &[Field])] = &[
    (
        "video_reference_request",
        Subject::Schema("VideoReferenceRequest"),
        limits::video_reference_request::FIELDS,
    ),
    (
        "reference_to_video_request",
        Subject::Schema("ReferenceToVideoRequest"),
        limits::reference_to_video_request::FIELDS,
    ),
    (
        "list_reference_to_video_tasks",
        Subject::Parameters("listReferenceToVideoTasks"),
        limits::list_reference_to_video_tasks::FIELDS,
    ),
    (
        "get_reference_to_video_task",
        Subject::Parameters("getReferenceToVideoTask"),
        limits::get_reference_to_video_task::FIELDS,
    ),
    (
        "get_video_task",
        Subject::Parameters("getVideoTask"),
        limits::get_video_task::FIELDS,
    ),
];

#[test]
fn generated_limits() {
    let mut snapshots = Snapshots::all_of(Kind::Limits);
    for (name, _, fields) in MODULES {
        let lines: String = table(fields).values().map(rules::lines).collect();
        snapshots.check(name, &lines);
    }
    snapshots.finish();
}

#[test]
fn limits_say_what_the_spec_says() {
    require_fresh_code();
    let mut differences = Vec::new();
    for (name, subject, fields) in MODULES {
        let mut spec = match subject {
            Subject::Schema(schema) => of_schema(schema),
            Subject::Parameters(id) => of_parameters(operation(id)),
        };
        // Types are the business of the generated types, which the outlines show.
        for row in spec.values_mut() {
            row.rules.remove("type");
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
                    "limits::{name}\n  spec       {spec}  constants  {constant}"
                ));
            }
        }
    }
    fail_on(differences);
}

#[test]
fn every_request_and_every_parameter_has_limits() {
    let mut expected = BTreeMap::new();
    for operation in SPEC.operations() {
        if operation.is_callback {
            continue;
        }
        if !SPEC.parameters(&operation).is_empty() {
            expected.insert(operation.id.to_owned(), "parameters");
        }
        if let Some(schema) = SPEC.body_schema(&operation) {
            expected.insert(schema.to_owned(), "body");
        }
    }
    for (module, subject, _) in MODULES {
        let (Subject::Schema(name) | Subject::Parameters(name)) = subject;
        assert!(
            expected.remove(*name).is_some(),
            "limits::{module} is about {name}, which takes nothing"
        );
    }
    assert!(
        expected.is_empty(),
        "add these to the table above: {expected:?}"
    );
}

#[test]
fn every_constant_is_among_the_fields() {
    let mut modules: BTreeMap<_, _> = MODULES
        .iter()
        .map(|(name, _, fields)| (*name, fields))
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
            .unwrap_or_else(|| panic!("add limits::{name} to the table above"));
        let file = syn::parse_file(&sources::read(&path)).expect("generated code is Rust");
        let constants = file.items.iter().filter(|item| {
            matches!(item, Item::Const(item) if matches!(item.vis, Visibility::Public(_)) && item.ident != "FIELDS")
        });
        assert_eq!(constants.count(), fields.len(), "limits::{name}");
    }
    assert!(modules.is_empty());
}

fn table(fields: &[Field]) -> BTreeMap<String, Row> {
    let rows = fields.iter().map(|field| {
        let place = format!(".{}", field.name);
        let row = Row {
            place: place.clone(),
            required: Some(field.required),
            rules: rules::of_field(field),
        };
        (place, row)
    });
    rows.collect()
}

fn of_schema(name: &str) -> BTreeMap<String, Row> {
    rules::rows(&SPEC, SPEC.schema(name))
        .into_iter()
        .filter(|row| row.required.is_some())
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
