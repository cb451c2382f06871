//! Which operations of the vendor's document concern us.

use std::collections::{BTreeMap, BTreeSet};

use openapi_diff::document::{Operation, operations};
use openapi_diff::finding::Finding;
use openapi_diff::tree::Node;

use crate::spec::rules::upstream::{OPERATION_MISSING, SIBLING_OPERATION};

/// The operations of two documents, side by side.
pub struct Reach {
    both: BTreeSet<Key>,
    /// A finding for each operation of ours that the vendor's document does not have.
    pub missing: Vec<Finding>,
    /// A finding for each operation of the vendor's that stands beside ours and that we do not have.
    pub siblings: Vec<Finding>,
}

/// The method, and the path with nameless placeholders.
pub type Key = (String, String);

impl Reach {
    /// Finds out which operations both documents have, and what stands beside them.
    pub fn new(ours: &Node, vendor: &Node) -> Self {
        let prefixes = prefixes(operations(ours).iter().map(|one| one.path));
        let families = families(operations(ours).iter().map(|one| one.path));
        let is_beside = |path: &str| {
            let of_family = |family: &String| path.split('/').any(|step| begins(step, family));
            prefixes.iter().any(|prefix| begins(path, prefix)) || families.iter().any(of_family)
        };
        let keys = |tree| operations(tree).iter().map(key).collect();
        let (our_keys, vendor_keys): (BTreeSet<_>, BTreeSet<_>) = (keys(ours), keys(vendor));
        let missing = operations(ours)
            .into_iter()
            .filter(|one| !vendor_keys.contains(&key(one)))
            .map(|one| missing(&one))
            .collect();
        let siblings = operations(vendor)
            .into_iter()
            .filter(|one| !our_keys.contains(&key(one)))
            .filter(|one| is_beside(one.path))
            .map(|one| sibling(&one))
            .collect();
        Self {
            both: our_keys.intersection(&vendor_keys).cloned().collect(),
            missing,
            siblings,
        }
    }

    /// Whether both documents have the operation.
    pub fn has(&self, method: &str, path: &str) -> bool {
        self.both.contains(&(method.to_owned(), nameless(path)))
    }
}

/// What identifies an operation in a document.
pub fn key(operation: &Operation<'_>) -> Key {
    (operation.method.to_owned(), nameless(operation.path))
}

fn missing(operation: &Operation<'_>) -> Finding {
    Finding {
        rule: &OPERATION_MISSING,
        subject: operation.name(),
        message: "only our spec has it".to_owned(),
        base: Some(operation.pointer()),
        head: None,
        used_by: vec![operation.name()],
    }
}

fn sibling(operation: &Operation<'_>) -> Finding {
    let mut message = "only the vendor's document has it".to_owned();
    if operation.node.is_set("deprecated") {
        message += ", as deprecated";
    }
    if let Some(id) = operation.id() {
        message += &format!("; it is called {id} there");
    }
    Finding {
        rule: &SIBLING_OPERATION,
        subject: operation.name(),
        message,
        base: None,
        head: Some(operation.pointer()),
        used_by: Vec::new(),
    }
}

/// The path with the names of its placeholders left out: they never go over the wire.
fn nameless(path: &str) -> String {
    let steps = path.split('/').map(|step| match step.starts_with('{') {
        true => "{}",
        false => step,
    });
    steps.collect::<Vec<_>>().join("/")
}

/// The paths without their placeholders, less those that another one begins.
fn prefixes<'a>(paths: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    let stems: BTreeSet<_> = paths.map(stem).filter(|stem| stem.len() > 1).collect();
    let shortest = stems.iter().copied().filter(|stem| {
        let mut others = stems.iter().filter(|other| *other != stem);
        !others.any(|other| begins(stem, other))
    });
    shortest.collect()
}

/// The product families in the paths: what several steps of paths begin with, less its last word. `kling-v3-omni-pro` and
/// `kling-v3-omni-std` are of the family `kling-v3`.
fn families<'a>(paths: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let mut by_first: BTreeMap<&str, BTreeSet<Vec<&str>>> = BTreeMap::new();
    for step in paths.flat_map(|path| path.split('/')) {
        let words: Vec<_> = step.split('-').collect();
        if !step.starts_with('{') {
            by_first.entry(words[0]).or_default().insert(words);
        }
    }
    let families = by_first.into_values().filter_map(|steps| {
        // In order, all steps have in common what the first and the last have.
        let (first, last) = (steps.first()?, steps.last()?);
        let common = first
            .iter()
            .zip(last)
            .take_while(|(one, other)| one == other);
        let count = common.count().saturating_sub(1);
        (steps.len() > 1 && count > 0).then(|| first[..count].join("-"))
    });
    families.collect()
}

fn stem(path: &str) -> &str {
    let end = path.find("/{").unwrap_or(path.len());
    &path[..end]
}

/// Whether `prefix` begins `path` and ends where a word of it ends: `/kling-v3` begins `/kling-v3-pro`, not `/kling-v30`.
fn begins(path: &str, prefix: &str) -> bool {
    let rest = path.strip_prefix(prefix);
    rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_alphanumeric()))
}
