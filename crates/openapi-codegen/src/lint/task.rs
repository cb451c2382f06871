//! Lint of the extension `x-task`.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::Findings;
use crate::prepare::answer_schema;
use crate::rules;
use crate::spec::{Operation, Spec};
use crate::task::{Create, KEY, Task, creates};
use openapi_diff::tree::{Node, join};

/// The query parameters that choose a page of a list.
pub const PAGING: [&str; 2] = ["page", "page_size"];

/// Checks that each operation says what it does with tasks, and that all of them agree.
pub fn check(spec: &Spec, findings: &mut Findings) {
    let mut tasks = Vec::new();
    for operation in spec.operations() {
        let pointer = join(&operation.pointer(), KEY);
        let Some(node) = operation.node.get(KEY) else {
            findings.add_missing_part(&operation.pointer(), KEY);
            continue;
        };
        match Task::parse(node) {
            Ok(task) => tasks.push((operation, task)),
            Err(("", message)) => findings.add(&rules::MALFORMED_EXTENSION, &pointer, message),
            Err((key, message)) => {
                findings.add(&rules::MALFORMED_EXTENSION, &join(&pointer, key), message)
            }
        }
    }
    let creates = creates(spec);
    families(&tasks, &creates, findings);
    order(&creates, findings);
    shapes(spec, &tasks, findings);
}

/// Each family has at most one read and one list, and each create is read somewhere.
fn families(
    tasks: &[(Operation<'_>, Task<'_>)],
    creates: &[(Operation<'_>, Create<'_>)],
    findings: &mut Findings,
) {
    let created = creates.iter().flat_map(|(_, create)| &create.families);
    let created: BTreeSet<_> = created.copied().collect();
    let (mut read, mut listed) = (BTreeMap::new(), BTreeMap::new());
    for (operation, task) in tasks {
        let (key, family, owners) = match task {
            Task::Read(family) => ("reads", *family, &mut read),
            Task::List(family) => ("lists", *family, &mut listed),
            Task::Create(_) | Task::Other { .. } => continue,
        };
        let pointer = pointer(operation, key);
        let id = operation.id().unwrap_or_default();
        if let Some(other) = owners.insert(family, id) {
            let message = format!("`{other}` {key} the family `{family}`, too");
            findings.add(&rules::TASK, &pointer, message);
        }
        if !created.contains(family) {
            let message = format!("no operation creates tasks of the family `{family}`");
            findings.add(&rules::TASK, &pointer, message);
        }
    }
    for (operation, create) in creates {
        for family in &create.families {
            if !read.contains_key(family) {
                let message = format!("no operation reads tasks of the family `{family}`");
                findings.add(&rules::TASK, &join(&operation.pointer(), KEY), message);
            }
        }
    }
}

/// The creates of one mode and tier are a chain, from the oldest to the newest.
fn order(creates: &[(Operation<'_>, Create<'_>)], findings: &mut Findings) {
    for (index, (operation, create)) in creates.iter().enumerate() {
        let known = |id: &str| creates.iter().find(|(other, _)| other.id() == Some(id));
        let successor = create.successor.map(|id| (id, known(id)));
        match successor {
            Some((id, None)) => {
                let message = format!("no operation `{id}` creates tasks");
                findings.add(&rules::TASK, &pointer(operation, "succeeded-by"), message);
            }
            Some((id, Some((_, newer)))) if !newer.is_like(create) => {
                let message = format!("`{id}` creates tasks of another mode or tier");
                findings.add(&rules::TASK, &pointer(operation, "succeeded-by"), message);
            }
            Some((id, Some(_))) if is_in_circle(creates, id) => {
                let message = "the successors lead back to where they began";
                findings.add(&rules::TASK, &pointer(operation, "succeeded-by"), message);
            }
            Some(_) | None => {}
        }
        let before = || creates[..index].iter();
        if let Some((other, _)) = before().find(|(_, other)| other.name() == create.name()) {
            let message = format!("`{}` has the same route and tier", name(other));
            findings.add(&rules::TASK, &join(&operation.pointer(), KEY), message);
        }
        // Two without a successor, or two with the same one, have no order.
        let is_rival =
            |other: &Create<'_>| other.is_like(create) && other.successor == create.successor;
        if let Some((other, _)) = before().find(|(_, other)| is_rival(other)) {
            let message = format!(
                "`{}` creates `{}` of the tier `{}`, too; the older of the two has to say `succeeded-by`",
                name(other),
                create.mode,
                create.tier
            );
            findings.add(&rules::TASK, &join(&operation.pointer(), KEY), message);
        }
    }
}

fn is_in_circle(creates: &[(Operation<'_>, Create<'_>)], start: &str) -> bool {
    let mut next = Some(start);
    for _ in creates {
        let Some(id) = next else { return false };
        let found = creates.iter().find(|(other, _)| other.id() == Some(id));
        next = found.and_then(|(_, create)| create.successor);
    }
    next.is_some()
}

/// Operations of one kind have the same parameters and the same response, because one function calls them.
fn shapes(spec: &Spec, tasks: &[(Operation<'_>, Task<'_>)], findings: &mut Findings) {
    let mut answers = BTreeMap::new();
    for (operation, task) in tasks {
        let (key, form) = match task {
            Task::Create(_) => ("creates", "a body and no parameter"),
            Task::Read(_) => (
                "reads",
                "a string in the path, no other parameter and no body",
            ),
            Task::List(_) => (
                "lists",
                "no body, nothing that is required, and integers as page and page_size",
            ),
            Task::Other { .. } => continue,
        };
        let pointer = pointer(operation, key);
        if !is_callable(spec, operation, task) {
            let message = format!("an operation that {key} tasks takes {form}");
            findings.add(&rules::TASK, &pointer, message);
        }
        let answer = answer_schema(spec, operation);
        let first = *answers.entry(key).or_insert(answer);
        if let (Some(first), Some(answer)) = (first, answer)
            && first != answer
        {
            let message = format!("it answers `{answer}`, and the first that {key} `{first}`");
            findings.add(&rules::TASK, &pointer, message);
        }
    }
    for key in ["creates", "reads", "lists"] {
        if !answers.contains_key(key) {
            findings.add(
                &rules::TASK,
                "/paths",
                format!("no operation has `{KEY}` with `{key}`"),
            );
        }
    }
}

fn is_callable(spec: &Spec, operation: &Operation<'_>, task: &Task<'_>) -> bool {
    let has_body = operation.node.get("requestBody").is_some();
    let parameters = operation.parameters();
    let parameters: Vec<_> = parameters
        .iter()
        .filter_map(|(_, node)| spec.resolve(node).ok())
        .collect();
    let is_a = |parameter: &Node, kind: &str| {
        let schema = parameter.get("schema").map(|schema| spec.resolve(schema));
        schema.is_some_and(|schema| schema.is_ok_and(|schema| schema.text("type") == Some(kind)))
    };
    match task {
        Task::Create(_) => has_body && parameters.is_empty(),
        Task::Read(_) => match parameters[..] {
            [id] => !has_body && id.text("in") == Some("path") && is_a(id, "string"),
            _ => false,
        },
        Task::List(_) => {
            let is_paging = |parameter: &Node| {
                let name = parameter.text("name").unwrap_or_default();
                PAGING.contains(&name)
            };
            let is_optional = |parameter: &&Node| {
                !parameter.is_set("required")
                    && (!is_paging(parameter) || is_a(parameter, "integer"))
            };
            !has_body && parameters.iter().all(is_optional)
        }
        Task::Other { .. } => true,
    }
}

fn pointer(operation: &Operation<'_>, key: &str) -> String {
    join(&join(&operation.pointer(), KEY), key)
}

fn name<'a>(operation: &Operation<'a>) -> &'a str {
    operation.id().unwrap_or_default()
}
