//! What the spec demands, schema by schema and operation by operation.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use kling_omni_test_support::spec::{Operation, SPEC, entries, items, schema_name};
use kling_omni_tests::rules::{self, Row};
use kling_omni_tests::snapshots::Kind;
use serde_json::Value;

#[test]
fn constraint_tables() {
    let mut snapshots = Kind::Constraints.all();
    for (name, schema) in SPEC.schemas() {
        if schema["type"] == "object" {
            let lines: String = rules::rows(&SPEC, schema)
                .iter()
                .map(rules::lines)
                .collect();
            snapshots.check(name, &lines);
        }
    }
    for operation in SPEC.operations() {
        snapshots.check(&format!("op.{}", operation.id), &table(&operation));
    }
    for (name, response) in entries(&SPEC.document["components"]["responses"]) {
        snapshots.check(&format!("response.{name}"), &of_response(response));
    }
    snapshots.finish();
}

/// Schemas of single values have no table: they show in the lines of the fields that refer to them.
#[test]
fn every_schema_is_referred_to() {
    let mut names: BTreeSet<_> = SPEC.schemas().into_keys().collect();
    let mut nodes = vec![&SPEC.document];
    while let Some(node) = nodes.pop() {
        if let Some(name) = schema_name(node) {
            names.remove(name);
        }
        nodes.extend(entries(node).map(|(_, node)| node));
        nodes.extend(items(node));
    }
    assert!(
        names.is_empty(),
        "nothing refers to these schemas: {names:?}"
    );
}

fn table(operation: &Operation<'_>) -> String {
    let direction = if operation.is_callback {
        "sent by the service: "
    } else {
        ""
    };
    let mut text = format!("{direction}{} {}\n", operation.method, operation.path);
    let _ = writeln!(text, "keys: {}", keys(operation.node));
    let mut role: Vec<_> = entries(&operation.node["x-task"])
        .map(|(key, value)| format!("{key} {}", plain(value)))
        .collect();
    role.sort();
    if !role.is_empty() {
        let _ = writeln!(text, "task: {}", role.join(", "));
    }
    let mut parameters: Vec<_> = SPEC
        .parameters(operation)
        .into_iter()
        .map(|parameter| {
            let name = |key: &str| parameter[key].as_str().unwrap_or_default();
            rules::lines(&Row {
                place: format!("{} {}", name("in"), name("name")),
                required: Some(parameter["required"] == true),
                rules: rules::of_schema(SPEC.resolve(&parameter["schema"])),
            })
        })
        .collect();
    parameters.sort();
    text.extend(parameters);
    if let Some(body) = operation.node.get("requestBody") {
        let body = SPEC.resolve(body);
        let required = if body["required"] == true {
            "required"
        } else {
            "optional"
        };
        for content in contents(body) {
            let _ = writeln!(text, "body  {required}  {content}");
        }
    }
    let mut callbacks: Vec<_> = entries(&operation.node["callbacks"])
        .map(|(name, _)| name)
        .collect();
    callbacks.sort_unstable();
    for name in callbacks {
        let _ = writeln!(text, "callback {name}");
    }
    let mut responses: Vec<_> = entries(&operation.node["responses"]).collect();
    responses.sort_by_key(|(status, _)| *status);
    for (status, response) in responses {
        match component(response) {
            Some(name) => {
                let _ = writeln!(text, "{status}  {name}");
            }
            None => {
                let lines = of_response(response);
                let lines = lines.lines().map(|line| format!("{status}  {line}\n"));
                let _ = writeln!(text, "{status}");
                text.extend(lines);
            }
        }
    }
    text
}

fn of_response(response: &Value) -> String {
    let mut text = String::new();
    for content in contents(response) {
        let _ = writeln!(text, "{content}");
    }
    let mut headers: Vec<_> = entries(&response["headers"]).collect();
    headers.sort_by_key(|(name, _)| *name);
    for (name, header) in headers {
        let header = SPEC.resolve(header);
        text.push_str(&rules::lines(&Row {
            place: format!("header {name}"),
            required: Some(header["required"] == true),
            rules: rules::of_schema(SPEC.resolve(&header["schema"])),
        }));
    }
    text
}

/// A value without the quotes of JSON.
fn plain(value: &Value) -> String {
    value.to_string().replace('"', "")
}

/// The headers of which one has to carry a key; `,` joins those that are needed together.
fn keys(operation: &Value) -> String {
    let security = operation
        .get("security")
        .unwrap_or(&SPEC.document["security"]);
    let choices: Vec<_> = items(security)
        .map(|together| {
            let headers: Vec<_> = entries(together)
                .map(|(scheme, _)| {
                    let scheme = &SPEC.document["components"]["securitySchemes"][scheme];
                    scheme["name"].as_str().expect("a key has a header")
                })
                .collect();
            headers.join(",")
        })
        .collect();
    if choices.is_empty() {
        "none".to_owned()
    } else {
        choices.join(" | ")
    }
}

/// Media types, each with its schema.
fn contents(body: &Value) -> Vec<String> {
    let mut contents: Vec<_> = entries(&body["content"])
        .map(|(media_type, content)| format!("{media_type}  {}", schema(&content["schema"])))
        .collect();
    contents.sort();
    contents
}

fn schema(schema: &Value) -> String {
    let names: Vec<_> = items(&schema["oneOf"]).filter_map(schema_name).collect();
    match schema_name(schema) {
        Some(name) => name.to_owned(),
        None if !names.is_empty() => names.join(" | "),
        None => schema.to_string(),
    }
}

/// The name of the component that a `$ref` leads to.
fn component(node: &Value) -> Option<&str> {
    node.get("$ref")?.as_str()?.rsplit('/').next()
}
