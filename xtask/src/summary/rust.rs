//! The public surface that moved, from the listings and the outlines.

use std::collections::BTreeMap;

use similar::{ChangeTag, TextDiff};

use crate::held::Held;
use crate::surface::{FOLDER, PACKAGES};

/// The package of the generated crate, whose items the outlines hold.
const GENERATED: &str = PACKAGES[0];
const OUTLINES: &str = "tests/snapshots/outline/";

/// The surface of one package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surface {
    /// The package.
    pub package: &'static str,
    /// What moved, by the outline that holds it; an empty name for the listing.
    pub parts: Vec<(String, Vec<Item>)>,
    /// Outlines of which only the fingerprint is another: bodies or docs that they do not show.
    pub inner: Vec<String>,
}

/// One item that moved.
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
        let items = || self.parts.iter().flat_map(|(_, items)| items);
        let count = |is: fn(&Item) -> bool| items().filter(|item| is(item)).count();
        (
            count(|item| matches!(item, Item::Added(_))),
            count(|item| matches!(item, Item::Removed(_))),
            count(|item| matches!(item, Item::Changed { .. })),
        )
    }

    /// The first thing by which code that used it might not compile any more.
    pub fn breaks(&self) -> Option<&str> {
        let mut items = self.parts.iter().flat_map(|(_, items)| items);
        items.find_map(|item| match item {
            Item::Added(_) => None,
            Item::Removed(was) | Item::Changed { was, .. } => Some(was.as_str()),
        })
    }
}

/// The packages whose surface moved.
pub fn moved(then: &Held, now: &Held) -> Vec<Surface> {
    PACKAGES
        .into_iter()
        .filter_map(|package| {
            let mut surface = Surface {
                package,
                parts: Vec::new(),
                inner: Vec::new(),
            };
            let listing = format!("{FOLDER}/{package}.txt");
            surface.add(String::new(), then.get(&listing), now.get(&listing));
            if package == GENERATED {
                let paths = then.keys().chain(now.keys());
                let paths = paths.filter_map(|path| Some((path, outline(path)?)));
                for (path, name) in paths.collect::<BTreeMap<_, _>>() {
                    surface.add(name.to_owned(), then.get(path), now.get(path));
                }
            }
            let is_same = surface.parts.is_empty() && surface.inner.is_empty();
            (!is_same).then_some(surface)
        })
        .collect()
}

impl Surface {
    fn add(&mut self, name: String, was: Option<&String>, is: Option<&String>) {
        if was == is {
            return;
        }
        let text = |side: Option<&String>| side.map(|text| shown(text)).unwrap_or_default();
        let items = items(&text(was), &text(is));
        match items.is_empty() {
            true => self.inner.push(name),
            false => self.parts.push((name, items)),
        }
    }
}

fn outline(path: &str) -> Option<&str> {
    path.strip_prefix(OUTLINES)?.strip_suffix(".snap")
}

/// The lines that name something: without the header, docs and fingerprints.
fn shown(text: &str) -> String {
    let text = text.split_once("\n---\n").map_or(text, |(_, text)| text);
    text.lines()
        .map(str::trim)
        .filter(|line| {
            !line.starts_with("///")
                && !line.starts_with("#[serde")
                && !line.starts_with("fingerprint:")
                && !line.starts_with("// ")
        })
        .map(|line| format!("{line}\n"))
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
    items.extend(
        added
            .into_iter()
            .filter(|line| line != "}")
            .map(Item::Added),
    );
    items.retain(|item| !matches!(item, Item::Removed(line) if line == "}"));
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
