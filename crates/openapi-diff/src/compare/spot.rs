//! Places in the two documents, and whether what stands there means the same.

use indexmap::IndexMap;

use super::words::show;
use crate::tree::{Node, join};

/// A place in a document.
#[derive(Clone, Debug)]
pub struct Spot<'a> {
    /// What stands there.
    pub node: &'a Node,
    /// Its JSON pointer.
    pub pointer: String,
    /// A reference whose own keys take precedence, with its JSON pointer.
    pub over: Option<(&'a Node, String)>,
}

/// The same place in both documents, where at least one has something.
#[derive(Clone, Debug, Default)]
pub struct Pair<'a> {
    pub base: Option<Spot<'a>>,
    pub head: Option<Spot<'a>>,
}

/// The same place in both documents, where both have something.
#[derive(Clone, Debug)]
pub struct Both<'a> {
    pub base: Spot<'a>,
    pub head: Spot<'a>,
}

impl<'a> Spot<'a> {
    /// The place that `pointer` names.
    pub fn new(node: &'a Node, pointer: impl Into<String>) -> Self {
        Self {
            node,
            pointer: pointer.into(),
            over: None,
        }
    }

    /// What stands under `key`.
    pub fn get(&self, key: &str) -> Option<Self> {
        if let Some((node, pointer)) = &self.over
            && key != "$ref"
            && let Some(node) = node.get(key)
        {
            return Some(Self::new(node, join(pointer, key)));
        }
        let node = self.node.get(key)?;
        Some(Self::new(node, join(&self.pointer, key)))
    }

    /// The keys here.
    pub fn keys(&self) -> Vec<&'a str> {
        let mut keys: Vec<_> = self.node.entries().map(|(key, _)| key).collect();
        if let Some((node, _)) = self.over {
            let over = node.entries().map(|(key, _)| key);
            let new: Vec<_> = over
                .filter(|key| *key != "$ref" && !keys.contains(key))
                .collect();
            keys.extend(new);
        }
        keys
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

impl<'a> Pair<'a> {
    /// Both sides, when both have something.
    pub fn both(&self) -> Option<Both<'a>> {
        Some(Both {
            base: self.base.clone()?,
            head: self.head.clone()?,
        })
    }

    pub fn base_node(&self) -> Option<&'a Node> {
        self.base.as_ref().map(|spot| spot.node)
    }

    pub fn head_node(&self) -> Option<&'a Node> {
        self.head.as_ref().map(|spot| spot.node)
    }

    pub fn base_pointer(&self) -> Option<String> {
        self.base.as_ref().map(|spot| spot.pointer.clone())
    }

    pub fn head_pointer(&self) -> Option<String> {
        self.head.as_ref().map(|spot| spot.pointer.clone())
    }

    /// The pointer into the newer document, or else into the older one.
    pub fn pointer(&self) -> &str {
        let spot = self.head.as_ref().or(self.base.as_ref());
        spot.map_or("", |spot| &spot.pointer)
    }

    /// Whether both sides are the same value, or both lack it.
    pub fn is_same(&self) -> bool {
        match (self.base_node(), self.head_node()) {
            (Some(base), Some(head)) => same(base, head),
            (None, None) => true,
            _ => false,
        }
    }

    /// Whether each side lacks it or satisfies `test`.
    pub fn each(&self, test: impl Fn(&Node) -> bool) -> bool {
        let nodes = [self.base_node(), self.head_node()];
        nodes.into_iter().flatten().all(test)
    }

    /// The items of the lists here; none where a side has no list.
    pub fn items(&self) -> (Vec<Spot<'a>>, Vec<Spot<'a>>) {
        let items = |spot: &Option<Spot<'a>>| spot.as_ref().map_or_else(Vec::new, Spot::items);
        (items(&self.base), items(&self.head))
    }

    /// What stands under each key of either side.
    pub fn entries(&self) -> Vec<(&'a str, Pair<'a>)> {
        let entries = |spot: &Option<Spot<'a>>| spot.as_ref().map_or_else(Vec::new, Spot::entries);
        matched(entries(&self.base), entries(&self.head), |key| key)
    }
}

impl<'a> Both<'a> {
    pub fn pair(&self) -> Pair<'a> {
        Pair {
            base: Some(self.base.clone()),
            head: Some(self.head.clone()),
        }
    }

    /// What stands under `key`.
    pub fn get(&self, key: &str) -> Pair<'a> {
        Pair {
            base: self.base.get(key),
            head: self.head.get(key),
        }
    }

    pub fn are_maps(&self) -> bool {
        self.base.node.as_map().is_some() && self.head.node.as_map().is_some()
    }

    /// What stands under each key of either side, in the order of the newer document.
    pub fn keys(&self) -> Vec<(&'a str, Pair<'a>)> {
        self.pair().entries()
    }
}

/// Brings together what has the same `key`: in the order of the newer document, then what only the older one has.
pub fn matched<'a, N: Copy, K: Eq + std::hash::Hash>(
    base: Vec<(N, Spot<'a>)>,
    head: Vec<(N, Spot<'a>)>,
    key: impl Fn(N) -> K,
) -> Vec<(N, Pair<'a>)> {
    let mut base: IndexMap<K, (N, Spot<'a>)> = base
        .into_iter()
        .map(|(name, spot)| (key(name), (name, spot)))
        .collect();
    let mut pairs: Vec<_> = head
        .into_iter()
        .map(|(name, spot)| {
            let base = base.shift_remove(&key(name)).map(|(_, spot)| spot);
            let head = Some(spot);
            (name, Pair { base, head })
        })
        .collect();
    pairs.extend(base.into_values().map(|(name, spot)| {
        let base = Some(spot);
        (name, Pair { base, head: None })
    }));
    pairs
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
