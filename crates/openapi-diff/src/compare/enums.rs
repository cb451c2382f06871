//! Lists of values, their order, and their Rust names.

use std::collections::HashMap;

use super::spot::{Both, Spot, canonical};
use super::words::{list, show};
use super::{At, Comparison};
use crate::rules::keywords::{
    BECAME_ENUM, BECAME_NOT_ENUM, ENUM_CLOSED, ENUM_OPENED, ENUM_ORDER_CHANGED, ENUM_VALUE_ADDED,
    ENUM_VALUE_REMOVED, ENUM_VARIANT_RENAMED, OPEN_VALUE_ADDED, OPEN_VALUE_REMOVED,
};
use crate::tree::Node;

/// A value of an enum.
struct Value<'a> {
    spot: Spot<'a>,
    canonical: String,
    /// Its Rust name, as far as the document gives one.
    name: String,
}

impl<'a> Comparison<'a> {
    /// Compares `enum`, `const` and our extensions about them.
    pub fn enums(&mut self, both: &Both<'a>, at: &At) {
        let open = both.get("x-open-enum");
        let flags = [&ENUM_OPENED, &ENUM_CLOSED];
        if !self.is_ours_alone(&open) {
            self.flag(at, &open, flags.map(|family| family.at(at.place)));
        }
        let (Some(base), Some(head)) = (values(&both.base), values(&both.head)) else {
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
                let message = format!("only these values are allowed now: {}", tell(&head));
                self.add_pair(BECAME_ENUM.at(at.place), at, message, &pair);
            }
            (Some(base), None) => {
                let message = format!("other values are allowed than {}", tell(&base));
                self.add_pair(BECAME_NOT_ENUM.at(at.place), at, message, &pair);
            }
            (Some(base), Some(head)) => self.values(both, at, &base, &head),
        }
    }

    fn values(&mut self, both: &Both<'a>, at: &At, base: &[Value<'a>], head: &[Value<'a>]) {
        let is_open = |schema: &Spot<'a>| {
            let open = schema.get("x-open-enum");
            open.is_some_and(|open| *open.node == Node::Flag(true))
        };
        let index = |values: &[Value<'a>]| -> HashMap<String, String> {
            let values = values.iter();
            values
                .map(|value| (value.canonical.clone(), value.name.clone()))
                .collect()
        };
        let (old, new) = (index(base), index(head));
        let added = if is_open(&both.base) {
            &OPEN_VALUE_ADDED
        } else {
            &ENUM_VALUE_ADDED
        };
        for value in head
            .iter()
            .filter(|value| !old.contains_key(&value.canonical))
        {
            let message = format!("value {} is new", show(value.spot.node));
            let pointer = Some(value.spot.pointer.clone());
            self.add(added.at(at.place), at, message, None, pointer);
        }
        let removed = if is_open(&both.head) {
            &OPEN_VALUE_REMOVED
        } else {
            &ENUM_VALUE_REMOVED
        };
        for value in base
            .iter()
            .filter(|value| !new.contains_key(&value.canonical))
        {
            let message = format!("value {} is gone", show(value.spot.node));
            let pointer = Some(value.spot.pointer.clone());
            self.add(removed.at(at.place), at, message, pointer, None);
        }
        let common = |values: &[Value<'a>], others: &HashMap<String, String>| -> Vec<String> {
            let values = values.iter().map(|value| value.canonical.clone());
            values.filter(|value| others.contains_key(value)).collect()
        };
        let (before, after) = (common(base, &new), common(head, &old));
        if before != after {
            let message = format!("order was {} and is {}", list(&before), list(&after));
            self.add_pair(&ENUM_ORDER_CHANGED, at, message, &both.get("enum"));
        }
        let names = both.get("x-enum-varnames");
        let renamed = head.iter().filter_map(|value| {
            let name = old
                .get(&value.canonical)
                .filter(|name| **name != value.name)?;
            Some(format!("{name} is {} now", value.name))
        });
        let renamed: Vec<_> = renamed.collect();
        if !renamed.is_empty() && !self.is_ours_alone(&names) {
            self.add_pair(&ENUM_VARIANT_RENAMED, at, list(&renamed), &names);
        }
    }
}

fn tell(values: &[Value<'_>]) -> String {
    list(values.iter().map(|value| show(value.spot.node)))
}

/// The values of an enum, if it is one; nothing at all when the keywords are not what they should be.
fn values<'a>(schema: &Spot<'a>) -> Option<Option<Vec<Value<'a>>>> {
    let spots = match (schema.get("enum"), schema.get("const")) {
        (Some(list), None) if matches!(list.node, Node::List(_)) => list.items(),
        (None, Some(value)) => vec![value],
        (None, None) => return Some(None),
        _ => return None,
    };
    let names = match schema.get("x-enum-varnames") {
        None => spots
            .iter()
            .map(|spot| super::document::plain(spot.node))
            .collect(),
        Some(names) => {
            let names = match names.node {
                Node::List(names) => names.iter().map(|name| Some(name.as_text()?.to_owned())),
                _ => return None,
            };
            names.collect::<Option<Vec<_>>>()?
        }
    };
    if names.len() != spots.len() {
        return None;
    }
    let values = spots.into_iter().zip(names).map(|(spot, name)| Value {
        canonical: canonical(spot.node),
        spot,
        name,
    });
    Some(Some(values.collect()))
}
