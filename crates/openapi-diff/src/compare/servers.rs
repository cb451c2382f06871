//! Base URLs.

use super::node_ref::{NodeChange, NodeRef, matched};
use super::{Comparison, Known, Location};
use crate::rules::document::{
    DESCRIPTION_CHANGED, SERVER_ADDED, SERVER_ORDER_CHANGED, SERVER_REMOVED,
    SERVER_VARIABLES_CHANGED,
};

impl<'a> Comparison<'a> {
    /// The servers that hold where `around` has none of its own: those of the document.
    pub fn inherited(&self, around: NodeChange<'a>) -> NodeChange<'a> {
        let whole = |root| NodeRef::new(root, "").get("servers");
        NodeChange {
            base: around.base.or_else(|| whole(self.base)),
            head: around.head.or_else(|| whole(self.head)),
        }
    }

    /// Compares the servers that a path or an operation names itself. They take the place of those `around` it, so a
    /// side without any is compared with these.
    pub fn own_servers(&mut self, pair: &NodeChange<'a>, around: &NodeChange<'a>, at: &Location) {
        let either = |own: &Option<NodeRef<'a>>, around: &Option<NodeRef<'a>>| {
            own.clone().or_else(|| around.clone())
        };
        let holding = NodeChange {
            base: either(&pair.base, &around.base),
            head: either(&pair.head, &around.head),
        };
        self.servers(&holding, &at.subject);
    }

    /// Compares the servers of `owner`, an operation or a path; an empty text stands for the document.
    pub fn servers(&mut self, pair: &NodeChange<'a>, owner: &str) {
        let owner = if owner.is_empty() {
            String::new()
        } else {
            format!("{owner} ")
        };
        let all = Location::new(format!("{owner}servers"));
        let Some([base, head]) = self.named(&all, pair, "url") else {
            return;
        };
        let common =
            |node_refs: &[(&'a str, NodeRef<'a>)], others: &[(&'a str, NodeRef<'a>)]| -> Vec<_> {
                let urls = node_refs.iter().map(|(url, _)| *url);
                let there = |url: &&str| others.iter().any(|(other, _)| other == url);
                urls.filter(there).collect()
            };
        let (old, new) = (common(&base, &head), common(&head, &base));
        if old != new {
            let message = format!("{} were in the order {}", new.join(", "), old.join(", "));
            self.add_pair(&SERVER_ORDER_CHANGED, &all, message, pair);
        }
        for (url, pair) in matched(base, head, |url| url) {
            let at = Location::new(format!("{owner}server {url}"));
            match pair.both() {
                Some(both) => self.keys(&both, &at, |this, key, pair| {
                    match key {
                        "url" => {}
                        "description" => this.changed(&DESCRIPTION_CHANGED, &at, key, pair),
                        "variables" => this.changed(&SERVER_VARIABLES_CHANGED, &at, key, pair),
                        _ => return Known::No,
                    }
                    Known::Yes
                }),
                None => {
                    let (rule, word) = match pair.head {
                        Some(_) => (&SERVER_ADDED, "new"),
                        None => (&SERVER_REMOVED, "gone"),
                    };
                    self.add_pair(rule, &at, format!("server is {word}"), &pair);
                }
            }
        }
    }
}
