//! A known error of the vendor's document: an answer refers to an empty schema that bears the name of a response component.

use indexmap::IndexMap;

use openapi_diff::document::{locate, operations};
use openapi_diff::finding::Finding;
use openapi_diff::tree::{Node, join};

use super::Reach;
use crate::spec::rules::upstream::EMPTY_SCHEMA;

/// What a schema may say and still be empty.
const TEXTS: [&str; 3] = ["description", "title", "$comment"];

/// Puts the response component in the place of each answer in `part` that refers to its empty namesake in `tree`, and
/// says so.
pub fn replace(part: &mut Node, tree: &Node, reach: &Reach) -> Vec<Finding> {
    let mut quirks: IndexMap<String, Vec<VendorQuirk>> = IndexMap::new();
    for quirk in find(tree, reach) {
        quirks.entry(quirk.name.clone()).or_default().push(quirk);
    }
    for quirk in quirks.values().flatten() {
        if let Some(response) = part.at_mut(&quirk.pointer) {
            *response = Node::map();
            let target = join("#/components/responses", &quirk.name);
            response.set("$ref", Node::Text(target));
        }
    }
    quirks
        .into_iter()
        .map(|(name, quirks)| finding(&name, quirks))
        .collect()
}

/// One answer that refers to an empty schema.
struct VendorQuirk {
    /// The name of the schema and of the response component.
    name: String,
    /// Where the answer stands.
    pointer: String,
    operation: String,
}

fn find(tree: &Node, reach: &Reach) -> Vec<VendorQuirk> {
    let mut quirks = Vec::new();
    let operations = operations(tree).into_iter();
    for operation in operations.filter(|one| reach.has(one.method, one.path)) {
        let all = join(&operation.pointer(), "responses");
        let responses = operation.node.get("responses").into_iter();
        for (status, response) in responses.flat_map(Node::entries) {
            let pointer = join(&all, status);
            if let Some(name) = name(tree, &pointer, response) {
                quirks.push(VendorQuirk {
                    name: name.to_owned(),
                    pointer,
                    operation: operation.name(),
                });
            }
        }
    }
    quirks
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

fn finding(name: &str, quirks: Vec<VendorQuirk>) -> Finding {
    let mut used_by: Vec<_> = quirks.into_iter().map(|quirk| quirk.operation).collect();
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
