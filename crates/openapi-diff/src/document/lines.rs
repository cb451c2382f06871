//! The line of each value of a document.

use std::fmt;
use std::ops::Range;

use indexmap::IndexMap;
use indexmap::map::Entry;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_saphyr::{Location, Spanned};

use super::Position;
use crate::tree::{Node, steps};

/// The lines of a value and of everything below it, in the order of the tree that was read with them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    line: u32,
    /// The bytes of a scalar in the text.
    span: Range<usize>,
    children: Vec<Self>,
}

impl Lines {
    /// The line of what the JSON pointer names in `tree`, or of the nearest thing around it that is there.
    pub fn find(&self, tree: &Node, pointer: &str) -> Position {
        let mut here = (self, tree);
        for step in steps(pointer) {
            let index = match here.1 {
                Node::List(_) => step.parse().ok(),
                Node::Map(map) => map.get_index_of(&step),
                _ => None,
            };
            let below = index.and_then(|index| {
                let node = match here.1 {
                    Node::List(items) => items.get(index)?,
                    Node::Map(map) => map.get_index(index)?.1,
                    _ => return None,
                };
                Some((here.0.children.get(index)?, node))
            });
            match below {
                Some(below) => here = below,
                None => break,
            }
        }
        Position {
            line: here.0.line.max(1) as usize,
            column: None,
        }
    }
}

/// Notes how each number of `tree` is written in `text`.
pub(super) fn note_written(tree: &mut Node, lines: &Lines, text: &str) {
    match tree {
        Node::Number(number) => {
            let written = text.get(lines.span.clone()).unwrap_or_default();
            // With a tag or quotes, the number is not what is written.
            if written.starts_with(|sign: char| sign.is_ascii_digit() || "+-.".contains(sign)) {
                number.set_written(written.trim_end());
            }
        }
        Node::List(items) => {
            for (item, lines) in items.iter_mut().zip(&lines.children) {
                note_written(item, lines, text);
            }
        }
        Node::Map(map) => {
            for (value, lines) in map.values_mut().zip(&lines.children) {
                note_written(value, lines, text);
            }
        }
        Node::Null | Node::Flag(_) | Node::Text(_) => {}
    }
}

fn span(location: Location) -> Range<usize> {
    let span = location.span();
    let range = span.byte_offset().zip(span.byte_len());
    range.map_or(0..0, |(start, length)| {
        let (start, length) = (start as usize, length as usize);
        start..start + length
    })
}

/// A value with its lines. A key's line stands for its value, which may begin a line later.
pub(super) struct Located {
    pub(super) node: Node,
    pub(super) lines: Lines,
}

impl<'de> Deserialize<'de> for Located {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

impl From<Node> for Located {
    fn from(node: Node) -> Self {
        Self {
            node,
            lines: Lines::default(),
        }
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Located;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON has, too")
    }

    fn visit_unit<E: Error>(self) -> Result<Located, E> {
        Ok(Node::Null.into())
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Located, E> {
        Ok(Node::Flag(flag).into())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Located, E> {
        Ok(Node::Number(Number::from(number).into()).into())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Located, E> {
        Ok(Node::Number(Number::from(number).into()).into())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Located, E> {
        let number = Number::from_f64(number).ok_or_else(|| E::custom("the number is infinite"))?;
        Ok(Node::Number(number.into()).into())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Located, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Located, E> {
        Ok(Node::Text(text).into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Located, A::Error> {
        let mut items = Vec::new();
        let mut lines = Lines::default();
        while let Some(item) = access.next_element::<Spanned<Located>>()? {
            let line = item.referenced.line() as u32;
            items.push(item.value.node);
            lines.children.push(Lines {
                line,
                span: span(item.defined),
                ..item.value.lines
            });
        }
        Ok(Located {
            node: Node::List(items),
            lines,
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Located, A::Error> {
        let mut map = IndexMap::new();
        let mut lines = Lines::default();
        while let Some(key) = access.next_key::<Spanned<String>>()? {
            let spanned: Spanned<Located> = access.next_value()?;
            let value = spanned.value;
            match map.entry(key.value) {
                // The parser compares values: to it, `200` and `'200'` are two keys.
                Entry::Occupied(entry) => {
                    let line = key.referenced.line();
                    let message = format!("`{}` is there twice, again in line {line}", entry.key());
                    return Err(A::Error::custom(message));
                }
                Entry::Vacant(entry) => entry.insert(value.node),
            };
            lines.children.push(Lines {
                line: key.referenced.line() as u32,
                span: span(spanned.defined),
                ..value.lines
            });
        }
        Ok(Located {
            node: Node::Map(map),
            lines,
        })
    }
}
