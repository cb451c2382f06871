//! Calls that the service makes to us.

use std::collections::BTreeSet;

use super::node_ref::{NodeChange, NodePair};
use super::operation::Item;
use super::paths::placeholders;
use super::{Comparison, Location};
use crate::document::METHODS;
use crate::rule::Direction;
use crate::rules::operation::{CALLBACK_ADDED, CALLBACK_REMOVED};

impl<'a> Comparison<'a> {
    /// The callbacks of an operation, by name. `asks` is the direction of what goes into them.
    pub fn callbacks(&mut self, at: &Location, pair: &NodeChange<'a>, asks: Direction) {
        if !pair.each(|node| node.as_map().is_some()) {
            return self.unclassified(at, pair);
        }
        for (name, pair) in pair.entries() {
            let at = at.step(&format!(" callback {name}"));
            match pair.both() {
                Some(both) => {
                    if let Some((both, at)) = self.follow(&both, &at) {
                        self.callback(&both, &at, asks);
                    }
                }
                None => self.lone_callback(&at, &pair),
            }
        }
    }

    /// One callback: path items by the expression that yields their URL.
    pub fn callback(&mut self, both: &NodePair<'a>, at: &Location, asks: Direction) {
        if !both.are_maps() {
            return self.unclassified(at, &both.pair());
        }
        for (expression, pair) in both.keys() {
            if expression.starts_with("x-") {
                self.unclassified(at, &pair);
                continue;
            }
            let at = at.step(&format!(" {expression}"));
            match pair.both() {
                Some(both) => {
                    if let Some((both, at)) = self.follow(&both, &at) {
                        self.path_item(&both, &at, asks);
                    }
                }
                None => self.lone_callback(&at, &pair),
            }
        }
    }

    /// A path item whose operations the service calls.
    pub fn path_item(&mut self, both: &NodePair<'a>, at: &Location, asks: Direction) {
        self.item_keys(both, at);
        let item = Item {
            both: both.clone(),
            at: at.clone(),
        };
        for method in METHODS {
            let pair = both.get(method);
            let at = at.step(&format!(" {}", method.to_uppercase()));
            match pair.both() {
                Some(both) => {
                    let names = (placeholders(""), placeholders(""));
                    self.operation(&item, &both, &at, asks, &names);
                }
                None if pair.base.is_some() || pair.head.is_some() => {
                    self.lone_callback(&at, &pair);
                }
                None => {}
            }
        }
    }

    fn lone_callback(&mut self, at: &Location, pair: &NodeChange<'a>) {
        let (rule, word) = match pair.head {
            Some(_) => (&CALLBACK_ADDED, "new"),
            None => (&CALLBACK_REMOVED, "gone"),
        };
        self.add_pair(rule, at, format!("callback is {word}"), pair);
    }

    /// The `webhooks` of a document of OpenAPI 3.1.
    pub fn webhooks(&mut self, pair: &NodeChange<'a>) {
        if !pair.each(|node| node.as_map().is_some()) {
            return self.unclassified(&Location::new("webhooks"), pair);
        }
        for (name, pair) in pair.entries() {
            let at = Location::new(format!("webhook {name}"));
            self.within = BTreeSet::from([at.subject.clone()]);
            self.met.clear();
            match pair.both() {
                Some(both) => {
                    if let Some((both, at)) = self.follow(&both, &at) {
                        self.path_item(&both, &at, Direction::Response);
                    }
                }
                None => self.lone_callback(&at, &pair),
            }
            self.drain();
            self.within.clear();
        }
    }
}
