//! `x-task`: what an operation does with tasks, as the spec says it.

use heck::ToKebabCase as _;

use super::spec::{Operation, Spec};
use openapi_diff::tree::Node;

/// The key of the extension.
pub const KEY: &str = "x-task";

/// What an operation does with tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task<'a> {
    /// Creates one, which costs money.
    Create(Create<'a>),
    /// Reads one of this family.
    Read(&'a str),
    /// Lists those of this family.
    List(&'a str),
    /// Does nothing with tasks.
    Other {
        /// Whether it may be sent again when its outcome is unknown.
        is_repeatable: bool,
    },
}

/// What is said of an operation that creates a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Create<'a> {
    /// What the task is made from.
    pub mode: &'a str,
    /// The setting that chooses this operation among those of its mode and tier.
    pub route: &'a str,
    /// Quality tier.
    pub tier: &'a str,
    /// The families that may have its tasks, most likely first.
    pub families: Vec<&'a str>,
    /// The `operationId` of the operation that replaces this one.
    pub successor: Option<&'a str>,
}

/// A value of the wrong form: the key below the extension, empty for all of it, and what is wrong.
pub type Malformed = (&'static str, &'static str);

impl<'a> Task<'a> {
    /// Reads the extension of an operation that has passed the lint.
    pub fn of(operation: &Operation<'a>) -> Option<Self> {
        Self::parse(operation.node.get(KEY)?).ok()
    }

    /// Reads the value of the extension.
    ///
    /// # Errors
    ///
    /// The first thing that is not of the documented form.
    pub fn parse(node: &'a Node) -> Result<Self, Malformed> {
        const KINDS: [&str; 4] = ["creates", "reads", "lists", "repeatable"];
        let mut kinds = KINDS.into_iter().filter(|kind| node.get(kind).is_some());
        let (Some(kind), None) = (kinds.next(), kinds.next()) else {
            return Err((
                "",
                "it has exactly one of creates, reads, lists, repeatable",
            ));
        };
        if kind == "creates" {
            return Create::parse(node).map(Self::Create);
        }
        if node.entries().count() > 1 {
            return Err((
                "",
                "only an operation that creates tasks has more than one key",
            ));
        }
        match (kind, node.get(kind)) {
            ("reads", _) => name(node, "reads").map(Self::Read),
            ("lists", _) => name(node, "lists").map(Self::List),
            (_, Some(Node::Flag(is_repeatable))) => Ok(Self::Other {
                is_repeatable: *is_repeatable,
            }),
            (_, _) => Err(("repeatable", "it is true or false")),
        }
    }
}

impl<'a> Create<'a> {
    fn parse(node: &'a Node) -> Result<Self, Malformed> {
        const KNOWN: [&str; 5] = ["creates", "route", "tier", "families", "succeeded-by"];
        if node.entries().any(|(key, _)| !KNOWN.contains(&key)) {
            let message = "unknown key; known are creates, route, tier, families, succeeded-by";
            return Err(("", message));
        }
        let mode = name(node, "creates")?;
        let families = match node.get("families") {
            None => vec![mode],
            Some(families) => {
                let names = families.items().iter().filter_map(Node::as_text);
                let names: Vec<_> = names.filter(|name| is_name(name)).collect();
                if names.is_empty() || names.len() != families.items().len() {
                    return Err(("families", "it is a list of names in kebab-case"));
                }
                names
            }
        };
        let successor = match node.get("succeeded-by") {
            None => None,
            Some(id) => Some(
                id.as_text()
                    .ok_or(("succeeded-by", "it is an operationId"))?,
            ),
        };
        Ok(Self {
            mode,
            route: name(node, "route")?,
            tier: name(node, "tier")?,
            families,
            successor,
        })
    }

    /// The name in files.
    pub fn name(&self) -> String {
        format!("{}-{}", self.route, self.tier)
    }

    /// Whether both make tasks of the same mode and tier.
    pub fn is_like(&self, other: &Self) -> bool {
        (self.mode, self.tier) == (other.mode, other.tier)
    }
}

/// The operations that create tasks in the order of the spec.
pub fn creates(spec: &Spec) -> Vec<(Operation<'_>, Create<'_>)> {
    let operations = spec.operations().into_iter();
    let creates = operations.filter_map(|operation| match Task::of(&operation) {
        Some(Task::Create(create)) => Some((operation, create)),
        _ => None,
    });
    creates.collect()
}

fn name<'a>(node: &'a Node, key: &'static str) -> Result<&'a str, Malformed> {
    let name = node.text(key).filter(|name| is_name(name));
    name.ok_or((key, "it is a name in kebab-case"))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text == text.to_kebab_case()
}
