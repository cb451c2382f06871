//! The whole document.

use std::collections::HashSet;

use super::message::show;
use super::node_ref::{NodeChange, NodePair, NodeRef, matched};
use super::{Comparison, Known, Location};
use crate::rules::document::{
    DESCRIPTION_CHANGED, EDITION_CHANGED, EXTERNAL_DOCS_CHANGED, INFO_CHANGED, TAG_ADDED,
    TAG_REMOVED, TITLE_CHANGED, VERSION_CHANGED,
};
use crate::tree::Node;

impl<'a> Comparison<'a> {
    /// Compares everything.
    pub fn document(&mut self) {
        let both = NodePair {
            base: NodeRef::new(self.base, ""),
            head: NodeRef::new(self.head, ""),
        };
        let at = Location::new("the document");
        self.paths(&|_, _| true);
        self.keys(&both, &at, |this, key, pair| {
            match key {
                "paths" | "components" | "webhooks" => {}
                // What both editions say is compared by meaning.
                "openapi" if pair.base.is_some() && pair.head.is_some() && pair.each(is_known) => {}
                "openapi" => this.changed(&EDITION_CHANGED, &at, key, pair),
                "info" => this.info(pair),
                "servers" => this.servers(pair, ""),
                "security" => this.global_security(pair),
                "tags" => this.tag_objects(pair),
                "externalDocs" => this.changed(&EXTERNAL_DOCS_CHANGED, &at, key, pair),
                _ => return Known::No,
            }
            Known::Yes
        });
        if both.are_maps() {
            self.webhooks(&both.get("webhooks"));
            self.components(&both.get("components"));
        }
        self.broken();
    }

    fn info(&mut self, pair: &NodeChange<'a>) {
        let at = Location::new("info");
        let Some(both) = pair.both() else {
            return self.unclassified(&at, pair);
        };
        self.keys(&both, &at, |this, key, pair| {
            let rule = match key {
                "title" => &TITLE_CHANGED,
                "version" => &VERSION_CHANGED,
                "description" => &DESCRIPTION_CHANGED,
                "summary" | "termsOfService" | "contact" | "license" => &INFO_CHANGED,
                _ => return Known::No,
            };
            this.changed_as_written(rule, &at, key, pair, true);
            Known::Yes
        });
    }

    fn tag_objects(&mut self, pair: &NodeChange<'a>) {
        let Some([base, head]) = self.named(&Location::new("tags"), pair, "name") else {
            return;
        };
        for (name, pair) in matched(base, head, |name| name) {
            let at = Location::new(format!("tag {name}"));
            match pair.both() {
                Some(both) => self.keys(&both, &at, |this, key, pair| {
                    let rule = match key {
                        "name" => return Known::Yes,
                        "description" => &DESCRIPTION_CHANGED,
                        "externalDocs" => &EXTERNAL_DOCS_CHANGED,
                        _ => return Known::No,
                    };
                    this.changed(rule, &at, key, pair);
                    Known::Yes
                }),
                None => {
                    let (rule, word) = match pair.head {
                        Some(_) => (&TAG_ADDED, "new"),
                        None => (&TAG_REMOVED, "gone"),
                    };
                    self.add_pair(rule, &at, format!("tag is {word}"), &pair);
                }
            }
        }
    }

    /// The items of two lists whose items are told apart by the text under `key`; nothing when they are no such lists,
    /// which is unclassified.
    pub fn named(
        &mut self,
        at: &Location,
        pair: &NodeChange<'a>,
        key: &str,
    ) -> Option<[Vec<(&'a str, NodeRef<'a>)>; 2]> {
        let named = |node_refs: Vec<NodeRef<'a>>| -> Option<Vec<_>> {
            let named = node_refs
                .into_iter()
                .map(|node_ref| Some((node_ref.node.text(key)?, node_ref)));
            let named: Vec<_> = named.collect::<Option<_>>()?;
            let names: HashSet<_> = named.iter().map(|(name, _)| *name).collect();
            (names.len() == named.len()).then_some(named)
        };
        let (base, head) = pair.items();
        let lists = pair.each(|node| matches!(node, Node::List(_)));
        let both = named(base).zip(named(head)).filter(|_| lists);
        if both.is_none() {
            self.unclassified(at, pair);
        }
        both.map(|(base, head)| [base, head])
    }

    /// Compares two lists of texts in which neither order nor repetition counts: what is new, and what is gone.
    pub fn sets(
        &mut self,
        at: &Location,
        pair: &NodeChange<'a>,
    ) -> (Vec<NodeRef<'a>>, Vec<NodeRef<'a>>) {
        let texts = |node: &Node| {
            let all_text = node.items().iter().all(|item| item.as_text().is_some());
            matches!(node, Node::List(_)) && all_text
        };
        if !pair.each(texts) {
            self.unclassified(at, pair);
            return (Vec::new(), Vec::new());
        }
        let (base, head) = pair.items();
        let without = |node_refs: &[NodeRef<'a>], others: &[NodeRef<'a>]| -> Vec<_> {
            let missing =
                |node_ref: &&NodeRef<'a>| !others.iter().any(|other| other.node == node_ref.node);
            node_refs.iter().filter(missing).cloned().collect()
        };
        (without(&head, &base), without(&base, &head))
    }
}

/// A text for messages; anything else as JSON.
pub fn plain(node: &Node) -> String {
    node.as_text().map_or_else(|| show(node), str::to_owned)
}

/// Whether this is the number of an edition of OpenAPI whose meaning is known.
fn is_known(edition: &Node) -> bool {
    let parts: Option<Vec<u8>> = edition
        .as_text()
        .and_then(|text| text.split('.').map(|part| part.parse().ok()).collect());
    matches!(parts.as_deref(), Some([3, 0 | 1, _]))
}
