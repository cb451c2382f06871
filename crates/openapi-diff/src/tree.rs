//! YAML and JSON as a tree.

use std::borrow::Cow;
use std::fmt;

use indexmap::IndexMap;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A YAML or JSON value whose keys keep the order of the source.
///
/// `serde_json::Value` keeps it only with a feature that would then hold for every crate of the workspace.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Node {
    /// Nothing.
    Null,
    /// A boolean.
    Flag(bool),
    /// A number.
    Number(Number),
    /// A string.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping in source order.
    Map(IndexMap<String, Node>),
}

/// A number, and how it was written where that is not how it is printed.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    value: serde_json::Number,
    written: Option<Box<str>>,
}

impl Number {
    /// The number as a double.
    pub fn as_f64(&self) -> Option<f64> {
        self.value.as_f64()
    }

    /// The number, if it is whole and not negative.
    pub fn as_u64(&self) -> Option<u64> {
        self.value.as_u64()
    }

    /// The number, if it is whole.
    pub fn as_i128(&self) -> Option<i128> {
        self.value.as_i128()
    }

    /// The text in the document: `1.10` is another text than `1.1`, and the same number.
    pub fn written(&self) -> Cow<'_, str> {
        match &self.written {
            Some(written) => Cow::Borrowed(written),
            None => Cow::Owned(self.value.to_string()),
        }
    }

    pub(crate) fn set_written(&mut self, text: &str) {
        self.written = (text != self.value.to_string()).then(|| text.into());
    }
}

impl From<serde_json::Number> for Number {
    fn from(value: serde_json::Number) -> Self {
        Self {
            value,
            written: None,
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde_json::Number::deserialize(deserializer).map(Self::from)
    }
}

impl Node {
    /// What kind of value it is, in words that fit behind "it is".
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Flag(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }

    /// An empty mapping.
    pub fn map() -> Self {
        Self::Map(IndexMap::new())
    }

    /// The value of `key`, when this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_map()?.get(key)
    }

    /// The value of `key`, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        self.as_map_mut()?.get_mut(key)
    }

    /// Removes `key`. The other keys keep their order.
    pub fn remove(&mut self, key: &str) -> Option<Self> {
        self.as_map_mut()?.shift_remove(key)
    }

    /// Sets `key`, which keeps its place when it was there already. Anything but a mapping is left alone.
    pub fn set(&mut self, key: &str, value: Self) {
        if let Some(map) = self.as_map_mut() {
            map.insert(key.to_owned(), value);
        }
    }

    /// The mapping, when this is one.
    pub fn as_map(&self) -> Option<&IndexMap<String, Self>> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The mapping, to be changed.
    pub fn as_map_mut(&mut self) -> Option<&mut IndexMap<String, Self>> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The text, when this is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A text, or a number or a boolean as it was written.
    pub fn as_written(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Number(number) => Some(number.written()),
            Self::Flag(flag) => Some(Cow::Borrowed(if *flag { "true" } else { "false" })),
            Self::Null | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// The number, when this is one.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(number) => number.as_f64(),
            _ => None,
        }
    }

    /// The whole non-negative number, when this is one.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Number(number) => number.as_u64(),
            _ => None,
        }
    }

    /// The entries of the mapping; none when this is something else.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Self)> {
        self.as_map()
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.as_str(), value))
    }

    /// The items of the list; none when this is something else.
    pub fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// The text under `key`.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_text()
    }

    /// Whether `key` is there and true.
    pub fn is_set(&self, key: &str) -> bool {
        self.get(key) == Some(&Self::Flag(true))
    }

    /// What the JSON pointer names.
    pub fn at(&self, pointer: &str) -> Option<&Self> {
        steps(pointer).try_fold(self, |node, step| match node {
            Self::List(items) => items.get(step.parse::<usize>().ok()?),
            _ => node.get(&step),
        })
    }

    /// What the JSON pointer names, to be changed.
    pub fn at_mut(&mut self, pointer: &str) -> Option<&mut Self> {
        steps(pointer).try_fold(self, |node, step| match node {
            Self::List(items) => items.get_mut(step.parse::<usize>().ok()?),
            _ => node.get_mut(&step),
        })
    }

    /// Calls `visit` with this value and every value below it, each with its JSON pointer.
    pub fn walk<'a>(&'a self, pointer: &str, visit: &mut impl FnMut(&str, &'a Self)) {
        visit(pointer, self);
        match self {
            Self::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    item.walk(&format!("{pointer}/{index}"), visit);
                }
            }
            _ => {
                for (key, value) in self.entries() {
                    value.walk(&join(pointer, key), visit);
                }
            }
        }
    }
}

impl From<&str> for Node {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<bool> for Node {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

/// The JSON pointer of `key` below `pointer`.
pub fn join(pointer: &str, key: &str) -> String {
    let mut joined = String::with_capacity(pointer.len() + 1 + key.len());
    joined += pointer;
    joined.push('/');
    if key.contains(['~', '/']) {
        joined += &key.replace('~', "~0").replace('/', "~1");
    } else {
        joined += key;
    }
    joined
}

/// The JSON pointer in a `$ref` to a place in the same document: a URI fragment, so `%7B` stands for `{`. `None` for any
/// other reference.
pub fn fragment(reference: &str) -> Option<Cow<'_, str>> {
    let encoded = reference.strip_prefix('#')?;
    percent_decode_str(encoded).decode_utf8().ok()
}

/// The keys and indices that the JSON pointer leads through.
pub(crate) fn steps(pointer: &str) -> impl Iterator<Item = String> {
    pointer
        .split('/')
        .skip(1)
        .map(|step| step.replace("~1", "/").replace("~0", "~"))
}
