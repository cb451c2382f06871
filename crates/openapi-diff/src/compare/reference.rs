//! References: where they lead, and whether they lead to the same.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::document::plain;
use super::node_ref::{NodeChange, NodePair, NodeRef, Over, is_empty, same};
use super::{Comparison, Location};
use crate::rule::Rule;
use crate::rules::operation::SCHEME_RENAMED;
use crate::rules::reference::{
    COMPONENT_RENAMED, REFERENCE_BROKEN, REFERENCE_CHANGED, REFERENCE_SIBLINGS_CHANGED,
    SCHEMA_RENAMED,
};
use crate::tree::{Node, fragment, join};

/// Kinds of components, and what findings call one of them. Schemas go by their name alone.
pub const KINDS: [(&str, &str); 10] = [
    ("schemas", ""),
    ("responses", "response "),
    ("parameters", "parameter "),
    ("examples", "example "),
    ("requestBodies", "request body "),
    ("headers", "header "),
    ("securitySchemes", "security scheme "),
    ("links", "link "),
    ("callbacks", "callback "),
    ("pathItems", "path item "),
];

/// What findings call the component at `pointer`, if it is one.
pub fn component(pointer: &str) -> Option<String> {
    let (kind, name) = pointer.strip_prefix("/components/")?.split_once('/')?;
    let (_, word) = KINDS.iter().find(|(known, _)| *known == kind)?;
    let whole = !name.contains('/');
    whole.then(|| format!("{word}{}", name.replace("~1", "/").replace("~0", "~")))
}

/// Where a chain of references ends.
struct End<'a> {
    node_ref: NodeRef<'a>,
    followed: bool,
}

impl<'a> Comparison<'a> {
    /// What stands behind the references of both sides, or nothing when that has been compared already, comes later, or
    /// cannot be found. A schema that comes later is walked once the operation around it is done.
    ///
    /// What stands beside a reference and counts there is compared here.
    pub fn follow(
        &mut self,
        both: &NodePair<'a>,
        at: &Location,
    ) -> Option<(NodePair<'a>, Location)> {
        self.follow_with(both, at, |this, ends, keys| {
            for key in keys {
                this.texts(at, key, &ends.get(key));
            }
        })
    }

    /// Like [`Self::follow`]. `beside` compares the keys around what was found.
    pub fn follow_with(
        &mut self,
        both: &NodePair<'a>,
        at: &Location,
        beside: impl FnOnce(&mut Self, &NodePair<'a>, &[&'a str]),
    ) -> Option<(NodePair<'a>, Location)> {
        let ends = (end(self.base, &both.base), end(self.head, &both.head));
        let (Ok(base), Ok(head)) = ends else {
            let text = |node_ref: &NodeRef<'a>| node_ref.node.get("$ref").map(plain);
            let (base, head) = (text(&both.base), text(&both.head));
            if ends.0.is_ok() != ends.1.is_ok() || base != head {
                let pair = both.pair();
                let pair = NodeChange {
                    base: pair.base.filter(|_| ends.0.is_err()),
                    head: pair.head.filter(|_| ends.1.is_err()),
                };
                let broken = [
                    base.filter(|_| ends.0.is_err()),
                    head.filter(|_| ends.1.is_err()),
                ];
                let broken: Vec<_> = broken.into_iter().flatten().collect();
                let message = format!("$ref leads nowhere: {}", broken.join(", "));
                self.add_pair(&REFERENCE_BROKEN, at, message, &pair);
            }
            return None;
        };
        self.siblings(both, at);
        let mut keys = base.node_ref.keys_over();
        keys.extend(head.node_ref.keys_over());
        keys.sort_unstable();
        keys.dedup();
        let mut at = at.clone();
        at.skip = Vec::new();
        if !keys.is_empty() {
            let ends = NodePair {
                base: base.node_ref.clone(),
                head: head.node_ref.clone(),
            };
            beside(self, &ends, &keys);
        }
        if base.followed && head.followed {
            at.subject = self.name(&base.node_ref, &head.node_ref, both, &at);
        } else {
            at.skip = keys.into_iter().map(str::to_owned).collect();
        }
        let found = NodePair {
            base: base.node_ref.bare(),
            head: head.node_ref.bare(),
        };
        if base.followed || head.followed {
            let pointers = (found.base.pointer.clone(), found.head.pointer.clone());
            if self.is_untouched(&found) {
                self.reached.insert(pointers);
                return None;
            }
            let fresh =
                self.met
                    .insert((pointers.0.clone(), pointers.1.clone(), at.place, at.unsent));
            if !fresh || (self.unused && self.reached.contains(&pointers)) {
                return None;
            }
            if !self.unused {
                self.reached.insert(pointers);
            }
        }
        Some((found, at))
    }

    /// Whether both documents have the same text here and behind every reference in it. Most components of two versions
    /// are like that, and need no walk.
    fn is_untouched(&self, both: &NodePair<'a>) -> bool {
        let pointer = &both.base.pointer;
        *pointer == both.head.pointer && self.untouched.contains(pointer.as_str())
    }

    /// What findings about the two components are about. Two names for one thing are findings themselves.
    fn name(
        &mut self,
        base: &NodeRef<'a>,
        head: &NodeRef<'a>,
        from: &NodePair<'a>,
        at: &Location,
    ) -> String {
        let (Some(old), Some(new)) = (component(&base.pointer), component(&head.pointer)) else {
            return at.subject.clone();
        };
        if old == new || !self.whole {
            return new;
        }
        let lost = self.head.at(&base.pointer).is_none() && self.base.at(&head.pointer).is_none();
        if lost {
            self.rename(base, head);
            return new;
        }
        let message = format!("refers to {new} instead of {old}");
        self.add_pair(&REFERENCE_CHANGED, at, message, &from.pair());
        format!("{new} in place of {old}")
    }

    /// A component goes by another name.
    pub fn rename(&mut self, base: &NodeRef<'a>, head: &NodeRef<'a>) {
        let (Some(old), Some(new)) = (component(&base.pointer), component(&head.pointer)) else {
            return;
        };
        let rule = rename_rule(&head.pointer);
        let pair = NodeChange {
            base: Some(base.clone()),
            head: Some(head.clone()),
        };
        self.renamed.insert(base.pointer.clone());
        self.renamed.insert(head.pointer.clone());
        self.add_pair(
            rule,
            &Location::new(&new),
            format!("was {old} and is {new}"),
            &pair,
        );
    }

    /// Keys beside a `$ref`, which count only since OpenAPI 3.1, and then as keys of the target.
    fn siblings(&mut self, both: &NodePair<'a>, at: &Location) {
        if !self.whole {
            return;
        }
        let beside = |root: &'a Node, node_ref: &NodeRef<'a>| {
            let ignored = reference(node_ref.node).is_some() && !takes_siblings(root);
            ignored.then(|| node_ref.bare())
        };
        let pair = NodeChange {
            base: beside(self.base, &both.base),
            head: beside(self.head, &both.head),
        };
        for (key, pair) in pair.entries() {
            if key != "$ref" && !pair.is_same() {
                let message = super::message::moved(key, pair.base_node(), pair.head_node());
                self.add_pair(&REFERENCE_SIBLINGS_CHANGED, at, message, &pair);
            }
        }
    }

    /// Whether both sides are the same once references are followed.
    pub fn alike(&self, pair: &NodeChange<'a>) -> bool {
        match (&pair.base, &pair.head) {
            (Some(base), Some(head)) => self.alike_nodes(base.node, head.node, &mut HashSet::new()),
            _ => pair.each(is_empty),
        }
    }

    fn alike_nodes(
        &self,
        base: &'a Node,
        head: &'a Node,
        met: &mut HashSet<(*const Node, *const Node)>,
    ) -> bool {
        let (old, new) = (NodeRef::new(base, ""), NodeRef::new(head, ""));
        let ends = (
            end(self.base, &old.innermost(&new)),
            end(self.head, &new.innermost(&old)),
        );
        let (Ok(old), Ok(new)) = ends else {
            return same(base, head);
        };
        let is_plain = old.node_ref.keys_over().is_empty() && new.node_ref.keys_over().is_empty();
        if is_plain && !same_siblings(base, head) {
            return false;
        }
        if (old.followed || new.followed)
            && !met.insert((
                std::ptr::from_ref(old.node_ref.node),
                std::ptr::from_ref(new.node_ref.node),
            ))
        {
            return true;
        }
        match (old.node_ref.node, new.node_ref.node) {
            (Node::List(old), Node::List(new)) => {
                let mut pairs = old.iter().zip(new);
                old.len() == new.len() && pairs.all(|(old, new)| self.alike_nodes(old, new, met))
            }
            (Node::Map(_), Node::Map(_)) => {
                let entries = old.node_ref.entries();
                old.node_ref.nullable == new.node_ref.nullable
                    && entries.len() == new.node_ref.keys().len()
                    && entries.into_iter().all(|(key, old)| {
                        let new = new.node_ref.get(key);
                        new.is_some_and(|new| self.alike_nodes(old.node, new.node, met))
                    })
            }
            (old, new) => same(old, new),
        }
    }

    /// References that lead nowhere and that the older document does not have, wherever they stand.
    pub fn broken(&mut self) {
        let mut known = HashSet::new();
        broken(self.base, &mut |_, reference| {
            known.insert(reference.to_owned());
        });
        let mut fresh = Vec::new();
        broken(self.head, &mut |pointer, reference| {
            if !known.contains(reference) {
                fresh.push((pointer.to_owned(), reference.to_owned()));
            }
        });
        let told = self
            .found
            .keys()
            .filter(|(id, ..)| *id == REFERENCE_BROKEN.id);
        let told: HashSet<_> = told.filter_map(|(.., head)| head.clone()).collect();
        for (pointer, reference) in fresh {
            if !told.contains(&pointer) {
                let message = format!("$ref leads nowhere: {reference}");
                let at = Location::new(format!("reference at {pointer}"));
                self.add(&REFERENCE_BROKEN, &at, message, None, Some(pointer));
            }
        }
    }
}

/// The targets of references that are the same text in both documents, with all that they refer to in turn.
pub fn untouched(base: &Node, head: &Node) -> HashSet<String> {
    if takes_siblings(base) != takes_siblings(head) {
        return HashSet::new();
    }
    let targets = |node: &Node| {
        let mut found = Vec::new();
        references(node, &mut found);
        let found = found.into_iter().filter_map(fragment);
        found.map(Cow::into_owned).collect::<HashSet<_>>()
    };
    let mut untouched = targets(base);
    let mut referrers: HashMap<String, Vec<String>> = HashMap::new();
    let mut touched = Vec::new();
    for target in &untouched {
        let node = base.at(target);
        if node != head.at(target) {
            touched.push(target.clone());
        }
        for further in node.map(targets).unwrap_or_default() {
            referrers.entry(further).or_default().push(target.clone());
        }
    }
    while let Some(target) = touched.pop() {
        if untouched.remove(&target) {
            touched.extend(referrers.get(&target).into_iter().flatten().cloned());
        }
    }
    untouched
}

/// The rule about another name for the component at `pointer`.
fn rename_rule(pointer: &str) -> &'static Rule {
    match pointer.split('/').nth(2) {
        Some("schemas") => &SCHEMA_RENAMED,
        Some("securitySchemes") => &SCHEME_RENAMED,
        _ => &COMPONENT_RENAMED,
    }
}

fn broken(root: &Node, found: &mut impl FnMut(&str, &str)) {
    fn walk(root: &Node, node: &Node, pointer: &str, found: &mut impl FnMut(&str, &str)) {
        if let Some(reference) = reference(node)
            && end(root, &NodeRef::new(node, pointer)).is_err()
        {
            found(pointer, reference);
        }
        for (index, item) in node.items().iter().enumerate() {
            walk(root, item, &format!("{pointer}/{index}"), found);
        }
        for (key, value) in node.entries() {
            // What stands below these is data, where `$ref` is a word like any other.
            if !["default", "enum", "example", "value", "const"].contains(&key) {
                walk(root, value, &join(pointer, key), found);
            }
        }
    }
    walk(root, root, "", found);
}

/// Whether the keys beside a `$ref`, if there are any, are the same.
fn same_siblings(base: &Node, head: &Node) -> bool {
    let beside = |node: &Node| {
        let mut beside = match reference(node) {
            Some(_) => node.clone(),
            None => Node::map(),
        };
        beside.remove("$ref");
        beside
    };
    same(&beside(base), &beside(head))
}

/// The text of a `$ref`.
fn reference(node: &Node) -> Option<&str> {
    node.text("$ref")
}

/// The texts of every `$ref` in a value.
fn references<'n>(node: &'n Node, found: &mut Vec<&'n str>) {
    found.extend(reference(node));
    for item in node.items() {
        references(item, found);
    }
    for (_, value) in node.entries() {
        references(value, found);
    }
}

/// Whether keys beside a `$ref` count in this document.
fn takes_siblings(root: &Node) -> bool {
    let edition = root.text("openapi").unwrap_or_default();
    !edition.starts_with("3.0")
}

/// Where the references at `node_ref` end; nothing when they lead nowhere.
pub fn target<'a>(root: &'a Node, node_ref: &NodeRef<'a>) -> Option<NodeRef<'a>> {
    end(root, node_ref).ok().map(|end| end.node_ref)
}

/// Follows references until something else comes.
fn end<'a>(root: &'a Node, from: &NodeRef<'a>) -> Result<End<'a>, ()> {
    let mut node_ref = from.clone();
    let mut followed = false;
    let mut steps = 0;
    while let Some(reference) = node_ref.node.get("$ref") {
        steps += 1;
        let pointer = reference.as_text().and_then(fragment).ok_or(())?;
        let node = root.at(&pointer).ok_or(())?;
        // A chain of more steps goes round in circles.
        if steps > 64 {
            return Err(());
        }
        let mut over = node_ref.over.clone();
        if takes_siblings(root) && node_ref.node.entries().count() > 1 {
            over.push(Over::new(&node_ref, "$ref"));
        }
        node_ref = NodeRef {
            over,
            nullable: node_ref.nullable,
            ..NodeRef::new(node, pointer)
        };
        followed = true;
    }
    Ok(End { node_ref, followed })
}
