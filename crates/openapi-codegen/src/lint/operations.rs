//! Lint of operations: parameters, bodies and responses.

use std::collections::BTreeSet;

use crate::finding::Findings;
use crate::rules;
use openapi_diff::document::METHODS;

use crate::spec::{Operation, Spec};
use openapi_diff::tree::{Node, join};

/// Keys of a path item that generation understands, besides the methods.
const ITEM_KEYS: [&str; 3] = ["description", "parameters", "summary"];

/// Keys of an operation that would change what is sent, and that the generator skips.
const OVERRIDES: [&str; 2] = ["security", "servers"];

pub fn check(spec: &Spec, findings: &mut Findings) {
    let paths = spec.tree.get("paths");
    for (path, item) in paths.into_iter().flat_map(Node::entries) {
        let pointer = join("/paths", path);
        for (key, _) in item.entries() {
            if !METHODS.contains(&key) && !ITEM_KEYS.contains(&key) && !key.starts_with("x-") {
                let why = "the generator does not read this of a path";
                findings.add_ignored(&join(&pointer, key), why);
            }
        }
    }
    for operation in spec.operations() {
        let pointer = operation.pointer();
        if operation.id().is_none() {
            let message = "the operation has no `operationId`, which names its Rust method";
            findings.add(&rules::MISSING_OPERATION_ID, &pointer, message);
        }
        for key in OVERRIDES {
            if operation.node.get(key).is_some() {
                let why = "the generator does not read this of an operation";
                findings.add_ignored(&join(&pointer, key), why);
            }
        }
        request(spec, &operation, findings);
        responses(spec, &operation, findings);
        parameters(spec, &operation, findings);
    }
}

fn request(spec: &Spec, operation: &Operation<'_>, findings: &mut Findings) {
    let Some(node) = operation.node.get("requestBody") else {
        return;
    };
    let pointer = join(&operation.pointer(), "requestBody");
    let Ok((pointer, body)) = spec.locate(&pointer, node) else {
        return;
    };
    if !body.is_set("required") {
        let message = "the generator always sends a body; say `required: true`";
        findings.add(&rules::OPTIONAL_BODY, &pointer, message);
    }
    content(&pointer, body, findings);
}

fn responses(spec: &Spec, operation: &Operation<'_>, findings: &mut Findings) {
    let pointer = join(&operation.pointer(), "responses");
    let all = operation.node.get("responses");
    let success: Vec<_> = all
        .into_iter()
        .flat_map(Node::entries)
        .filter(|(status, _)| status.starts_with('2') || *status == "default")
        .collect();
    for (status, _) in &success {
        if status.parse::<u16>().is_err() {
            let message =
                "a range or `default` would take other statuses for success; name one status";
            findings.add(&rules::SUCCESS_RANGE, &join(&pointer, status), message);
        }
    }
    let [(status, response)] = &success[..] else {
        let statuses: Vec<_> = success.iter().map(|(status, _)| *status).collect();
        let found = match statuses[..] {
            [] => "no 2xx response".to_owned(),
            _ => format!("more than one 2xx response: {}", statuses.join(", ")),
        };
        let message = format!("{found}; the generator copes with exactly one");
        findings.add(&rules::SUCCESS_COUNT, &pointer, message);
        return;
    };
    let pointer = join(&pointer, status);
    if *status != "204"
        && let Ok((pointer, response)) = spec.locate(&pointer, response)
    {
        content(&pointer, response, findings);
    }
}

/// Checks that a body is JSON of a named schema.
fn content(pointer: &str, owner: &Node, findings: &mut Findings) {
    let types: Vec<_> = owner
        .get("content")
        .into_iter()
        .flat_map(Node::entries)
        .collect();
    let here = join(pointer, "content");
    let [("application/json", body)] = &types[..] else {
        let names: Vec<_> = types.iter().map(|(name, _)| *name).collect();
        let found = match names[..] {
            [] => "nothing".to_owned(),
            _ => names.join(", "),
        };
        let message = format!("the body comes as {found}; only application/json alone is read");
        findings.add(&rules::MEDIA_TYPE, &here, message);
        return;
    };
    if body
        .get("schema")
        .and_then(|schema| schema.text("$ref"))
        .is_none()
    {
        let here = join(&join(&here, "application/json"), "schema");
        let message = "the generator makes up a name for it, and may take the same name twice; use a `$ref` to components/schemas";
        findings.add(&rules::INLINE_BODY, &here, message);
    }
}

fn parameters(spec: &Spec, operation: &Operation<'_>, findings: &mut Findings) {
    let mut in_path = BTreeSet::new();
    for (pointer, node) in operation.parameters() {
        let Ok((pointer, parameter)) = spec.locate(&pointer, node) else {
            continue;
        };
        let Some(name) = parameter.text("name") else {
            findings.add_missing_part(&pointer, "name");
            continue;
        };
        match parameter.text("in") {
            Some("path") => {
                if !parameter.is_set("required") {
                    let message = format!("`{name}` is part of the path; say `required: true`");
                    findings.add(&rules::PARAMETER, &pointer, message);
                }
                in_path.insert(name);
            }
            Some("query") => {}
            _ => {
                let message = format!("`{name}` is neither in the path nor in the query");
                findings.add(&rules::PARAMETER, &pointer, message);
            }
        }
        for key in [
            "allowEmptyValue",
            "allowReserved",
            "content",
            "explode",
            "style",
        ] {
            if parameter.get(key).is_some() {
                let message = format!("the generator does not act upon `{key}`");
                findings.add(&rules::PARAMETER, &join(&pointer, key), message);
            }
        }
        let schema = parameter.get("schema").map(|schema| spec.resolve(schema));
        let kind = schema
            .and_then(Result::ok)
            .and_then(|schema| schema.text("type"));
        if !matches!(kind, Some("string" | "integer" | "number" | "boolean")) {
            let message = format!("`{name}` has no schema of a string, number or boolean");
            findings.add(&rules::PARAMETER, &join(&pointer, "schema"), message);
        }
    }
    let named: BTreeSet<_> = template(operation.path).collect();
    if named != in_path {
        let message = "the names in the path's braces are not those of its path parameters";
        findings.add(&rules::PARAMETER, &operation.pointer(), message);
    }
}

/// The names in the braces of a path.
fn template(path: &str) -> impl Iterator<Item = &str> {
    let parts = path.split('{').skip(1);
    parts.filter_map(|part| part.split_once('}').map(|(name, _)| name))
}
