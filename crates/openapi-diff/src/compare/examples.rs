//! Texts and examples, which only people and tests read.

use super::message::{moved, show};
use super::node_ref::{NodeChange, NodePair, NodeRef, matched};
use super::reference::target;
use super::{Comparison, Known, Location};
use crate::rules::document::{
    DESCRIPTION_CHANGED, EXAMPLE_ADDED, EXAMPLE_CHANGED, EXAMPLE_REMOVED, EXTERNAL_DOCS_CHANGED,
    SCHEMA_TITLE_CHANGED, SUMMARY_CHANGED,
};
use crate::tree::Node;

impl<'a> Comparison<'a> {
    /// Compares a key that means the same wherever it stands.
    pub fn texts(&mut self, at: &Location, key: &str, pair: &NodeChange<'a>) -> Known {
        let rule = match key {
            "description" | "$comment" => &DESCRIPTION_CHANGED,
            "summary" => &SUMMARY_CHANGED,
            "title" => &SCHEMA_TITLE_CHANGED,
            "externalDocs" => &EXTERNAL_DOCS_CHANGED,
            _ => return Known::No,
        };
        self.changed_as_written(rule, at, key, pair, true);
        Known::Yes
    }

    /// The `example` of a parameter, a header or a media type, which both sides have.
    pub fn example(&mut self, at: &Location, owner: &NodePair<'a>) {
        let pair = &owner.get("example");
        let is_of_text = |root: &'a Node, owner: &NodeRef<'a>| {
            let schema = owner.get("schema");
            let schema = schema.and_then(|schema| target(root, &schema.innermost(&schema)));
            schema.is_some_and(|schema| schema.is_of_text())
        };
        let is_of_text = is_of_text(self.base, &owner.base) && is_of_text(self.head, &owner.head);
        let rule = match (&pair.base, &pair.head) {
            (Some(_), Some(_)) => &EXAMPLE_CHANGED,
            (None, _) => &EXAMPLE_ADDED,
            (_, None) => &EXAMPLE_REMOVED,
        };
        self.changed_as_written(rule, at, "example", pair, is_of_text);
    }

    /// The named `examples` of a parameter, a header or a media type.
    pub fn examples(&mut self, at: &Location, pair: &NodeChange<'a>) {
        if !pair.each(|node| node.as_map().is_some()) {
            return self.unclassified(at, pair);
        }
        for (name, pair) in pair.entries() {
            let at = at.step(&format!(" example {name}"));
            self.named_example(&at, &pair);
        }
    }

    fn named_example(&mut self, at: &Location, pair: &NodeChange<'a>) {
        match pair.both() {
            Some(both) => {
                if let Some((both, at)) = self.follow(&both, at) {
                    self.example_object(&both, &at);
                }
            }
            None => {
                let (rule, word) = match pair.head {
                    Some(_) => (&EXAMPLE_ADDED, "new"),
                    None => (&EXAMPLE_REMOVED, "gone"),
                };
                self.add_pair(rule, at, format!("example is {word}"), pair);
            }
        }
    }

    pub fn example_object(&mut self, both: &NodePair<'a>, at: &Location) {
        self.keys(both, at, |this, key, pair| {
            match key {
                "value" | "externalValue" => this.changed(&EXAMPLE_CHANGED, at, key, pair),
                _ => return this.texts(at, key, pair),
            }
            Known::Yes
        });
    }

    /// The examples of a schema: one under `example`, or since OpenAPI 3.1 a list under `examples`.
    pub fn schema_examples(&mut self, both: &NodePair<'a>, at: &Location) {
        let listed = both.get("examples");
        if !listed.each(|node| matches!(node, Node::List(_))) {
            self.unclassified(at, &listed);
        }
        let all = |node_ref: &NodeRef<'a>| -> Vec<(String, NodeRef<'a>)> {
            let one = node_ref.get("example");
            let list = node_ref.get("examples");
            let all = one
                .into_iter()
                .chain(list.map_or_else(Vec::new, |list| list.items()));
            all.enumerate()
                .map(|(index, node_ref)| (index.to_string(), node_ref))
                .collect()
        };
        let (base, head) = (all(&both.base), all(&both.head));
        let base = base
            .iter()
            .map(|(name, node_ref)| (name.as_str(), node_ref.clone()));
        let head = head
            .iter()
            .map(|(name, node_ref)| (name.as_str(), node_ref.clone()));
        for (_, pair) in matched(base.collect(), head.collect(), |name| name) {
            if pair.both().is_some() {
                let is_of_text = both.are_of_text();
                self.changed_as_written(&EXAMPLE_CHANGED, at, "example", &pair, is_of_text);
                continue;
            }
            let rule = match pair.head {
                Some(_) => &EXAMPLE_ADDED,
                None => &EXAMPLE_REMOVED,
            };
            let node = pair
                .head_node()
                .or(pair.base_node())
                .map_or_else(String::new, show);
            let message = match pair.head {
                Some(_) => moved("example", None, pair.head_node()),
                None => format!("example {node} is gone"),
            };
            self.add_pair(rule, at, message, &pair);
        }
    }
}
