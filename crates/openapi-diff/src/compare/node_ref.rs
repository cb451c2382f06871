//! Places in the two documents, and whether what stands there means the same.

use std::borrow::Cow;
use std::sync::LazyLock;

use indexmap::IndexMap;

use super::message::show;
use crate::tree::{Node, join};

/// The keys under which a schema is made of several.
pub const COMPOSITIONS: [&str; 3] = ["allOf", "anyOf", "oneOf"];

/// Keys that describe a schema and bind nothing.
const DESCRIBES: [&str; 7] = [
    "$comment",
    "description",
    "example",
    "examples",
    "externalDocs",
    "summary",
    "title",
];

/// Keys that may stand beside a composition of one schema, since they describe it or are compared with those of the
/// schema.
const BESIDE: [&str; 13] = [
    "$comment",
    "default",
    "deprecated",
    "description",
    "example",
    "examples",
    "externalDocs",
    "nullable",
    "readOnly",
    "summary",
    "title",
    "type",
    "writeOnly",
];

/// A place in a document.
#[derive(Clone, Debug)]
pub struct NodeRef<'a> {
    /// What stands there.
    pub node: &'a Node,
    /// Its JSON pointer.
    pub pointer: String,
    /// What stands around it and whose keys take precedence, the outermost first: references, and compositions of one
    /// schema.
    pub over: Vec<Over<'a>>,
    /// Whether it is the only alternative to null in a composition.
    pub nullable: bool,
}

/// A reference or a composition around a schema.
#[derive(Clone, Debug)]
pub struct Over<'a> {
    node: &'a Node,
    pointer: String,
    /// The key that leads to the schema.
    key: &'static str,
}

impl<'a> Over<'a> {
    pub fn new(node_ref: &NodeRef<'a>, key: &'static str) -> Self {
        Self {
            node: node_ref.node,
            pointer: node_ref.pointer.clone(),
            key,
        }
    }

    fn keys(&self) -> impl Iterator<Item = &'a str> {
        let keys = self.node.entries().map(|(key, _)| key);
        keys.filter(|key| *key != self.key)
    }
}

/// The same place in both documents, where at least one has something.
#[derive(Clone, Debug, Default)]
pub struct NodeChange<'a> {
    pub base: Option<NodeRef<'a>>,
    pub head: Option<NodeRef<'a>>,
}

/// The same place in both documents, where both have something.
#[derive(Clone, Debug)]
pub struct NodePair<'a> {
    pub base: NodeRef<'a>,
    pub head: NodeRef<'a>,
}

impl<'a> NodeRef<'a> {
    /// The place that `pointer` names.
    pub fn new(node: &'a Node, pointer: impl Into<String>) -> Self {
        Self {
            node,
            pointer: pointer.into(),
            over: Vec::new(),
            nullable: false,
        }
    }

    /// What stands under `key`.
    pub fn get(&self, key: &str) -> Option<Self> {
        for over in self.over.iter().filter(|over| over.key != key) {
            if let Some(node) = over.node.get(key) {
                return Some(Self::new(node, join(&over.pointer, key)));
            }
        }
        let node = self.node.get(key)?;
        Some(Self::new(node, join(&self.pointer, key)))
    }

    /// The keys here.
    pub fn keys(&self) -> Vec<&'a str> {
        let mut keys: Vec<_> = self.node.entries().map(|(key, _)| key).collect();
        for key in self.over.iter().flat_map(Over::keys) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    /// The schema in a composition of this one schema and nothing else that binds: `allOf` of one, and `anyOf` or
    /// `oneOf` of one and null. References are not followed. Where `other` is such a composition too, but of
    /// several schemas or with more beside it, both are compared as they stand.
    pub fn innermost(&self, other: &Self) -> Self {
        let mut node_ref = self.clone();
        while let Some((key, inner, nullable, texts)) = node_ref.only_member()
            && (other.get(key).is_none() || other.only_member().is_some())
        {
            let over = Over::new(&node_ref, key);
            node_ref = Self {
                over: node_ref
                    .over
                    .into_iter()
                    .chain([over])
                    .chain(texts)
                    .collect(),
                nullable: node_ref.nullable || nullable,
                ..inner
            };
        }
        node_ref
    }

    /// The key, the schema, whether null is beside it, and members of `allOf` that only describe.
    fn only_member(&self) -> Option<(&'static str, Self, bool, Vec<Over<'a>>)> {
        let key = COMPOSITIONS
            .into_iter()
            .find(|key| self.node.get(key).is_some())?;
        let binds = |name: &str| name != key && !BESIDE.contains(&name) && !name.starts_with("x-");
        if self.node.entries().any(|(name, _)| binds(name)) {
            return None;
        }
        let (texts, mut members): (Vec<_>, Vec<_>) = self
            .members(key)
            .into_iter()
            .partition(|one| key == "allOf" && one.only_describes());
        let inner = (members.len() == 1).then(|| members.remove(0))?;
        let has_null = key != "allOf" && self.node.get(key)?.items().len() > 1;
        let texts = texts.iter().map(|text| Over::new(text, key)).collect();
        Some((key, inner, has_null, texts))
    }

    fn only_describes(&self) -> bool {
        let mut keys = self.node.entries().map(|(key, _)| key);
        !is_empty(self.node) && keys.all(|key| DESCRIBES.contains(&key))
    }

    /// The schemas under `key`, without null.
    pub fn members(&self, key: &str) -> Vec<Self> {
        let list = self.get(key);
        let mut members = list.map_or_else(Vec::new, |list| list.items());
        members.retain(|one| !one.is_null_of(key));
        members
    }

    /// Whether this alternative of `key` allows null and nothing else.
    pub fn is_null_of(&self, key: &str) -> bool {
        let mut entries = self.node.entries();
        let only = (entries.next(), entries.next());
        key != "allOf"
            && match only {
                (Some(("type", kind)), None) => kind.as_text() == Some("null"),
                (Some(("const", value)), None) => *value == Node::Null,
                (Some(("enum", values)), None) => *values == Node::List(vec![Node::Null]),
                _ => false,
            }
    }

    /// Whether the schema is one of texts and nothing else.
    pub fn is_of_text(&self) -> bool {
        match self.get("type").map(|node_ref| node_ref.node) {
            Some(Node::List(names)) => {
                let mut names = names.iter().filter_map(Node::as_text);
                names.all(|name| ["string", "null"].contains(&name))
            }
            Some(name) => name.as_text() == Some("string"),
            None => false,
        }
    }

    /// The keys of what stands around it.
    pub fn keys_over(&self) -> Vec<&'a str> {
        let nullable = self.nullable.then_some("nullable");
        self.over
            .iter()
            .flat_map(Over::keys)
            .chain(nullable)
            .collect()
    }

    /// The same, with the schema `true` written as the empty one.
    pub fn or_empty(&self) -> Self {
        static EMPTY: LazyLock<Node> = LazyLock::new(Node::map);
        let mut node_ref = self.clone();
        if *node_ref.node == Node::Flag(true) {
            node_ref.node = &EMPTY;
        }
        node_ref
    }

    /// The types of which a union is made that says nothing else of its alternatives.
    pub fn list_of_types(&self) -> Option<(&'static str, Vec<&'a str>)> {
        let key = COMPOSITIONS[1..]
            .iter()
            .find(|key| self.get(key).is_some())?;
        let types = self.get(key)?.items().into_iter().map(|node_ref| {
            let only = node_ref.node.entries().count() == 1;
            node_ref.node.text("type").filter(|_| only)
        });
        let types: Vec<_> = types.collect::<Option<_>>()?;
        (types.len() > 1).then_some((key, types))
    }

    /// The same without what stands around it.
    pub fn bare(&self) -> Self {
        Self::new(self.node, self.pointer.clone())
    }

    /// What stands under each key.
    pub fn entries(&self) -> Vec<(&'a str, Self)> {
        let keys = self.keys().into_iter();
        keys.filter_map(|key| Some((key, self.get(key)?))).collect()
    }

    /// The items of the list here.
    pub fn items(&self) -> Vec<Self> {
        let items = self.node.items().iter().enumerate();
        items
            .map(|(index, node)| Self::new(node, format!("{}/{index}", self.pointer)))
            .collect()
    }
}

impl<'a> NodeChange<'a> {
    /// NodePair sides, when both have something.
    pub fn both(&self) -> Option<NodePair<'a>> {
        Some(NodePair {
            base: self.base.clone()?,
            head: self.head.clone()?,
        })
    }

    pub fn base_node(&self) -> Option<&'a Node> {
        self.base.as_ref().map(|node_ref| node_ref.node)
    }

    pub fn head_node(&self) -> Option<&'a Node> {
        self.head.as_ref().map(|node_ref| node_ref.node)
    }

    pub fn base_pointer(&self) -> Option<String> {
        self.base.as_ref().map(|node_ref| node_ref.pointer.clone())
    }

    pub fn head_pointer(&self) -> Option<String> {
        self.head.as_ref().map(|node_ref| node_ref.pointer.clone())
    }

    /// The pointer into the newer document, or else into the older one.
    pub fn pointer(&self) -> &str {
        let node_ref = self.head.as_ref().or(self.base.as_ref());
        node_ref.map_or("", |node_ref| &node_ref.pointer)
    }

    /// Whether both sides are the same value, or both lack it.
    pub fn is_same(&self) -> bool {
        match (self.base_node(), self.head_node()) {
            (Some(base), Some(head)) => same(base, head),
            (None, None) => true,
            _ => false,
        }
    }

    /// Whether both sides are the same text, in whatever words.
    pub fn is_same_text(&self) -> bool {
        let text = |node: Option<&'a Node>| node?.as_written();
        let (base, head) = (text(self.base_node()), text(self.head_node()));
        base.is_some() && base == head
    }

    /// Whether each side lacks it or satisfies `test`.
    pub fn each(&self, test: impl Fn(&Node) -> bool) -> bool {
        let nodes = [self.base_node(), self.head_node()];
        nodes.into_iter().flatten().all(test)
    }

    /// The items of the lists here; none where a side has no list.
    pub fn items(&self) -> (Vec<NodeRef<'a>>, Vec<NodeRef<'a>>) {
        let items = |node_ref: &Option<NodeRef<'a>>| {
            node_ref.as_ref().map_or_else(Vec::new, NodeRef::items)
        };
        (items(&self.base), items(&self.head))
    }

    /// What stands under each key of either side.
    pub fn entries(&self) -> Vec<(&'a str, NodeChange<'a>)> {
        let entries = |node_ref: &Option<NodeRef<'a>>| {
            node_ref.as_ref().map_or_else(Vec::new, NodeRef::entries)
        };
        matched(entries(&self.base), entries(&self.head), |key| key)
    }
}

impl<'a> NodePair<'a> {
    pub fn pair(&self) -> NodeChange<'a> {
        NodeChange {
            base: Some(self.base.clone()),
            head: Some(self.head.clone()),
        }
    }

    /// What stands under `key`.
    pub fn get(&self, key: &str) -> NodeChange<'a> {
        NodeChange {
            base: self.base.get(key),
            head: self.head.get(key),
        }
    }

    /// Whether one side has a union of plain types under `key`, and the other names types otherwise.
    pub fn is_list_of_types(&self, key: &str) -> bool {
        let is_list = |one: &NodeRef<'a>, other: &NodeRef<'a>| {
            let list = one.list_of_types().filter(|(found, _)| *found == key);
            list.is_some()
                && one.get("type").is_none()
                && other.get("type").is_some()
                && other.get(key).is_none()
        };
        is_list(&self.base, &self.head) || is_list(&self.head, &self.base)
    }

    /// Whether both schemas are of texts and nothing else.
    pub fn are_of_text(&self) -> bool {
        self.base.is_of_text() && self.head.is_of_text()
    }

    pub fn are_maps(&self) -> bool {
        self.base.node.as_map().is_some() && self.head.node.as_map().is_some()
    }

    /// What stands under each key of either side, in the order of the newer document.
    pub fn keys(&self) -> Vec<(&'a str, NodeChange<'a>)> {
        self.pair().entries()
    }
}

/// Brings together what has the same `key`: in the order of the newer document, then what only the older one has.
pub fn matched<'a, N: Copy, K: Eq + std::hash::Hash>(
    base: Vec<(N, NodeRef<'a>)>,
    head: Vec<(N, NodeRef<'a>)>,
    key: impl Fn(N) -> K,
) -> Vec<(N, NodeChange<'a>)> {
    let mut base: IndexMap<K, (N, NodeRef<'a>)> = base
        .into_iter()
        .map(|(name, node_ref)| (key(name), (name, node_ref)))
        .collect();
    let mut pairs: Vec<_> = head
        .into_iter()
        .map(|(name, node_ref)| {
            let base = base.shift_remove(&key(name)).map(|(_, node_ref)| node_ref);
            let head = Some(node_ref);
            (name, NodeChange { base, head })
        })
        .collect();
    pairs.extend(base.into_values().map(|(name, node_ref)| {
        let base = Some(node_ref);
        (name, NodeChange { base, head: None })
    }));
    pairs
}

/// A number or a boolean as the text that was written, if the schema asks for text: `8` and `'8'` are one text.
pub fn written(node: &Node, is_of_text: bool) -> Cow<'_, Node> {
    match node.as_written() {
        Some(text) if is_of_text => Cow::Owned(Node::Text(text.into_owned())),
        _ => Cow::Borrowed(node),
    }
}

/// Whether two values are the same, whatever the order of keys and the spelling of numbers.
pub fn same(base: &Node, head: &Node) -> bool {
    base == head || canonical(base) == canonical(head)
}

/// A value in the one spelling that it shares with every value that is the same.
pub fn canonical(node: &Node) -> String {
    match node {
        Node::Number(number) => {
            let whole = number
                .as_f64()
                .filter(|value| value.fract() == 0.0 && value.abs() < 1e15);
            whole.map_or_else(|| number.to_string(), |whole| format!("{}", whole as i64))
        }
        Node::List(items) => {
            let items: Vec<_> = items.iter().map(canonical).collect();
            format!("[{}]", items.join(","))
        }
        Node::Map(map) => {
            let mut entries: Vec<_> = map
                .iter()
                .map(|(key, value)| {
                    format!("{}:{}", show(&Node::from(key.as_str())), canonical(value))
                })
                .collect();
            entries.sort();
            format!("{{{}}}", entries.join(","))
        }
        scalar => show(scalar),
    }
}

/// Whether there is nothing in a list or mapping.
pub fn is_empty(node: &Node) -> bool {
    match node {
        Node::List(items) => items.is_empty(),
        Node::Map(map) => map.is_empty(),
        _ => false,
    }
}

/// The pointer of a value that nests deeper than `most` levels, if there is one. Takes no stack.
pub fn deepest(root: &Node, most: usize) -> Option<String> {
    let mut level = vec![root];
    for _ in 0..=most {
        level = level.into_iter().flat_map(children).collect();
    }
    let deep = level.first()?;
    // Pointers take long to write, and only this one is wanted.
    let mut ahead = vec![(String::new(), root)];
    while let Some((pointer, node)) = ahead.pop() {
        if std::ptr::eq(node, *deep) {
            return Some(pointer);
        }
        let items = node.items().iter().enumerate();
        ahead.extend(items.map(|(index, item)| (format!("{pointer}/{index}"), item)));
        let entries = node.entries();
        ahead.extend(entries.map(|(key, value)| (join(&pointer, key), value)));
    }
    None
}

fn children(node: &Node) -> impl Iterator<Item = &Node> {
    node.items()
        .iter()
        .chain(node.entries().map(|(_, value)| value))
}
