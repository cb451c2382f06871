//! Objects: their properties, which of them must be there, and whether there may be others.

use std::collections::BTreeSet;

use super::node_ref::{NodePair, NodeRef, is_empty};
use super::reference::target;
use super::{Comparison, Location};
use crate::rule::Direction;
use crate::rules::family::RuleFamily;
use crate::rules::properties::{
    BECAME_OPTIONAL, BECAME_REQUIRED, BECAME_REQUIRED_WITH_DEFAULT, OPTIONAL_ADDED,
    OPTIONAL_REMOVED, REQUIRED_ADDED, REQUIRED_ADDED_WITH_DEFAULT, REQUIRED_REMOVED,
};
use crate::tree::Node;

/// What properties beside the named ones may be, the strictest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Others {
    Forbidden,
    OfSchema,
    Free,
}

impl<'a> Comparison<'a> {
    /// Compares `properties` and `required`.
    pub fn properties(&mut self, both: &NodePair<'a>, at: &Location) {
        let required = both.get("required");
        let names = (names(&required.base), names(&required.head));
        let (Some(old), Some(new)) = names else {
            self.unclassified(at, &required);
            return self.each_property(both, at, &BTreeSet::new(), &BTreeSet::new());
        };
        self.each_property(both, at, &old, &new);
        let described = |name: &&&str| {
            let pair = both.get("properties");
            let nodes = [pair.base_node(), pair.head_node()];
            nodes
                .into_iter()
                .flatten()
                .any(|all| all.get(name).is_some())
        };
        let nameless = |one: &BTreeSet<&'a str>, other: &BTreeSet<&'a str>| -> Vec<&'a str> {
            let missing = one.difference(other);
            missing.filter(|name| !described(name)).copied().collect()
        };
        for (names, rules, word) in [
            (nameless(&new, &old), &BECAME_REQUIRED, "required"),
            (nameless(&old, &new), &BECAME_OPTIONAL, "optional"),
        ] {
            for name in names {
                let at = at.step(&format!(".{name}"));
                let rule = rules.of(at.place.direction());
                self.add_pair(rule, &at, format!("property became {word}"), &required);
            }
        }
    }

    fn each_property(
        &mut self,
        both: &NodePair<'a>,
        at: &Location,
        old: &BTreeSet<&str>,
        new: &BTreeSet<&str>,
    ) {
        let properties = both.get("properties");
        if !properties.each(|node| node.as_map().is_some()) {
            return self.unclassified(at, &properties);
        }
        for (name, pair) in properties.entries() {
            let mut at = at.to(format!("{}.{name}", at.subject), at.place.inside());
            let direction = at.place.direction();
            let old_property = Property::new(self.base, pair.base.as_ref(), direction);
            let new_property = Property::new(self.head, pair.head.as_ref(), direction);
            // Where it is never sent, it need not be there.
            let was = old.contains(name) && old_property.is_sent;
            let is = new.contains(name) && new_property.is_sent;
            let finding = match (&pair.base, &pair.head, was, is) {
                (Some(_), Some(_), false, true) => Some((&BECAME_REQUIRED, "became required")),
                (Some(_), Some(_), true, false) => Some((&BECAME_OPTIONAL, "became optional")),
                (None, Some(_), _, true) => Some((&REQUIRED_ADDED, "is new")),
                (None, Some(_), _, false) => Some((&OPTIONAL_ADDED, "is new")),
                (Some(_), None, true, _) => Some((&REQUIRED_REMOVED, "is gone")),
                (Some(_), None, false, _) => Some((&OPTIONAL_REMOVED, "is gone")),
                _ => None,
            };
            at.unsent |= !old_property.is_sent && !new_property.is_sent;
            if let Some((rules, words)) = finding {
                let rule = match (rules.of(direction), new_property.has_default) {
                    (rule, true) if rule.id == BECAME_REQUIRED.of(Direction::Request).id => {
                        &BECAME_REQUIRED_WITH_DEFAULT
                    }
                    (rule, true) if rule.id == REQUIRED_ADDED.of(Direction::Request).id => {
                        &REQUIRED_ADDED_WITH_DEFAULT
                    }
                    (rule, _) => rule,
                };
                self.add_pair(rule, &at, format!("property {words}"), &pair);
            }
            if pair.both().is_some() {
                self.subschema(&pair, &at);
            }
        }
    }

    /// Compares a keyword about what other keywords do not name, such as `additionalProperties`. Without it, anything is
    /// allowed.
    pub fn additional(
        &mut self,
        both: &NodePair<'a>,
        at: &Location,
        key: &str,
        [narrowed, widened]: [&'static RuleFamily; 2],
    ) {
        let pair = both.get(key);
        let (Some(old), Some(new)) = (others(&pair.base), others(&pair.head)) else {
            return self.unclassified(at, &pair);
        };
        let family = match (old, new) {
            (Others::OfSchema, Others::OfSchema) => {
                let at = at.to(format!("{}.*", at.subject), at.place.inside());
                return self.subschema(&pair, &at);
            }
            (old, new) if old > new => narrowed,
            (old, new) if old < new => widened,
            _ => return,
        };
        let what = match key {
            "unevaluatedItems" => "unevaluated items",
            "unevaluatedProperties" => "unevaluated properties",
            _ => "additional properties",
        };
        let message = format!("{what} were {} and are {}", old.tell(), new.tell());
        let pair = match (&pair.base, &pair.head) {
            (None, None) => both.pair(),
            _ => pair,
        };
        self.add_pair(family.at(at.place), at, message, &pair);
    }
}

/// A property as one side of an exchange has it.
struct Property {
    /// Whether it goes over the wire in this direction. One that is not described does not.
    is_sent: bool,
    has_default: bool,
}

impl Property {
    fn new<'a>(root: &'a Node, node_ref: Option<&NodeRef<'a>>, direction: Direction) -> Self {
        let unsent = match direction {
            Direction::Request => "readOnly",
            Direction::Response => "writeOnly",
        };
        let found = node_ref.and_then(|node_ref| target(root, &node_ref.innermost(node_ref)));
        let is_set = |node_ref: &NodeRef<'a>| {
            let flag = node_ref.get(unsent);
            flag.is_some_and(|flag| *flag.node == Node::Flag(true))
        };
        Self {
            is_sent: node_ref.is_some() && !found.as_ref().is_some_and(is_set),
            has_default: found.is_some_and(|node_ref| node_ref.get("default").is_some()),
        }
    }
}

impl Others {
    fn tell(self) -> &'static str {
        match self {
            Self::Forbidden => "forbidden",
            Self::OfSchema => "bound by a schema",
            Self::Free => "free",
        }
    }
}

/// The names in `required`; `None` when it is not a list of names.
fn names<'a>(required: &Option<NodeRef<'a>>) -> Option<BTreeSet<&'a str>> {
    match required.as_ref().map(|node_ref| node_ref.node) {
        None => Some(BTreeSet::new()),
        Some(Node::List(names)) => names.iter().map(Node::as_text).collect(),
        Some(_) => None,
    }
}

/// Nothing when it is neither true, false nor a schema.
fn others(additional: &Option<NodeRef<'_>>) -> Option<Others> {
    Some(match additional.as_ref().map(|node_ref| node_ref.node) {
        None | Some(Node::Flag(true)) => Others::Free,
        Some(Node::Flag(false)) => Others::Forbidden,
        Some(node) if is_empty(node) => Others::Free,
        Some(Node::Map(_)) => Others::OfSchema,
        Some(_) => return None,
    })
}
