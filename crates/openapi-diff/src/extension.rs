//! Extensions, keys that begin with `x-`: how a caller has those compared that it has rules for.

use std::cmp::Ordering;

use crate::place::Place;
use crate::rule::Rule;
use crate::tree::Node;

/// A key that begins with `x-`, and how two values of it are compared.
///
/// Without an implementation, a difference is an `unclassified` finding.
///
/// ```
/// use openapi_diff::compare::Comparer;
/// use openapi_diff::extension::{Extension, ExtensionChange, ExtensionFinding};
/// use openapi_diff::document::Document;
///
/// openapi_diff::define_rules! {
///     OWNER_CHANGED "owner-changed" Info None [Docs]
///         "owner changed"
///         "Another team owns the operation."
/// }
///
/// struct Owner;
///
/// impl Extension for Owner {
///     fn key(&self) -> &str {
///         "x-owner"
///     }
///
///     fn compare(&self, change: &ExtensionChange<'_>) -> Vec<ExtensionFinding> {
///         vec![change.whole(&OWNER_CHANGED, "the owner is another")]
///     }
/// }
///
/// let read = |owner: &str| {
///     let text = format!("paths: {{/a: {{get: {{x-owner: {owner}, responses: {{}}}}}}}}");
///     Document::parse("doc", text.as_bytes())
/// };
/// let (old, new) = (read("sales")?, read("support")?);
/// let findings = Comparer::new(&[&Owner]).compare(&old.tree, &new.tree);
/// assert_eq!(findings[0].rule.id, "owner-changed");
/// assert_eq!(findings[0].subject, "GET /a");
/// # Ok::<(), openapi_diff::document::Unreadable>(())
/// ```
pub trait Extension: Sync {
    /// The key.
    fn key(&self) -> &str;

    /// The findings about two values that differ.
    fn compare(&self, change: &ExtensionChange<'_>) -> Vec<ExtensionFinding>;
}

/// The values of an extension on both sides, which differ. At least one side has it.
#[derive(Clone, Copy, Debug)]
pub struct ExtensionChange<'a> {
    /// The older value.
    pub base: Option<&'a Node>,
    /// The newer value.
    pub head: Option<&'a Node>,
    /// Where the schema stands that has it. Elsewhere it means nothing.
    pub place: Place,
}

/// A finding about an extension.
#[derive(Clone, Debug)]
pub struct ExtensionFinding {
    /// What kind of difference it is.
    pub rule: &'static Rule,
    /// What it was and what it is, in one clause.
    pub message: String,
    /// JSON pointer from the older value, empty for the whole of it; `None` when it is not there.
    pub base: Option<String>,
    /// JSON pointer from the newer value.
    pub head: Option<String>,
}

impl ExtensionChange<'_> {
    /// A finding about the whole value.
    pub fn whole(&self, rule: &'static Rule, message: impl Into<String>) -> ExtensionFinding {
        self.below("", rule, message)
    }

    /// A finding about what a JSON pointer names in the value.
    pub fn below(
        &self,
        pointer: &str,
        rule: &'static Rule,
        message: impl Into<String>,
    ) -> ExtensionFinding {
        let there = |side: Option<&Node>| side?.at(pointer).map(|_| pointer.to_owned());
        ExtensionFinding {
            rule,
            message: message.into(),
            base: there(self.base),
            head: there(self.head),
        }
    }
}

/// `WHAT was OLD and is NEW`, `WHAT is new: NEW` or `WHAT is gone; it was OLD`. Long texts are cut to what differs.
pub fn describe(what: &str, base: Option<&Node>, head: Option<&Node>) -> String {
    crate::compare::describe(what, base, head)
}

/// How two numbers compare; equal when one of them is not a number.
pub fn compare_numbers(base: &Node, head: &Node) -> Ordering {
    crate::compare::compare_numbers(base, head)
}
