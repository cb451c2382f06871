//! Parameters and headers.

use std::collections::HashSet;

use indexmap::IndexMap;

use super::message::moved;
use super::node_ref::{NodeChange, NodePair, NodeRef};
use super::operation::{Item, Placeholders};
use super::{Comparison, Known, Location};
use crate::place::Place;
use crate::rule::Direction;
use crate::rules::exchange::{
    OPTIONAL_PARAMETER_ADDED, OPTIONAL_PARAMETER_REMOVED, PARAMETER_BECAME_OPTIONAL,
    PARAMETER_BECAME_REQUIRED, PATH_PARAMETER_ADDED, REQUIRED_PARAMETER_ADDED,
    REQUIRED_PARAMETER_REMOVED, SERIALIZATION_CHANGED,
};
use crate::rules::keywords::{DEPRECATED, REACTIVATED};
use crate::rules::reference::COMPONENT_CHANGED;
use crate::tree::Node;

/// One parameter of an operation.
#[derive(Clone)]
struct Parameter<'a> {
    /// What findings call it.
    name: String,
    /// Where it stands in the list.
    node_ref: NodeRef<'a>,
    /// Where its references end.
    end: NodeRef<'a>,
    /// Whether it is listed for every operation of the path.
    shared: bool,
}

impl<'a> Comparison<'a> {
    /// Compares the parameters of an operation together with those of the path around it.
    pub fn parameters(
        &mut self,
        item: &Item<'a>,
        both: &NodePair<'a>,
        at: &Location,
        direction: Direction,
        names: &Placeholders<'_>,
    ) {
        let lists = [
            (item.both.get("parameters"), &item.at),
            (both.get("parameters"), at),
        ];
        for (list, at) in &lists {
            if !list.each(|node| matches!(node, Node::List(_))) {
                return self.unclassified(at, list);
            }
        }
        let node_refs = lists.map(|(list, _)| list.items());
        let [(old_shared, new_shared), (old_own, new_own)] = node_refs;
        let mut base = merged(self.base, old_shared, old_own, &names.0);
        let head = merged(self.head, new_shared, new_own, &names.1);
        let mut pairs: Vec<_> = head
            .into_iter()
            .map(|(id, head)| (base.shift_remove(&id), Some(head)))
            .collect();
        let added: HashSet<_> = pairs
            .iter()
            .filter(|(base, _)| base.is_none())
            .filter_map(|(_, head)| Some(head.as_ref()?.end.pointer.clone()))
            .collect();
        for removed in base.values().map(|base| base.end.pointer.clone()) {
            // One that became another is found here, and not once more among what nothing reaches.
            if added.contains(&removed) {
                self.reached.insert((removed.clone(), removed));
            }
        }
        pairs.extend(base.into_values().map(|base| (Some(base), None)));
        for (base, head) in pairs {
            let shared = [&base, &head].into_iter().flatten().all(|one| one.shared);
            let owner = if shared { &item.at } else { at };
            let Some(name) = head.as_ref().or(base.as_ref()).map(|one| &one.name) else {
                continue;
            };
            let subject = format!("{} {name}", owner.subject);
            let at = owner.to(subject, Place::parameter(direction));
            match (base, head) {
                (Some(base), Some(head)) => {
                    let both = NodePair {
                        base: base.node_ref,
                        head: head.node_ref,
                    };
                    if let Some((both, at)) = self.follow(&both, &at) {
                        self.parameter_object(&both, &at, direction);
                    }
                }
                (base, head) => self.lone_parameter(&at, base, head, direction),
            }
        }
    }

    fn lone_parameter(
        &mut self,
        at: &Location,
        base: Option<Parameter<'a>>,
        head: Option<Parameter<'a>>,
        direction: Direction,
    ) {
        let node = head.as_ref().or(base.as_ref()).map(|one| one.end.node);
        let in_path = node.and_then(|node| node.text("in")) == Some("path");
        let pair = NodeChange {
            base: base.map(|one| one.end),
            head: head.map(|one| one.end),
        };
        if in_path && pair.head.is_some() && direction == Direction::Request {
            self.add_pair(&PATH_PARAMETER_ADDED, at, "parameter is new", &pair);
        } else {
            self.lone_field(at, &pair, direction, "parameter");
        }
    }

    /// A parameter or header that only one side has.
    pub fn lone_field(
        &mut self,
        at: &Location,
        pair: &NodeChange<'a>,
        direction: Direction,
        word: &str,
    ) {
        let node = pair.head_node().or(pair.base_node());
        let required = node.is_some_and(|node| node.is_set("required"));
        let (rules, verb) = match (&pair.head, required) {
            (Some(_), true) => (&REQUIRED_PARAMETER_ADDED, "new"),
            (Some(_), false) => (&OPTIONAL_PARAMETER_ADDED, "new"),
            (None, true) => (&REQUIRED_PARAMETER_REMOVED, "gone"),
            (None, false) => (&OPTIONAL_PARAMETER_REMOVED, "gone"),
        };
        self.add_pair(rules.of(direction), at, format!("{word} is {verb}"), pair);
    }

    /// Compares two parameters or two headers.
    pub fn parameter_object(&mut self, both: &NodePair<'a>, at: &Location, direction: Direction) {
        let at = &at.to(at.subject.clone(), Place::parameter(direction));
        if both.are_maps() {
            self.serialization(both, at, direction);
        }
        let has = |node: &Node, key| node.get(key).is_some();
        let is_new_or_gone = |key| has(both.base.node, key) != has(both.head.node, key);
        let is_rewritten = is_new_or_gone("schema") && is_new_or_gone("content");
        self.keys(both, at, |this, key, pair| {
            match key {
                "style" | "explode" | "allowReserved" | "allowEmptyValue" => {}
                // These tell which parameter it is, so they can only differ where no operation asks.
                "name" | "in" => {
                    if this.unused {
                        this.changed(&COMPONENT_CHANGED, at, key, pair);
                    }
                }
                "required" => {
                    let rules = [&PARAMETER_BECAME_REQUIRED, &PARAMETER_BECAME_OPTIONAL];
                    this.flag(at, pair, rules.map(|pair| pair.of(direction)));
                }
                "deprecated" => {
                    let rules = [&DEPRECATED, &REACTIVATED];
                    this.flag(at, pair, rules.map(|family| family.at(at.place)));
                }
                // One of both says how the value is written; going over to the other changes what is on the wire.
                "schema" | "content" if is_rewritten => this.unclassified(at, pair),
                "schema" => this.subschema(pair, at),
                "content" => this.content(pair, at),
                "example" => this.example(at, both),
                "examples" => this.examples(at, pair),
                _ => return this.texts(at, key, pair),
            }
            Known::Yes
        });
    }

    fn serialization(&mut self, both: &NodePair<'a>, at: &Location, direction: Direction) {
        for key in ["style", "explode", "allowReserved", "allowEmptyValue"] {
            let pair = both.get(key);
            let (old, new) = (written(both.base.node, key), written(both.head.node, key));
            if !super::node_ref::same(&old, &new) {
                let message = moved(key, Some(&old), Some(&new));
                self.add_pair(SERIALIZATION_CHANGED.of(direction), at, message, &pair);
            }
        }
    }
}

/// What a key that says how a parameter is written means when it is left out.
fn written(node: &Node, key: &str) -> Node {
    if let Some(given) = node.get(key) {
        return given.clone();
    }
    let form = matches!(node.text("in"), Some("query" | "cookie"));
    match key {
        "style" if form => Node::from("form"),
        "style" => Node::from("simple"),
        "explode" => Node::from(written(node, "style").as_text() == Some("form")),
        _ => Node::from(false),
    }
}

/// The parameters that count for an operation, by what tells one from another.
fn merged<'a>(
    root: &'a Node,
    shared: Vec<NodeRef<'a>>,
    own: Vec<NodeRef<'a>>,
    placeholders: &[&str],
) -> IndexMap<(String, String), Parameter<'a>> {
    let shared = shared.into_iter().map(|node_ref| (true, node_ref));
    let own = own.into_iter().map(|node_ref| (false, node_ref));
    let parameters = shared.chain(own).map(|(shared, node_ref)| {
        let end = super::reference::target(root, &node_ref).unwrap_or_else(|| node_ref.clone());
        let place = end.node.text("in").unwrap_or_default();
        let name = end.node.text("name").or(end.node.text("$ref"));
        let name = name.unwrap_or_default();
        let id = match place {
            "header" => name.to_lowercase(),
            "path" => match placeholders.iter().position(|one| *one == name) {
                Some(index) => index.to_string(),
                None => name.to_owned(),
            },
            _ => name.to_owned(),
        };
        let parameter = Parameter {
            name: format!("{place} parameter {name}"),
            node_ref,
            end,
            shared,
        };
        ((place.to_owned(), id), parameter)
    });
    parameters.collect()
}
