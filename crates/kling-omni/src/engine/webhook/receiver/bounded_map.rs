//! A map of bounded size, which evicts entries.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// A map of bounded size. Evicts the entry with the lowest order.
pub(crate) struct BoundedMap<O, V> {
    capacity: usize,
    entries: HashMap<Arc<str>, (O, V)>,
    order: BTreeSet<(O, Arc<str>)>,
}

impl<O: Ord + Copy, V> BoundedMap<O, V> {
    /// Creates a map for `capacity` entries, at least one.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            entries: HashMap::new(),
            order: BTreeSet::new(),
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&V> {
        self.entries.get(key).map(|(_, value)| value)
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut V> {
        self.entries.get_mut(key).map(|(_, value)| value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        let entries = self.entries.iter();
        entries.map(|(key, (_, value))| (&**key, value))
    }

    pub(crate) fn order(&self, key: &str) -> Option<O> {
        self.entries.get(key).map(|(order, _)| *order)
    }

    /// Inserts or replaces an entry. Returns the order of the evicted entry, which may be the new one.
    pub(crate) fn insert(&mut self, key: &str, order: O, value: V) -> Option<O> {
        let key = match self.entries.remove_entry(key) {
            Some((key, (old, _))) => {
                let entry = (old, key);
                self.order.remove(&entry);
                entry.1
            }
            None => Arc::from(key),
        };
        self.order.insert((order, Arc::clone(&key)));
        self.entries.insert(key, (order, value));
        if self.entries.len() <= self.capacity {
            return None;
        }
        let (order, key) = self.order.pop_first()?;
        self.entries.remove(&key);
        Some(order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounded_map_evicts_the_lowest_order() {
        let mut map = BoundedMap::new(2);
        assert_eq!(map.insert("a", 5, 'a'), None);
        assert_eq!(map.insert("b", 3, 'b'), None);
        assert_eq!(
            map.insert("b", 7, 'B'),
            None,
            "a replaced entry evicts none"
        );
        assert_eq!(map.insert("c", 6, 'c'), Some(5));
        assert_eq!(map.insert("d", 1, 'd'), Some(1), "the new one is the first");
        assert_eq!((map.get("a"), map.get("d")), (None, None));
        assert_eq!((map.get("b"), map.order("b")), (Some(&'B'), Some(7)));
        assert_eq!((map.entries.len(), map.order.len()), (2, 2));
    }
}
