//! Keywords of OpenAPI 3.1 that apply further schemas: conditions, tuples, dependencies, and what no keyword covers.

use std::cmp::Ordering;

use super::message::moved;
use super::node_ref::{NodeChange, NodePair, NodeRef};
use super::{Comparison, Location};
use crate::rules::family::RuleFamily;
use crate::rules::keywords::*;
use crate::tree::Node;

impl<'a> Comparison<'a> {
    /// Compares `if`, `then` and `else`, which bind together.
    pub fn condition(&mut self, both: &NodePair<'a>, at: &Location) {
        let pairs = ["if", "then", "else"].map(|key| (key, both.get(key)));
        let first = |side: fn(&NodeChange<'a>) -> bool| {
            let mut pairs = pairs.iter().map(|(_, pair)| pair);
            pairs.find(|pair| side(pair)).cloned()
        };
        let base = first(|pair| pair.base.is_some()).and_then(|pair| pair.base);
        let head = first(|pair| pair.head.is_some()).and_then(|pair| pair.head);
        let [(_, condition), branches @ ..] = &pairs;
        if base.is_none() || head.is_none() {
            let pair = NodeChange { base, head };
            self.presence(
                at,
                &pair,
                "condition",
                [&CONDITION_ADDED, &CONDITION_REMOVED],
            );
        } else if !condition.is_same() {
            self.changed(CONDITION_CHANGED.at(at.place), at, "if", condition);
        } else {
            for (key, pair) in branches {
                self.subschema(pair, &at.step(&format!(".{key}")));
            }
        }
    }

    /// Compares `prefixItems`. Beside `items`, an item with a schema of its own no longer has to satisfy that one.
    pub fn prefix_items(&mut self, both: &NodePair<'a>, at: &Location) {
        let pair = both.get("prefixItems");
        if !pair.each(|node| matches!(node, Node::List(_))) {
            return self.unclassified(at, &pair);
        }
        let rest = both.get("items");
        let is_alone = rest.base.is_none() && rest.head.is_none();
        let (base, head) = pair.items();
        for index in 0..base.len().max(head.len()) {
            let inside = at.to(format!("{}[{index}]", at.subject), at.place.inside());
            let item = NodeChange {
                base: base.get(index).cloned(),
                head: head.get(index).cloned(),
            };
            match is_alone || item.both().is_some() {
                true => self.subschema(&item, &inside),
                false => self.changed(PREFIX_ITEM_CHANGED.at(at.place), &inside, "schema", &item),
            }
        }
    }

    /// Compares `contains`. With `maxContains`, fewer values that match can be more lists that are allowed.
    pub fn contains(&mut self, both: &NodePair<'a>, at: &Location) {
        let (pair, most) = (both.get("contains"), both.get("maxContains"));
        if pair.both().is_some() && (most.base.is_some() || most.head.is_some()) {
            return self.changed(CONTAINS_CHANGED.at(at.place), at, "contains", &pair);
        }
        self.subschema(&pair, &at.step(".contains"));
    }

    /// Compares `minContains`, which is 1 where it is left out.
    pub fn min_contains(&mut self, at: &Location, pair: &NodeChange<'a>) {
        let (base, head) = (pair.base_node(), pair.head_node());
        let least = |node: Option<&Node>| node.map_or(Some(1), Node::as_u64);
        let (Some(old), Some(new)) = (least(base), least(head)) else {
            return self.unclassified(at, pair);
        };
        let family = match old.cmp(&new) {
            Ordering::Less => &MIN_CONTAINS_INCREASED,
            Ordering::Greater => &MIN_CONTAINS_DECREASED,
            Ordering::Equal => return,
        };
        self.add_pair(
            family.at(at.place),
            at,
            moved("minContains", base, head),
            pair,
        );
    }

    /// Compares a map of schemas. `changed` is the rule for one that only one side has, if that is neither narrower nor
    /// wider.
    pub fn schema_map(
        &mut self,
        at: &Location,
        pair: &NodeChange<'a>,
        changed: Option<&'static RuleFamily>,
    ) {
        if !pair.each(|node| node.as_map().is_some()) {
            return self.unclassified(at, pair);
        }
        for (name, schema) in pair.entries() {
            let at = at.step(&format!(".{name}"));
            match changed.filter(|_| schema.both().is_none()) {
                Some(family) => self.changed(family.at(at.place), &at, "schema", &schema),
                None => self.subschema(&schema, &at),
            }
        }
    }

    /// Compares `patternProperties`. Where other properties are not free, a new pattern also allows names.
    pub fn pattern_properties(&mut self, both: &NodePair<'a>, at: &Location) {
        let free = ["additionalProperties", "unevaluatedProperties"]
            .iter()
            .all(|key| both.get(key).each(|node| *node == Node::Flag(true)));
        let changed = (!free).then_some(&PATTERN_PROPERTY_CHANGED);
        self.schema_map(at, &both.get("patternProperties"), changed);
    }

    /// Compares `dependentRequired`: the names that a property requires.
    pub fn dependent_required(&mut self, at: &Location, pair: &NodeChange<'a>) {
        let is_list = |node: &Node| matches!(node, Node::List(names) if names.iter().all(|name| name.as_text().is_some()));
        let is_valid =
            |node: &Node| node.as_map().is_some() && node.entries().all(|(_, list)| is_list(list));
        if !pair.each(is_valid) {
            return self.unclassified(at, pair);
        }
        for (property, names) in pair.entries() {
            let (base, head) = names.items();
            let lacks =
                |names: &[NodeRef<'a>], node: &Node| names.iter().all(|name| name.node != node);
            for name in head.iter().filter(|name| lacks(&base, name.node)) {
                let message = format!(
                    "{property} requires {}",
                    name.node.as_text().unwrap_or_default()
                );
                let family = &DEPENDENT_REQUIRED_ADDED;
                self.add(
                    family.at(at.place),
                    at,
                    message,
                    None,
                    Some(name.pointer.clone()),
                );
            }
            for name in base.iter().filter(|name| lacks(&head, name.node)) {
                let message = format!(
                    "{property} no longer requires {}",
                    name.node.as_text().unwrap_or_default()
                );
                let family = &DEPENDENT_REQUIRED_REMOVED;
                self.add(
                    family.at(at.place),
                    at,
                    message,
                    Some(name.pointer.clone()),
                    None,
                );
            }
        }
    }
}
