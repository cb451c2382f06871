//! The part of the vendor's document that concerns us.

use std::collections::HashSet;

use openapi_diff::document::METHODS;
use openapi_diff::tree::{Node, fragment};

use super::Reach;

/// A copy of `tree` without components, and without the operations that only the vendor has.
pub fn operations(tree: &Node, reach: &Reach) -> Node {
    let mut part = Node::map();
    for (key, value) in tree.entries() {
        match key {
            "paths" => part.set(key, paths(value, reach)),
            "components" => {}
            _ => part.set(key, value.clone()),
        }
    }
    part
}

/// Gives `part` those components of `tree` that it refers to.
///
/// A document of megabytes thus becomes a small one in which pointers lead to the same places.
pub fn complete(part: &mut Node, tree: &Node) {
    let components = components(tree, part);
    part.set("components", components);
}

fn paths(paths: &Node, reach: &Reach) -> Node {
    let mut part = Node::map();
    for (path, item) in paths.entries() {
        let mut kept = Node::map();
        let mut ours = false;
        for (key, value) in item.entries() {
            let method = METHODS.contains(&key);
            if !method || reach.has(key, path) {
                kept.set(key, value.clone());
                ours |= method;
            }
        }
        if ours {
            part.set(path, kept);
        }
    }
    part
}

/// What `part` refers to among the components of `tree`, and what that refers to in turn.
fn components(tree: &Node, part: &Node) -> Node {
    let mut components = Node::map();
    // `security` goes by their names, not by references.
    if let Some(schemes) = tree.at("/components/securitySchemes") {
        components.set("securitySchemes", schemes.clone());
    }
    let mut seen = HashSet::new();
    let mut ahead = vec![part];
    while let Some(node) = ahead.pop() {
        ahead.extend(node.items());
        for (key, value) in node.entries() {
            ahead.push(value);
            let target = value.as_text().filter(|_| key == "$ref");
            if let Some((kind, name, component)) = target.and_then(|target| found(tree, target))
                && seen.insert((kind, name))
            {
                if components.get(kind).is_none() {
                    components.set(kind, Node::map());
                }
                if let Some(named) = components.get_mut(kind) {
                    named.set(name, component.clone());
                }
                ahead.push(component);
            }
        }
    }
    components
}

/// The component that a reference leads to or into, with its kind and its name.
fn found<'a>(tree: &'a Node, reference: &str) -> Option<(&'a str, &'a str, &'a Node)> {
    let pointer = fragment(reference)?;
    let mut steps = pointer.strip_prefix("/components/")?.splitn(3, '/');
    let (kind, name) = (steps.next()?, steps.next()?);
    let name = name.replace("~1", "/").replace("~0", "~");
    let all = tree.get("components")?.as_map()?;
    let (kind, named) = all.get_key_value(kind)?;
    let (name, component) = named.as_map()?.get_key_value(&name)?;
    Some((kind, name, component))
}
