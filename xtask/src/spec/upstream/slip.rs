//! A known slip of the vendor's: an answer refers to an empty schema that bears the name of a response component.

use indexmap::IndexMap;

use openapi_diff::document::locate;
use openapi_diff::finding::Finding;
use openapi_diff::tree::{Node, join};

use super::Reach;
use crate::spec::rules::upstream::EMPTY_SCHEMA;

/// What a schema may say and still be empty.
const TEXTS: [&str; 3] = ["description", "title", "$comment"];

/// Puts the response component in the place of each answer in `part` that refers to its empty namesake in `tree`, and
/// says so.
pub fn mend(part: &mut Node, tree: &Node, reach: &Reach) -> Vec<Finding> {
    let mut slips: IndexMap<String, Vec<Slip>> = IndexMap::new();
    for slip in find(tree, reach) {
        slips.entry(slip.name.clone()).or_default().push(slip);
    }
    for slip in slips.values().flatten() {
        if let Some(response) = part.at_mut(&slip.pointer) {
            *response = Node::map();
            let target = join("#/components/responses", &slip.name);
            response.set("$ref", Node::Text(target));
        }
    }
    slips
        .into_iter()
        .map(|(name, slips)| finding(&name, slips))
        .collect()
}

/// One answer that refers to an empty schema.
struct Slip {
    /// The name of the schema and of the response component.
    name: String,
    /// Where the answer stands.
    pointer: String,
    operation: String,
}

fn find(tree: &Node, reach: &Reach) -> Vec<Slip> {
    let mut slips = Vec::new();
    for (path, item) in tree.get("paths").into_iter().flat_map(Node::entries) {
        let methods = item.entries().filter(|(method, _)| reach.has(method, path));
        for (method, operation) in methods {
            let all = join(&join(&join("/paths", path), method), "responses");
            let responses = operation.get("responses").into_iter();
            for (status, response) in responses.flat_map(Node::entries) {
                let here = join(&all, status);
                let Some(name) = name(tree, &here, response) else {
                    continue;
                };
                slips.push(Slip {
                    name: name.to_owned(),
                    pointer: here,
                    operation: format!("{} {path}", method.to_uppercase()),
                });
            }
        }
    }
    slips
}

/// The name that an empty schema of the answer shares with a response component which says more.
fn name<'a>(tree: &'a Node, pointer: &str, response: &'a Node) -> Option<&'a str> {
    let (_, response) = locate(tree, pointer, response).ok()?;
    let bodies = response.get("content")?.entries();
    bodies
        .filter_map(|(_, body)| {
            let target = body.get("schema")?.text("$ref")?;
            let name = target.strip_prefix("#/components/schemas/")?;
            let schema = tree.at(target.strip_prefix('#')?)?;
            let says_nothing = schema
                .as_map()?
                .keys()
                .all(|key| TEXTS.contains(&key.as_str()));
            let namesake = tree.at(&format!("/components/responses/{name}"))?;
            (says_nothing && namesake.get("content").is_some()).then_some(name)
        })
        .next()
}

fn finding(name: &str, slips: Vec<Slip>) -> Finding {
    let mut used_by: Vec<_> = slips.into_iter().map(|slip| slip.operation).collect();
    used_by.sort();
    used_by.dedup();
    Finding {
        rule: &EMPTY_SCHEMA,
        subject: format!("components/schemas/{name}"),
        message: "an answer refers to this empty schema where the response component of that name is meant; that \
                  component was compared"
            .to_owned(),
        base: None,
        head: Some(join("/components/schemas", name)),
        used_by,
    }
}
