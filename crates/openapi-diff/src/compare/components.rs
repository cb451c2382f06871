//! Components: their names, and those that no operation reaches.

use super::node_ref::{NodeChange, NodePair, NodeRef};
use super::reference::KINDS;
use super::{Comparison, Location};
use crate::place::Place;
use crate::rule::Direction;
use crate::rules::operation::{SCHEME_ADDED, SCHEME_REMOVED};
use crate::rules::reference::{COMPONENT_ADDED, COMPONENT_REMOVED, SCHEMA_ADDED, SCHEMA_REMOVED};

impl<'a> Comparison<'a> {
    /// Compares what no operation has reached, and the names of everything.
    pub fn components(&mut self, pair: &NodeChange<'a>) {
        self.unused = true;
        self.met.clear();
        let at = Location::new("components");
        for (kind, pair) in pair.entries() {
            match KINDS.iter().find(|(known, _)| *known == kind) {
                Some((_, word)) if pair.each(|node| node.as_map().is_some()) => {
                    self.kind(kind, word, &pair);
                }
                _ => self.unclassified(&at, &pair),
            }
        }
        if !pair.each(|node| node.as_map().is_some()) {
            self.unclassified(&at, pair);
        }
        self.drain();
        self.unused = false;
    }

    fn kind(&mut self, kind: &str, word: &str, pair: &NodeChange<'a>) {
        let mut gone = Vec::new();
        let mut new = Vec::new();
        for (name, pair) in pair.entries() {
            let at = Location::new(format!("{word}{name}"));
            match (pair.both(), pair.base, pair.head) {
                (Some(both), _, _) => self.component(kind, &both, &at),
                (_, Some(base), _) if !self.renamed.contains(&base.pointer) => {
                    gone.push((at, base));
                }
                (_, _, Some(head)) if !self.renamed.contains(&head.pointer) => new.push((at, head)),
                _ => {}
            }
        }
        for (at, base) in gone {
            let twin = new.iter().position(|(_, head)| {
                let base = Some(base.clone());
                let head = Some(head.clone());
                self.alike(&NodeChange { base, head })
            });
            match twin {
                Some(index) => {
                    let (_, head) = new.remove(index);
                    self.rename(&base, &head);
                }
                None => self.one_sided(kind, &at, Some(base), None),
            }
        }
        for (at, head) in new {
            self.one_sided(kind, &at, None, Some(head));
        }
    }

    fn one_sided(
        &mut self,
        kind: &str,
        at: &Location,
        base: Option<NodeRef<'a>>,
        head: Option<NodeRef<'a>>,
    ) {
        let [added, removed] = match kind {
            "schemas" => [&SCHEMA_ADDED, &SCHEMA_REMOVED],
            "securitySchemes" => [&SCHEME_ADDED, &SCHEME_REMOVED],
            _ => [&COMPONENT_ADDED, &COMPONENT_REMOVED],
        };
        let (rule, word) = if head.is_some() {
            (added, "new")
        } else {
            (removed, "gone")
        };
        let message = format!("component is {word}");
        self.add_pair(rule, at, message, &NodeChange { base, head });
    }

    fn component(&mut self, kind: &str, both: &NodePair<'a>, at: &Location) {
        let pointers = (both.base.pointer.clone(), both.head.pointer.clone());
        if self.reached.contains(&pointers) {
            return;
        }
        if kind == "schemas" {
            return self.subschema(&both.pair(), at);
        }
        let Some((both, at)) = self.follow(both, at) else {
            return;
        };
        let direction = Direction::Response;
        match kind {
            "responses" => self.response(&both, &at, direction),
            "parameters" => self.parameter_object(&both, &at, direction),
            "examples" => self.example_object(&both, &at),
            "requestBodies" => self.body_object(&both, &at, Direction::Request),
            "headers" => {
                let at = at.to(at.subject.clone(), Place::parameter(direction));
                self.parameter_object(&both, &at, direction);
            }
            "securitySchemes" => self.scheme(&both, &at),
            "callbacks" => self.callback(&both, &at, direction),
            "pathItems" => self.path_item(&both, &at, direction),
            _ => self.link(&at, &both.pair()),
        }
    }

    /// Walks the schemas that are still ahead.
    pub fn drain(&mut self) {
        while let Some((both, at)) = self.ahead.pop() {
            self.schema(&both, &at);
        }
    }
}
