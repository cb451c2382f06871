//! Schemas made of several.

use super::reference::{component, target};
use super::spot::{Pair, Spot};
use super::{At, Comparison};
use crate::rules::family::Family;
use crate::rules::keywords::{COMPOSITION_ADDED, COMPOSITION_ORDER_CHANGED, COMPOSITION_REMOVED};
use crate::tree::Node;

impl<'a> Comparison<'a> {
    /// `oneOf` and `anyOf`, which bind nothing while they are not there.
    pub fn alternatives(
        &mut self,
        at: &At,
        pair: &Pair<'a>,
        key: &str,
        families: [&'static Family; 2],
    ) {
        let (base, head) = members(pair, key);
        let lists = pair.each(|node| matches!(node, Node::List(_)));
        match (base.is_empty(), head.is_empty()) {
            (false, true) | (true, false) if lists => {
                let full = Pair {
                    base: pair.base.clone().filter(|_| !base.is_empty()),
                    head: pair.head.clone().filter(|_| !head.is_empty()),
                };
                self.presence(at, &full, key, [&COMPOSITION_ADDED, &COMPOSITION_REMOVED]);
            }
            _ => self.members(at, pair, key, families),
        }
    }

    /// The schemas of `oneOf`, `anyOf` or `allOf`.
    pub fn members(&mut self, at: &At, pair: &Pair<'a>, key: &str, families: [&'static Family; 2]) {
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
        let gone: Vec<_> = left.map(|(_, spot)| spot.clone()).collect();
        for (index, (head, partner)) in head.into_iter().zip(partners).enumerate() {
            let step = at.step(&format!(".{key}[{index}]"));
            let base = partner.map(|partner| base[partner].clone());
            match base {
                Some(base) => {
                    let (base, head) = (Some(base), Some(head));
                    self.subschema(&Pair { base, head }, &step);
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
        at: &At,
        base: Option<Spot<'a>>,
        head: Option<Spot<'a>>,
        key: &str,
        families: [&'static Family; 2],
    ) {
        let pair = Pair { base, head };
        let node = pair.head_node().or(pair.base_node());
        let name = node
            .and_then(|node| node.text("$ref"))
            .and_then(|reference| {
                let pointer = reference.strip_prefix('#')?;
                component(pointer)
            });
        let name = name.unwrap_or_else(|| node.map_or_else(String::new, super::words::show));
        self.presence(at, &pair, &format!("{name} in {key}"), families);
    }

    /// For each schema of the newer list its partner in the older one: what it is the same as, or else what has been
    /// edited or renamed into it.
    fn partners(&self, base: &[Spot<'a>], head: &[Spot<'a>]) -> Vec<Option<usize>> {
        let old: Vec<_> = base.iter().map(|spot| target(self.base, spot)).collect();
        let new: Vec<_> = head.iter().map(|spot| target(self.head, spot)).collect();
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
        let name =
            |spot: &Option<Spot<'a>>| spot.as_ref().and_then(|spot| component(&spot.pointer));
        pass(&|base, head| name(&old[base]).is_some() && name(&old[base]) == name(&new[head]));
        pass(&|old, new| {
            let (base, head) = (Some(base[old].clone()), Some(head[new].clone()));
            self.alike(&Pair { base, head })
        });
        pass(&|base, head| {
            let lives = |root: &Node, spot: &Option<Spot<'a>>| {
                let spot = spot
                    .as_ref()
                    .filter(|spot| component(&spot.pointer).is_some());
                self.whole && spot.is_some_and(|spot| root.at(&spot.pointer).is_some())
            };
            !lives(self.head, &old[base]) && !lives(self.base, &new[head])
        });
        partners
    }
}

/// The schemas of both sides without null, which counts as the schema around them being nullable.
fn members<'a>(pair: &Pair<'a>, key: &str) -> (Vec<Spot<'a>>, Vec<Spot<'a>>) {
    let (mut base, mut head) = pair.items();
    base.retain(|one| !one.is_null_of(key));
    head.retain(|one| !one.is_null_of(key));
    (base, head)
}
