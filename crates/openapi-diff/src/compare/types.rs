//! Types, and whether null is one of them.

use std::collections::BTreeSet;

use super::message::list;
use super::node_ref::{COMPOSITIONS, NodePair, NodeRef};
use super::{Comparison, Location};
use crate::rules::keywords::{
    BECAME_NOT_NULLABLE, BECAME_NULLABLE, TYPE_CHANGED, TYPE_GENERALIZED, TYPE_SPECIALIZED,
};
use crate::tree::Node;

/// The types that a value may have; nothing stands for any type.
struct Types<'a> {
    names: Option<BTreeSet<&'a str>>,
    nullable: bool,
}

impl<'a> Comparison<'a> {
    /// Compares `type` and `nullable`.
    pub fn types(&mut self, both: &NodePair<'a>, at: &Location) {
        let unions = COMPOSITIONS.iter().any(|key| both.is_list_of_types(key));
        let sides = (types(&both.base, unions), types(&both.head, unions));
        let (Some(base), Some(head)) = sides else {
            self.unclassified(at, &both.get("type"));
            return self.unclassified(at, &both.get("nullable"));
        };
        let family = match (within(&base, &head), within(&head, &base)) {
            (true, true) => None,
            (true, false) => Some(&TYPE_GENERALIZED),
            (false, true) => Some(&TYPE_SPECIALIZED),
            (false, false) => Some(&TYPE_CHANGED),
        };
        if let Some(family) = family {
            let message = format!("type was {} and is {}", base.tell(), head.tell());
            self.add_pair(family.at(at.place), at, message, &both.get("type"));
        }
        let family = match (base.nullable, head.nullable) {
            (false, true) => Some((&BECAME_NULLABLE, "may be null")),
            (true, false) => Some((&BECAME_NOT_NULLABLE, "may no longer be null")),
            _ => None,
        };
        if let Some((family, message)) = family {
            let pair = both.get("nullable");
            let pair = match (&pair.base, &pair.head) {
                (None, None) => both.get("type"),
                _ => pair,
            };
            self.add_pair(family.at(at.place), at, message, &pair);
        }
    }
}

impl Types<'_> {
    fn tell(&self) -> String {
        self.names.as_ref().map_or_else(|| "any".to_owned(), list)
    }
}

/// Nothing when the keywords are not what OpenAPI wants. With `unions`, a union of plain types counts as a list of them.
fn types<'a>(schema: &NodeRef<'a>, unions: bool) -> Option<Types<'a>> {
    let mut names = match schema.get("type").map(|node_ref| node_ref.node) {
        None => {
            let union = schema.list_of_types().filter(|_| unions);
            union.map(|(_, names)| names.into_iter().collect::<BTreeSet<_>>())
        }
        Some(Node::Text(name)) => Some(BTreeSet::from([name.as_str()])),
        Some(Node::List(names)) => Some(names.iter().map(Node::as_text).collect::<Option<_>>()?),
        Some(_) => return None,
    };
    let listed = names
        .as_mut()
        .is_some_and(|names| names.len() > 1 && names.remove("null"));
    let nullable = match schema.get("nullable").map(|node_ref| node_ref.node) {
        None => false,
        Some(Node::Flag(flag)) => *flag,
        Some(_) => return None,
    };
    let has_null = |key: &&str| {
        let all = schema
            .get(key)
            .map_or_else(Vec::new, |node_ref| node_ref.items());
        all.iter().any(|one| one.is_null_of(key))
    };
    let in_union = COMPOSITIONS.iter().any(has_null);
    Some(Types {
        names,
        nullable: nullable || listed || in_union || schema.nullable,
    })
}

/// Whether each type of `part` is among those of `whole`.
fn within(part: &Types<'_>, whole: &Types<'_>) -> bool {
    match (&part.names, &whole.names) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(part), Some(whole)) => part
            .iter()
            .all(|name| whole.contains(name) || (*name == "integer" && whole.contains("number"))),
    }
}
