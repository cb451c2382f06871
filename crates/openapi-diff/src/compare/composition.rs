//! Schemas made of several.

use super::node_ref::{NodeChange, NodeRef};
use super::reference::{component, target};
use super::{Comparison, Location};
use crate::rules::family::RuleFamily;
use crate::rules::keywords::{COMPOSITION_ADDED, COMPOSITION_ORDER_CHANGED, COMPOSITION_REMOVED};
use crate::tree::Node;

impl<'a> Comparison<'a> {
    /// `oneOf` and `anyOf`, which bind nothing while they are not there.
    pub fn alternatives(
        &mut self,
        at: &Location,
        pair: &NodeChange<'a>,
        key: &str,
        families: [&'static RuleFamily; 2],
    ) {
        let (base, head) = members(pair, key);
        let lists = pair.each(|node| matches!(node, Node::List(_)));
        match (base.is_empty(), head.is_empty()) {
            (false, true) | (true, false) if lists => {
                let full = NodeChange {
                    base: pair.base.clone().filter(|_| !base.is_empty()),
                    head: pair.head.clone().filter(|_| !head.is_empty()),
                };
                self.presence(at, &full, key, [&COMPOSITION_ADDED, &COMPOSITION_REMOVED]);
            }
            _ => self.members(at, pair, key, families),
        }
    }

    /// The schemas of `oneOf`, `anyOf` or `allOf`.
    pub fn members(
        &mut self,
        at: &Location,
        pair: &NodeChange<'a>,
        key: &str,
        families: [&'static RuleFamily; 2],
    ) {
        if !pair.each(|node| matches!(node, Node::List(_))) {
            return self.unclassified(at, pair);
        }
        let (base, head) = members(pair, key);
        let partners = self.partners(&base, &head);
        let order: Vec<_> = partners.iter().flatten().collect();
        if !order.is_sorted() {
            let message = format!("the schemas of {key} stand in another order");
            self.add_pair(&COMPOSITION_ORDER_CHANGED, at, message, pair);
        }
        let left = base.iter().enumerate();
        let left = left.filter(|(index, _)| !partners.contains(&Some(*index)));
        let gone: Vec<_> = left.map(|(_, node_ref)| node_ref.clone()).collect();
        for (index, (head, partner)) in head.into_iter().zip(partners).enumerate() {
            let step = at.step(&format!(".{key}[{index}]"));
            let base = partner.map(|partner| base[partner].clone());
            match base {
                Some(base) => {
                    let (base, head) = (Some(base), Some(head));
                    self.subschema(&NodeChange { base, head }, &step);
                }
                None => self.lone_member(at, None, Some(head), key, families),
            }
        }
        for base in gone {
            self.lone_member(at, Some(base), None, key, families);
        }
    }

    fn lone_member(
        &mut self,
        at: &Location,
        base: Option<NodeRef<'a>>,
        head: Option<NodeRef<'a>>,
        key: &str,
        families: [&'static RuleFamily; 2],
    ) {
        let pair = NodeChange { base, head };
        let node = pair.head_node().or(pair.base_node());
        let name = node
            .and_then(|node| node.text("$ref"))
            .and_then(|reference| {
                let pointer = reference.strip_prefix('#')?;
                component(pointer)
            });
        let name = name.unwrap_or_else(|| node.map_or_else(String::new, super::message::show));
        self.presence(at, &pair, &format!("{name} in {key}"), families);
    }

    /// For each schema of the newer list its partner in the older one: what it is the same as, or else what has been
    /// edited or renamed into it.
    fn partners(&self, base: &[NodeRef<'a>], head: &[NodeRef<'a>]) -> Vec<Option<usize>> {
        let old: Vec<_> = base
            .iter()
            .map(|node_ref| target(self.base, node_ref))
            .collect();
        let new: Vec<_> = head
            .iter()
            .map(|node_ref| target(self.head, node_ref))
            .collect();
        let mut partners = vec![None; head.len()];
        let mut taken = vec![false; base.len()];
        let mut pass = |fits: &dyn Fn(usize, usize) -> bool| {
            for (index, partner) in partners.iter_mut().enumerate() {
                if partner.is_none() {
                    *partner = (0..base.len()).find(|other| !taken[*other] && fits(*other, index));
                    if let Some(partner) = *partner {
                        taken[partner] = true;
                    }
                }
            }
        };
        let name = |node_ref: &Option<NodeRef<'a>>| {
            node_ref
                .as_ref()
                .and_then(|node_ref| component(&node_ref.pointer))
        };
        pass(&|base, head| name(&old[base]).is_some() && name(&old[base]) == name(&new[head]));
        pass(&|old, new| {
            let (base, head) = (Some(base[old].clone()), Some(head[new].clone()));
            self.alike(&NodeChange { base, head })
        });
        pass(&|base, head| {
            let lives = |root: &Node, node_ref: &Option<NodeRef<'a>>| {
                let node_ref = node_ref
                    .as_ref()
                    .filter(|node_ref| component(&node_ref.pointer).is_some());
                self.whole && node_ref.is_some_and(|node_ref| root.at(&node_ref.pointer).is_some())
            };
            !lives(self.head, &old[base]) && !lives(self.base, &new[head])
        });
        partners
    }
}

/// The schemas of both sides without null, which counts as the schema around them being nullable.
fn members<'a>(pair: &NodeChange<'a>, key: &str) -> (Vec<NodeRef<'a>>, Vec<NodeRef<'a>>) {
    let (mut base, mut head) = pair.items();
    base.retain(|one| !one.is_null_of(key));
    head.retain(|one| !one.is_null_of(key));
    (base, head)
}
