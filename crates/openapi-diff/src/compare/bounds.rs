//! Ends of ranges, and counts.

use std::cmp::Ordering;

use super::message::{moved, show};
use super::node_ref::{NodeChange, NodePair, NodeRef};
use super::{Comparison, Location};
use crate::rules::family::RuleFamily;
use crate::rules::keywords as rules;
use crate::tree::Node;

/// The rules for a bound that comes, goes, grows and shrinks.
type Bound = [&'static RuleFamily; 4];

static MAX: Bound = [
    &rules::MAX_SET,
    &rules::MAX_UNSET,
    &rules::MAX_INCREASED,
    &rules::MAX_DECREASED,
];

static MIN: Bound = [
    &rules::MIN_SET,
    &rules::MIN_UNSET,
    &rules::MIN_INCREASED,
    &rules::MIN_DECREASED,
];

/// The keywords that count something, each with its rules.
static COUNTS: [(&str, Bound); 7] = [
    (
        "maxLength",
        [
            &rules::MAX_LENGTH_SET,
            &rules::MAX_LENGTH_UNSET,
            &rules::MAX_LENGTH_INCREASED,
            &rules::MAX_LENGTH_DECREASED,
        ],
    ),
    (
        "minLength",
        [
            &rules::MIN_LENGTH_SET,
            &rules::MIN_LENGTH_UNSET,
            &rules::MIN_LENGTH_INCREASED,
            &rules::MIN_LENGTH_DECREASED,
        ],
    ),
    (
        "maxItems",
        [
            &rules::MAX_ITEMS_SET,
            &rules::MAX_ITEMS_UNSET,
            &rules::MAX_ITEMS_INCREASED,
            &rules::MAX_ITEMS_DECREASED,
        ],
    ),
    (
        "minItems",
        [
            &rules::MIN_ITEMS_SET,
            &rules::MIN_ITEMS_UNSET,
            &rules::MIN_ITEMS_INCREASED,
            &rules::MIN_ITEMS_DECREASED,
        ],
    ),
    (
        "maxContains",
        [
            &rules::MAX_CONTAINS_SET,
            &rules::MAX_CONTAINS_UNSET,
            &rules::MAX_CONTAINS_INCREASED,
            &rules::MAX_CONTAINS_DECREASED,
        ],
    ),
    (
        "maxProperties",
        [
            &rules::MAX_PROPERTIES_SET,
            &rules::MAX_PROPERTIES_UNSET,
            &rules::MAX_PROPERTIES_INCREASED,
            &rules::MAX_PROPERTIES_DECREASED,
        ],
    ),
    (
        "minProperties",
        [
            &rules::MIN_PROPERTIES_SET,
            &rules::MIN_PROPERTIES_UNSET,
            &rules::MIN_PROPERTIES_INCREASED,
            &rules::MIN_PROPERTIES_DECREASED,
        ],
    ),
];

/// One end of a range.
struct End<'a> {
    node_ref: NodeRef<'a>,
    exclusive: bool,
}

/// The rules for a keyword that counts something.
pub fn count_rules(key: &str) -> Option<&'static Bound> {
    let mut counts = COUNTS.iter();
    counts
        .find(|(known, _)| *known == key)
        .map(|(_, bound)| bound)
}

impl<'a> Comparison<'a> {
    /// `minimum` and `maximum`, with or without the ends themselves.
    pub fn ranges(&mut self, both: &NodePair<'a>, at: &Location) {
        self.range(
            both,
            at,
            ["minimum", "exclusiveMinimum"],
            &MIN,
            Ordering::Greater,
        );
        self.range(
            both,
            at,
            ["maximum", "exclusiveMaximum"],
            &MAX,
            Ordering::Less,
        );
    }

    /// One side of a range. `tight` is how the stricter of two ends compares.
    fn range(
        &mut self,
        both: &NodePair<'a>,
        at: &Location,
        keys: [&str; 2],
        [set, unset, increased, decreased]: &Bound,
        tight: Ordering,
    ) {
        let ends = (end(&both.base, keys, tight), end(&both.head, keys, tight));
        let (Some(base), Some(head)) = ends else {
            for key in keys {
                self.unclassified(at, &both.get(key));
            }
            return;
        };
        let family = match (&base, &head) {
            (None, None) => return,
            (None, Some(_)) => set,
            (Some(_), None) => unset,
            (Some(base), Some(head)) => match base.compare(head, tight) {
                Ordering::Less => increased,
                Ordering::Greater => decreased,
                Ordering::Equal => return,
            },
        };
        let [key, _] = keys;
        let message = match (&base, &head) {
            (Some(base), Some(head)) => format!("{key} was {} and is {}", base.tell(), head.tell()),
            (None, Some(head)) => format!("{key} is new: {}", head.tell()),
            (Some(base), None) => format!("{key} is gone; it was {}", base.tell()),
            (None, None) => return,
        };
        let pair = NodeChange {
            base: base.map(|end| end.node_ref),
            head: head.map(|end| end.node_ref),
        };
        self.add_pair(family.at(at.place), at, message, &pair);
    }

    /// A keyword that counts something. The least count of zero is as good as none.
    pub fn count(
        &mut self,
        at: &Location,
        pair: &NodeChange<'a>,
        key: &str,
        bound: &'static Bound,
    ) {
        if !pair.each(|node| matches!(node, Node::Number(_))) {
            return self.unclassified(at, pair);
        }
        let zero = |node: &&Node| !(key.starts_with("min") && node.as_f64() == Some(0.0));
        let nodes = (pair.base_node().filter(zero), pair.head_node().filter(zero));
        let [set, unset, increased, decreased] = bound;
        let family = match nodes {
            (None, None) => return,
            (None, Some(_)) => set,
            (Some(_), None) => unset,
            (Some(base), Some(head)) => match compare(base, head) {
                Ordering::Less => increased,
                Ordering::Greater => decreased,
                Ordering::Equal => return,
            },
        };
        self.add_pair(family.at(at.place), at, moved(key, nodes.0, nodes.1), pair);
    }
}

impl End<'_> {
    /// How two ends compare. The same number without the end itself is the stricter one.
    fn compare(&self, other: &Self, tight: Ordering) -> Ordering {
        let numbers = compare(self.node_ref.node, other.node_ref.node);
        numbers.then(match (self.exclusive, other.exclusive) {
            (true, false) => tight,
            (false, true) => tight.reverse(),
            _ => Ordering::Equal,
        })
    }

    fn tell(&self) -> String {
        let number = show(self.node_ref.node);
        match self.exclusive {
            true => format!("{number} (itself excluded)"),
            false => number,
        }
    }
}

/// How two numbers compare.
pub fn compare(base: &Node, head: &Node) -> Ordering {
    let whole = |node: &Node| match node {
        Node::Number(number) => number.as_i128(),
        _ => None,
    };
    match (whole(base), whole(head)) {
        (Some(base), Some(head)) => base.cmp(&head),
        _ => {
            let ends = (base.as_f64(), head.as_f64());
            let ordering = ends
                .0
                .zip(ends.1)
                .and_then(|(base, head)| base.partial_cmp(&head));
            ordering.unwrap_or(Ordering::Equal)
        }
    }
}

/// The end of a range that counts; nothing at all when the keywords are not what OpenAPI wants.
///
/// Before OpenAPI 3.1 the second keyword says whether the first one is in the range, since then it is a number itself.
fn end<'a>(
    schema: &NodeRef<'a>,
    [key, exclusive]: [&str; 2],
    tight: Ordering,
) -> Option<Option<End<'a>>> {
    let node_ref = schema.get(key);
    let other = schema.get(exclusive);
    let number = |node_ref: &NodeRef<'a>| matches!(node_ref.node, Node::Number(_));
    if node_ref.as_ref().is_some_and(|node_ref| !number(node_ref)) {
        return None;
    }
    let flag = match &other {
        None => false,
        Some(node_ref) => match node_ref.node {
            Node::Flag(flag) => *flag,
            Node::Number(_) => false,
            _ => return None,
        },
    };
    let first = node_ref.map(|node_ref| End {
        node_ref,
        exclusive: flag,
    });
    let second = other.filter(number).map(|node_ref| End {
        node_ref,
        exclusive: true,
    });
    Some(match (first, second) {
        (Some(first), Some(second)) if first.compare(&second, tight) == tight => Some(first),
        (first, second) => second.or(first),
    })
}
