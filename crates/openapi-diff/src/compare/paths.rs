//! Paths: which of them belong together, and the operations in them.

use std::collections::BTreeSet;

use super::node_ref::{NodeChange, NodePair, NodeRef};
use super::operation::Item;
use super::{Comparison, Known, Location};
use crate::document::METHODS;
use crate::rule::Direction;
use crate::rules::operation::{
    EMPTY_PATH_ADDED, EMPTY_PATH_REMOVED, ENDPOINT_ADDED, OPERATION_REMOVED,
    OPERATION_REMOVED_DEPRECATED, PATH_PARAMETER_RENAMED, PATH_REMOVED, PATH_REMOVED_DEPRECATED,
};
use crate::tree::Node;

/// What a caller of the comparison wants compared, by lower-case method and path.
type Chosen<'c> = dyn Fn(&str, &str) -> bool + 'c;

impl<'a> Comparison<'a> {
    /// Compares the paths, and in them the operations that are `chosen`.
    pub fn paths(&mut self, chosen: &Chosen<'_>) {
        let pair = NodePair {
            base: NodeRef::new(self.base, ""),
            head: NodeRef::new(self.head, ""),
        };
        let pair = pair.get("paths");
        let at = Location::new("paths");
        if !pair.each(|node| node.as_map().is_some()) {
            return self.unclassified(&at, &pair);
        }
        for (base, head) in together(&pair) {
            match (base, head) {
                (Some((old, base)), Some((new, head))) => {
                    self.path(old, base, new, head, chosen);
                }
                (Some((path, base)), None) => self.lone_path(path, Some(base), None, chosen),
                (None, Some((path, head))) => self.lone_path(path, None, Some(head), chosen),
                (None, None) => {}
            }
        }
        if self.whole {
            let extensions = pair.entries();
            for (_, pair) in extensions.iter().filter(|(key, _)| !key.starts_with('/')) {
                self.unclassified(&at, pair);
            }
        }
    }

    fn path(
        &mut self,
        old: &str,
        base: NodeRef<'a>,
        new: &str,
        head: NodeRef<'a>,
        chosen: &Chosen<'_>,
    ) {
        let both = NodePair { base, head };
        let here = Location::new(new);
        self.met.clear();
        let Some((both, _)) = self.follow(&both, &here) else {
            return;
        };
        let wanted = |method: &str| chosen(method, old) || chosen(method, new);
        let methods: Vec<_> = METHODS
            .into_iter()
            .filter(|method| wanted(method))
            .map(|method| (method, both.get(method)))
            .collect();
        let labels = methods.iter().filter(|(_, pair)| pair.both().is_some());
        let labels: BTreeSet<_> = labels.map(|(method, _)| label(method, new)).collect();
        if self.whole || !labels.is_empty() {
            self.within = labels;
            self.placeholders(&both, &here, old, new);
            self.item_keys(&both, &here);
        }
        let item = Item { both, at: here };
        for (method, pair) in methods {
            let subject = label(method, new);
            match pair.both() {
                Some(operation) => {
                    self.within = BTreeSet::from([subject.clone()]);
                    self.met.clear();
                    let names = (placeholders(old), placeholders(new));
                    let at = Location::new(subject);
                    self.operation(&item, &operation, &at, Direction::Request, &names);
                    self.drain();
                }
                None => self.lone_operation(&subject, &pair, false),
            }
        }
        self.within.clear();
    }

    /// The keys of a path item, except its operations and their parameters.
    pub fn item_keys(&mut self, both: &NodePair<'a>, at: &Location) {
        self.keys(both, at, |this, key, pair| {
            match key {
                "parameters" | "$ref" => {}
                key if METHODS.contains(&key) => {}
                "servers" => {
                    let around = this.inherited(NodeChange::default());
                    this.own_servers(pair, &around, at);
                }
                _ => return this.texts(at, key, pair),
            }
            Known::Yes
        });
    }

    fn placeholders(&mut self, both: &NodePair<'a>, at: &Location, old: &str, new: &str) {
        for (old, new) in placeholders(old).into_iter().zip(placeholders(new)) {
            if old != new {
                let message = format!("placeholder was {{{old}}} and is {{{new}}}");
                self.add_pair(&PATH_PARAMETER_RENAMED, at, message, &both.pair());
            }
        }
    }

    fn lone_path(
        &mut self,
        path: &str,
        base: Option<NodeRef<'a>>,
        head: Option<NodeRef<'a>>,
        chosen: &Chosen<'_>,
    ) {
        let root = if base.is_some() { self.base } else { self.head };
        let pair = NodeChange { base, head };
        let node_ref = pair.base.as_ref().or(pair.head.as_ref());
        let Some(item) = node_ref.and_then(|node_ref| behind(root, node_ref)) else {
            return self.unclassified(&Location::new(path), &pair);
        };
        let mut none = true;
        for method in METHODS {
            let operation = item.get(method);
            none &= operation.is_none();
            if operation.is_some() && chosen(method, path) {
                let pair = match pair.base {
                    Some(_) => NodeChange {
                        base: operation,
                        head: None,
                    },
                    None => NodeChange {
                        base: None,
                        head: operation,
                    },
                };
                self.lone_operation(&label(method, path), &pair, true);
            }
        }
        if none && self.whole {
            let (rule, word) = match pair.head {
                Some(_) => (&EMPTY_PATH_ADDED, "new"),
                None => (&EMPTY_PATH_REMOVED, "gone"),
            };
            self.add_pair(
                rule,
                &Location::new(path),
                format!("the path is {word}"),
                &pair,
            );
        }
    }

    fn lone_operation(&mut self, subject: &str, pair: &NodeChange<'a>, whole_path: bool) {
        let at = Location::new(subject);
        let deprecated = pair
            .base_node()
            .is_some_and(|node| node.is_set("deprecated"));
        let rule = match (&pair.base, &pair.head, whole_path, deprecated) {
            (None, None, _, _) => return,
            (None, Some(_), _, _) => &ENDPOINT_ADDED,
            (_, _, true, false) => &PATH_REMOVED,
            (_, _, true, true) => &PATH_REMOVED_DEPRECATED,
            (_, _, false, false) => &OPERATION_REMOVED,
            (_, _, false, true) => &OPERATION_REMOVED_DEPRECATED,
        };
        let word = if pair.head.is_some() { "new" } else { "gone" };
        let node = pair.head_node().or(pair.base_node());
        let name = node.and_then(|node| node.text("operationId"));
        let name = name.map_or_else(String::new, |name| format!(" {name}"));
        self.within = BTreeSet::from([subject.to_owned()]);
        self.add_pair(rule, &at, format!("operation{name} is {word}"), pair);
        self.within.clear();
    }
}

/// What findings call an operation.
fn label(method: &str, path: &str) -> String {
    format!("{} {path}", method.to_uppercase())
}

/// The names between braces.
pub fn placeholders(path: &str) -> Vec<&str> {
    let parts = path.split('{').skip(1);
    parts
        .filter_map(|part| Some(part.split_once('}')?.0))
        .collect()
}

/// The path without the names between its braces.
fn shape(path: &str) -> String {
    let mut shape = String::new();
    for (index, part) in path.split('{').enumerate() {
        match part.split_once('}') {
            Some((_, rest)) if index > 0 => {
                shape.push_str("{}");
                shape.push_str(rest);
            }
            _ => shape.push_str(part),
        }
    }
    shape
}

type Named<'a> = Option<(&'a str, NodeRef<'a>)>;

/// Paths that are spelled alike, then those that differ only in the names between braces, then the rest.
fn together<'a>(pair: &NodeChange<'a>) -> Vec<(Named<'a>, Named<'a>)> {
    let paths = |node_ref: &Option<NodeRef<'a>>| {
        let entries = node_ref.as_ref().map_or_else(Vec::new, NodeRef::entries);
        let paths = entries
            .into_iter()
            .filter(|(path, _)| path.starts_with('/'));
        paths.collect::<Vec<_>>()
    };
    let mut base = paths(&pair.base);
    let mut rows: Vec<(Named<'a>, Named<'a>)> = Vec::new();
    for (path, node_ref) in paths(&pair.head) {
        let twin = base.iter().position(|(old, _)| *old == path);
        rows.push((twin.map(|index| base.remove(index)), Some((path, node_ref))));
    }
    for (old, new) in &mut rows {
        if old.is_none()
            && let Some((new, _)) = new
        {
            let twin = base.iter().position(|(old, _)| shape(old) == shape(new));
            *old = twin.map(|index| base.remove(index));
        }
    }
    rows.extend(base.into_iter().map(|old| (Some(old), None)));
    rows
}

/// A path item, which may stand behind a reference.
fn behind<'a>(root: &'a Node, node_ref: &NodeRef<'a>) -> Option<NodeRef<'a>> {
    match node_ref.node.text("$ref") {
        Some(reference) => {
            let pointer = reference.strip_prefix('#')?;
            Some(NodeRef::new(root.at(pointer)?, pointer))
        }
        None => node_ref.node.as_map().map(|_| node_ref.clone()),
    }
}
