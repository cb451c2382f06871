//! Objects that the vendor's document puts together with `allOf`, written as one object: ours are, and both mean the
//! same.

use indexmap::{IndexMap, IndexSet};

use openapi_diff::document::locate;
use openapi_diff::tree::{Node, join};

/// What a part may say so that all parts together are one plain object. Its texts and examples are its own.
const PLAIN: [&str; 7] = [
    "description",
    "example",
    "examples",
    "properties",
    "required",
    "title",
    "type",
];

/// How deep objects may be put together of objects. Each round flattens one level more.
const ROUNDS: usize = 8;

/// Flattens every `allOf` whose parts are plain objects without a property in common.
pub fn flatten(tree: &mut Node) {
    for _ in 0..ROUNDS {
        let flat = find(tree);
        if flat.is_empty() {
            return;
        }
        for (pointer, object) in flat {
            if let Some(node) = tree.at_mut(&pointer) {
                *node = object;
            }
        }
    }
}

fn find(tree: &Node) -> Vec<(String, Node)> {
    let mut flat = Vec::new();
    tree.walk("", &mut |pointer, node| {
        if let Some(parts) = node.get("allOf")
            && let Some(object) = object(tree, node, parts.items())
        {
            flat.push((pointer.to_owned(), object));
        }
    });
    flat
}

/// The object that `whole` makes together with the parts in its `allOf`.
fn object(tree: &Node, whole: &Node, parts: &[Node]) -> Option<Node> {
    let mut object = whole.clone();
    object.remove("allOf");
    let mut properties = IndexMap::new();
    let mut required = IndexSet::new();
    let mut add = |part: &Node, home: Option<&str>| {
        if !is_plain(part) {
            return None;
        }
        for (name, property) in part.get("properties").into_iter().flat_map(Node::entries) {
            let property = match home {
                // Findings then lead to where the property really stands.
                Some(home) => reference(&join(&join(home, "properties"), name)),
                None => property.clone(),
            };
            if properties.insert(name.to_owned(), property).is_some() {
                return None;
            }
        }
        let names = part.get("required").map_or(&[][..], Node::items);
        required.extend(names.iter().filter_map(Node::as_text).map(str::to_owned));
        Some(())
    };
    add(&object, None)?;
    for part in parts {
        let (home, found) = locate(tree, "", part).ok()?;
        add(found, part.get("$ref").map(|_| home.as_str()))?;
    }
    object.set("type", "object".into());
    object.set("properties", Node::Map(properties));
    if !required.is_empty() {
        let names = required.into_iter().map(Node::Text).collect();
        object.set("required", Node::List(names));
    }
    Some(object)
}

fn is_plain(part: &Node) -> bool {
    let of_object = part.text("type").is_none_or(|kind| kind == "object");
    let known = part.entries().all(|(key, _)| PLAIN.contains(&key));
    part.as_map().is_some() && of_object && known
}

fn reference(pointer: &str) -> Node {
    let mut node = Node::map();
    node.set("$ref", Node::Text(format!("#{pointer}")));
    node
}
