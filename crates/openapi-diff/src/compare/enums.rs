//! Lists of values, their order, and their Rust names.

use std::collections::{HashMap, HashSet};

use super::document::plain;
use super::message::{list, show};
use super::node_ref::{NodePair, NodeRef, canonical, written};
use super::{Comparison, Location};
use crate::rules::keywords::{
    BECAME_ENUM, BECAME_NOT_ENUM, ENUM_CLOSED, ENUM_NAMES_MISPAIRED, ENUM_OPENED,
    ENUM_ORDER_CHANGED, ENUM_VALUE_ADDED, ENUM_VALUE_REMOVED, ENUM_VARIANT_RENAMED,
    OPEN_VALUE_ADDED, OPEN_VALUE_REMOVED,
};
use crate::tree::Node;

/// The values of an enum, and what is wrong with their names.
struct Values<'a> {
    list: Vec<Value<'a>>,
    /// Names and values do not pair up, which is said in these words.
    mispaired: Option<String>,
}

/// A value of an enum.
struct Value<'a> {
    node_ref: NodeRef<'a>,
    canonical: String,
    /// The value as JSON.
    shown: String,
    /// Its Rust name: what the document says, or else the value itself. `None` where names and values do not pair up.
    name: Option<String>,
}

impl<'a> Comparison<'a> {
    /// Compares `enum`, `const` and our extensions about them.
    pub fn enums(&mut self, both: &NodePair<'a>, at: &Location) {
        let open = both.get("x-open-enum");
        let flags = [&ENUM_OPENED, &ENUM_CLOSED];
        if !self.is_ours_alone(&open) {
            self.flag(at, &open, flags.map(|family| family.at(at.place)));
        }
        let (Some(base), Some(head)) = (
            values(&both.base, both.are_of_text()),
            values(&both.head, both.are_of_text()),
        ) else {
            for key in ["enum", "const", "x-enum-varnames"] {
                self.unclassified(at, &both.get(key));
            }
            return;
        };
        let pair = match both.get("enum") {
            pair if pair.base.is_none() && pair.head.is_none() => both.get("const"),
            pair => pair,
        };
        match (base, head) {
            (None, None) => self.unclassified(at, &both.get("x-enum-varnames")),
            (None, Some(head)) => {
                let message = format!("only these values are allowed now: {}", tell(&head.list));
                self.add_pair(BECAME_ENUM.at(at.place), at, message, &pair);
                if let Some(message) = &head.mispaired {
                    self.add_pair(
                        &ENUM_NAMES_MISPAIRED,
                        at,
                        message,
                        &both.get("x-enum-varnames"),
                    );
                }
            }
            (Some(base), None) => {
                let message = format!("other values are allowed than {}", tell(&base.list));
                self.add_pair(BECAME_NOT_ENUM.at(at.place), at, message, &pair);
            }
            (Some(base), Some(head)) => {
                self.values(both, at, &base.list, &head.list);
                self.names(both, at, &base, &head);
            }
        }
    }

    fn values(
        &mut self,
        both: &NodePair<'a>,
        at: &Location,
        base: &[Value<'a>],
        head: &[Value<'a>],
    ) {
        let is_open = |schema: &NodeRef<'a>| {
            let open = schema.get("x-open-enum");
            open.is_some_and(|open| *open.node == Node::Flag(true))
        };
        let index = |values: &[Value<'a>]| -> HashSet<String> {
            let values = values.iter();
            values.map(|value| value.canonical.clone()).collect()
        };
        let (old, new) = (index(base), index(head));
        let added = if is_open(&both.base) {
            &OPEN_VALUE_ADDED
        } else {
            &ENUM_VALUE_ADDED
        };
        for value in head.iter().filter(|value| !old.contains(&value.canonical)) {
            let message = format!("value {} is new", value.shown);
            let pointer = Some(value.node_ref.pointer.clone());
            self.add(added.at(at.place), at, message, None, pointer);
        }
        let removed = if is_open(&both.head) {
            &OPEN_VALUE_REMOVED
        } else {
            &ENUM_VALUE_REMOVED
        };
        for value in base.iter().filter(|value| !new.contains(&value.canonical)) {
            let message = format!("value {} is gone", value.shown);
            let pointer = Some(value.node_ref.pointer.clone());
            self.add(removed.at(at.place), at, message, pointer, None);
        }
        let common = |values: &[Value<'a>], others: &HashSet<String>| -> Vec<String> {
            let values = values.iter().map(|value| value.canonical.clone());
            values.filter(|value| others.contains(value)).collect()
        };
        let (before, after) = (common(base, &new), common(head, &old));
        if before != after {
            let message = format!("order was {} and is {}", list(&before), list(&after));
            self.add_pair(&ENUM_ORDER_CHANGED, at, message, &both.get("enum"));
        }
    }

    /// Compares the Rust names of the values that both sides have.
    fn names(&mut self, both: &NodePair<'a>, at: &Location, base: &Values<'a>, head: &Values<'a>) {
        let names = both.get("x-enum-varnames");
        if self.is_ours_alone(&names) {
            return;
        }
        let old: HashMap<_, _> = base
            .list
            .iter()
            .map(|value| (&value.canonical, &value.name))
            .collect();
        let renamed = head.list.iter().filter_map(|value| {
            let (old, new) = (old.get(&value.canonical)?.as_ref()?, value.name.as_ref()?);
            (old != new).then(|| format!("{old} is {new} now"))
        });
        let renamed: Vec<_> = renamed.collect();
        if !renamed.is_empty() {
            self.add_pair(&ENUM_VARIANT_RENAMED, at, list(&renamed), &names);
        }
        match (&base.mispaired, &head.mispaired) {
            (old, Some(new)) if old.as_ref() != Some(new) || !names.is_same() => {
                self.add_pair(&ENUM_NAMES_MISPAIRED, at, new, &names);
            }
            (Some(_), None) if renamed.is_empty() => {
                let message = "x-enum-varnames names each value now";
                self.add_pair(&ENUM_VARIANT_RENAMED, at, message, &names);
            }
            _ => {}
        }
    }
}

fn tell(values: &[Value<'_>]) -> String {
    list(values.iter().map(|value| &value.shown))
}

/// The values of an enum, if it is one; nothing at all when the keywords are not what they should be.
fn values<'a>(schema: &NodeRef<'a>, is_of_text: bool) -> Option<Option<Values<'a>>> {
    let node_refs = match (schema.get("enum"), schema.get("const")) {
        (Some(list), None) if matches!(list.node, Node::List(_)) => list.items(),
        (None, Some(value)) => vec![value],
        (None, None) => return Some(None),
        _ => return None,
    };
    let names = match schema.get("x-enum-varnames").map(|node_ref| node_ref.node) {
        None => None,
        Some(Node::List(names)) => {
            let names = names.iter().map(Node::as_text);
            Some(names.collect::<Option<Vec<_>>>()?)
        }
        Some(_) => return None,
    };
    let mispaired = names
        .as_ref()
        .and_then(|names| mispaired(names, &node_refs));
    let values = node_refs.into_iter().enumerate().map(|(index, node_ref)| {
        let node = written(node_ref.node, is_of_text);
        let name = names.as_ref().and_then(|names| names.get(index).copied());
        Value {
            canonical: canonical(&node),
            shown: show(&node),
            name: match names {
                Some(_) => name.map(str::to_owned),
                None => Some(plain(&node)),
            },
            node_ref,
        }
    });
    Some(Some(Values {
        list: values.collect(),
        mispaired,
    }))
}

fn mispaired(names: &[&str], values: &[NodeRef<'_>]) -> Option<String> {
    let what = match values.get(names.len()..) {
        Some([]) => return None,
        Some(unnamed) => {
            let unnamed = unnamed.iter().map(|value| show(value.node));
            format!("add a name for {}", list(unnamed))
        }
        None => format!("take out {}", list(&names[values.len()..])),
    };
    let count = |count: usize, word: &str| {
        let plural = if count == 1 { "" } else { "s" };
        format!("{count} {word}{plural}")
    };
    let (names, values) = (count(names.len(), "name"), count(values.len(), "value"));
    Some(format!("x-enum-varnames has {names} for {values}; {what}"))
}
