//! One operation on both sides.

use super::document::plain;
use super::node_ref::{NodeChange, NodePair};
use super::{Comparison, Known, Location};
use crate::rule::{Direction, Rule};
use crate::rules::operation::{
    ENDPOINT_DEPRECATED, ENDPOINT_REACTIVATED, OPERATION_ID_ADDED, OPERATION_ID_CHANGED,
    OPERATION_ID_REMOVED, OPERATION_TAG_ADDED, OPERATION_TAG_REMOVED,
};
use crate::tree::Node;

/// The names between the braces of both paths.
pub type Placeholders<'n> = (Vec<&'n str>, Vec<&'n str>);

/// The path item around an operation.
pub struct Item<'a> {
    pub both: NodePair<'a>,
    pub at: Location,
}

impl<'a> Comparison<'a> {
    /// Compares an operation of a path item. `asks` is the direction of what goes in: what we send to the service, or
    /// what it sends to us in a callback.
    pub fn operation(
        &mut self,
        item: &Item<'a>,
        both: &NodePair<'a>,
        at: &Location,
        asks: Direction,
        names: &Placeholders<'_>,
    ) {
        if both.are_maps() {
            self.parameters(item, both, at, asks, names);
            self.security(both, at);
        }
        self.keys(both, at, |this, key, pair| {
            match key {
                "parameters" | "security" => {}
                "operationId" => this.operation_id(at, pair),
                "tags" => this.tags(at, pair),
                "deprecated" => {
                    this.flag(at, pair, [&ENDPOINT_DEPRECATED, &ENDPOINT_REACTIVATED]);
                }
                "requestBody" => this.body(at, pair, asks),
                "responses" => this.responses(at, pair, asks.reverse()),
                "callbacks" => this.callbacks(at, pair, asks.reverse()),
                "servers" => {
                    let around = item.both.get("servers");
                    let around = this.inherited(around);
                    this.own_servers(pair, &around, at);
                }
                _ => return this.texts(at, key, pair),
            }
            Known::Yes
        });
    }

    fn operation_id(&mut self, at: &Location, pair: &NodeChange<'a>) {
        let rule = match (&pair.base, &pair.head) {
            (Some(_), Some(_)) => &OPERATION_ID_CHANGED,
            (None, _) => &OPERATION_ID_ADDED,
            (_, None) => &OPERATION_ID_REMOVED,
        };
        self.changed(rule, at, "operationId", pair);
    }

    fn tags(&mut self, at: &Location, pair: &NodeChange<'a>) {
        let (added, removed) = self.sets(at, pair);
        for node_ref in added {
            let message = format!("tag {} is new", plain(node_ref.node));
            self.add(
                &OPERATION_TAG_ADDED,
                at,
                message,
                None,
                Some(node_ref.pointer),
            );
        }
        for node_ref in removed {
            let message = format!("tag {} is gone", plain(node_ref.node));
            self.add(
                &OPERATION_TAG_REMOVED,
                at,
                message,
                Some(node_ref.pointer),
                None,
            );
        }
    }

    /// A key that is true or false, and false when it is left out: the rules for when it becomes true and false.
    pub fn flag(&mut self, at: &Location, pair: &NodeChange<'a>, [set, unset]: [&'static Rule; 2]) {
        if !pair.each(|node| matches!(node, Node::Flag(_))) {
            return self.unclassified(at, pair);
        }
        let is_set = |node: Option<&Node>| node == Some(&Node::Flag(true));
        let key = pair
            .pointer()
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned();
        match (is_set(pair.base_node()), is_set(pair.head_node())) {
            (false, true) => self.add_pair(set, at, format!("{key} was false and is true"), pair),
            (true, false) => self.add_pair(unset, at, format!("{key} was true and is false"), pair),
            _ => {}
        }
    }
}
