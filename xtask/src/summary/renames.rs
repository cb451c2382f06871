//! Fields that are likely to be the same under another name.

use std::fmt;
use std::path::Path;

use anyhow::Result;
use openapi_diff::tree::Node;
use similar::TextDiff;

use crate::spec::source::Source;

/// A field that went, and one of the same type that came at the same place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// The schema or the operation, as a JSON pointer without its usual beginning.
    pub place: String,
    /// What it was called.
    pub was: String,
    /// What it is called.
    pub is: String,
}

impl fmt::Display for Rename {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, was, is } = self;
        write!(f, "{place}: {was} is likely renamed to {is}")
    }
}

/// The likely renames since a revision.
///
/// # Errors
///
/// When the revision or the spec cannot be read.
pub fn since(root: &Path, revision: &str) -> Result<Vec<Rename>> {
    let (old, new) = (Source::read(root, revision)?, Source::work_tree(root)?);
    Ok(likely(&old.document.tree, &new.document.tree))
}

/// The likely renames between two documents.
pub fn likely(old: &Node, new: &Node) -> Vec<Rename> {
    let mut renames = Vec::new();
    visit(old, new, "", &mut renames);
    renames
}

fn visit(old: &Node, new: &Node, place: &str, renames: &mut Vec<Rename>) {
    for (key, old) in old.entries() {
        let Some(new) = new.get(key) else { continue };
        if key == "properties" {
            pair(place, &fields(old), &fields(new), renames);
        } else if key == "parameters" {
            pair(place, &parameters(old), &parameters(new), renames);
        }
        let place = match (place, key) {
            ("", "components" | "paths") | ("", "schemas") => String::new(),
            (place, "properties" | "items") => place.to_owned(),
            ("", key) => key.to_owned(),
            (place, key) => format!("{place}.{key}"),
        };
        visit(old, new, &place, renames);
    }
    for (old, new) in old.items().iter().zip(new.items()) {
        visit(old, new, place, renames);
    }
}

type Fields<'a> = Vec<(&'a str, &'a Node)>;

fn fields(properties: &Node) -> Fields<'_> {
    properties.entries().collect()
}

fn parameters(list: &Node) -> Fields<'_> {
    let named = |parameter| Some((Node::text(parameter, "name")?, parameter.get("schema")?));
    list.items().iter().filter_map(named).collect()
}

/// Pairs what went with what came, by type and then by the likeness of the names.
fn pair(place: &str, old: &Fields<'_>, new: &Fields<'_>, renames: &mut Vec<Rename>) {
    let lacks = |fields: &Fields<'_>, name: &str| fields.iter().all(|(one, _)| *one != name);
    let mut came: Fields<'_> = new
        .iter()
        .filter(|(name, _)| lacks(old, name))
        .copied()
        .collect();
    for (was, schema) in old.iter().filter(|(name, _)| lacks(new, name)) {
        let best = came
            .iter()
            .enumerate()
            .filter(|(_, (_, other))| is_same_type(schema, other))
            .max_by(|(_, (one, _)), (_, (other, _))| {
                let likeness = |name: &str| TextDiff::from_chars(*was, name).ratio();
                likeness(one).total_cmp(&likeness(other))
            })
            .map(|(index, _)| index);
        if let Some(index) = best {
            let (is, _) = came.remove(index);
            renames.push(Rename {
                place: place.to_owned(),
                was: (*was).to_owned(),
                is: is.to_owned(),
            });
        }
    }
}

fn is_same_type(one: &Node, other: &Node) -> bool {
    ["type", "format", "$ref", "items", "enum", "allOf"]
        .iter()
        .all(|key| one.get(key) == other.get(key))
}
