//! The public surface that changed, from the listings.

use similar::{ChangeTag, TextDiff};

use crate::surface::{FOLDER, PACKAGES};
use crate::tracked::TrackedFiles;

/// The surface of one package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surface {
    /// The package.
    pub package: &'static str,
    /// What changed.
    pub items: Vec<Item>,
}

/// One item that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// It came.
    Added(String),
    /// It went.
    Removed(String),
    /// It is another than it was.
    Changed {
        /// What it was.
        was: String,
        /// What it is.
        is: String,
    },
}

impl Surface {
    /// How many items came, went and became another.
    pub fn counts(&self) -> (usize, usize, usize) {
        let count = |is: fn(&Item) -> bool| self.items.iter().filter(|item| is(item)).count();
        (
            count(|item| matches!(item, Item::Added(_))),
            count(|item| matches!(item, Item::Removed(_))),
            count(|item| matches!(item, Item::Changed { .. })),
        )
    }

    /// The first thing by which code that used it might not compile any more.
    pub fn breaks(&self) -> Option<&str> {
        self.items.iter().find_map(|item| match item {
            Item::Added(_) => None,
            Item::Removed(was) | Item::Changed { was, .. } => Some(was.as_str()),
        })
    }

    /// The traits that types no longer implement, as `impl TRAIT for TYPE`.
    pub fn lost_traits(&self) -> impl Iterator<Item = &str> {
        self.items.iter().filter_map(|item| match item {
            Item::Removed(line) if line.starts_with("impl") => Some(line.as_str()),
            _ => None,
        })
    }
}

/// The packages whose surface changed.
pub fn diff(then: &TrackedFiles, now: &TrackedFiles) -> Vec<Surface> {
    let surfaces = PACKAGES.into_iter().map(|package| {
        let listing = format!("{FOLDER}/{package}.txt");
        let text = |files: &TrackedFiles| files.get(&listing).cloned().unwrap_or_default();
        let items = items(&text(then), &text(now));
        Surface { package, items }
    });
    surfaces
        .filter(|surface| !surface.items.is_empty())
        .collect()
}

fn items(was: &str, is: &str) -> Vec<Item> {
    let diff = TextDiff::from_lines(was, is);
    let of = |tag| -> Vec<String> {
        let changes = diff.iter_all_changes().filter(|change| change.tag() == tag);
        changes
            .map(|change| change.value().trim_end().to_owned())
            .collect()
    };
    let (removed, mut added) = (of(ChangeTag::Delete), of(ChangeTag::Insert));
    let mut items = Vec::new();
    for was in removed {
        match added.iter().position(|is| named(is) == named(&was)) {
            Some(index) => {
                let is = added.remove(index);
                items.push(Item::Changed { was, is });
            }
            None => items.push(Item::Removed(was)),
        }
    }
    items.extend(added.into_iter().map(Item::Added));
    items
}

/// What a line is about: all before its types and values.
fn named(line: &str) -> &str {
    let end = line
        .find('(')
        .into_iter()
        .chain(line.find(": "))
        .chain(line.find(" = "))
        .min();
    &line[..end.unwrap_or(line.len())]
}
