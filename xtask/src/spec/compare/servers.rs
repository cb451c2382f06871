//! Base URLs.

use super::document::twice;
use super::spot::{Pair, Spot, matched};
use super::{At, Comparison, Known};
use crate::spec::catalogue::document::{
    DESCRIPTION_CHANGED, SERVER_ADDED, SERVER_ORDER_CHANGED, SERVER_REMOVED,
    SERVER_VARIABLES_CHANGED,
};
use crate::tree::Node;

impl<'a> Comparison<'a> {
    /// Compares the servers of `owner`, an operation or a path; an empty text stands for the document.
    pub fn servers(&mut self, pair: &Pair<'a>, owner: &str) {
        let owner = if owner.is_empty() {
            String::new()
        } else {
            format!("{owner} ")
        };
        let all = At::new(format!("{owner}servers"));
        let named = |spots: Vec<Spot<'a>>| -> Option<Vec<_>> {
            let named = spots
                .into_iter()
                .map(|spot| Some((spot.node.text("url")?, spot)));
            named.collect()
        };
        let (base, head) = pair.items();
        let (Some(base), Some(head)) = (named(base), named(head)) else {
            return self.unclassified(&all, pair);
        };
        if !pair.each(|node| matches!(node, Node::List(_))) || twice(&base) || twice(&head) {
            return self.unclassified(&all, pair);
        }
        let common = |spots: &[(&'a str, Spot<'a>)], others: &[(&'a str, Spot<'a>)]| -> Vec<_> {
            let urls = spots.iter().map(|(url, _)| *url);
            let there = |url: &&str| others.iter().any(|(other, _)| other == url);
            urls.filter(there).collect()
        };
        let (old, new) = (common(&base, &head), common(&head, &base));
        if old != new {
            let message = format!("{} were in the order {}", new.join(", "), old.join(", "));
            self.add_pair(&SERVER_ORDER_CHANGED, &all, message, pair);
        }
        for (url, pair) in matched(base, head, |url| url) {
            let at = At::new(format!("{owner}server {url}"));
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
                    self.add_pair(rule, &at, format!("server {url} is {word}"), &pair);
                }
            }
        }
    }
}
