//! A bounded list of records.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// The maximum size of the bodies in a log, in bytes.
const BODY_LIMIT: usize = 256 * 1024 * 1024;

/// A record in a log.
pub(crate) trait Entry: Clone {
    /// Returns the size of its bodies, in bytes.
    fn body_bytes(&self) -> usize;
}

/// Announces changes of the records and the faults. Clones announce to the same subscribers.
#[derive(Clone, Debug)]
pub(crate) struct Changes(watch::Sender<()>);

impl Changes {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(()))
    }

    pub(crate) fn announce(&self) {
        self.0.send_replace(());
    }

    #[cfg(feature = "console")]
    pub(crate) fn subscribe(&self) -> watch::Receiver<()> {
        self.0.subscribe()
    }
}

/// A list of records that evicts its oldest entries at its limits.
#[derive(Debug)]
pub(crate) struct Log<T> {
    limit: usize,
    body_limit: usize,
    entries: Mutex<Entries<T>>,
    total: watch::Sender<u64>,
    changes: Changes,
}

#[derive(Debug)]
struct Entries<T> {
    evicted: u64,
    body_bytes: usize,
    kept: VecDeque<T>,
}

impl<T: Entry> Log<T> {
    /// Keeps `limit` entries, and bodies of at most [`BODY_LIMIT`] bytes.
    pub(crate) fn new(limit: usize, changes: Changes) -> Self {
        Self {
            limit,
            body_limit: BODY_LIMIT,
            entries: Mutex::new(Entries {
                evicted: 0,
                body_bytes: 0,
                kept: VecDeque::new(),
            }),
            total: watch::Sender::new(0),
            changes,
        }
    }

    /// Adds the entry that `make` returns for its number, and returns the number. Entries are numbered from 1.
    pub(crate) fn push(&self, make: impl FnOnce(u64) -> T) -> u64 {
        let mut entries = self.lock();
        let number = entries.evicted + entries.kept.len() as u64 + 1;
        let entry = make(number);
        entries.body_bytes += entry.body_bytes();
        entries.kept.push_back(entry);
        entries.evict(self.limit, self.body_limit);
        drop(entries);
        self.total.send_modify(|total| *total += 1);
        self.changes.announce();
        number
    }

    /// Changes an entry, unless it was evicted.
    pub(crate) fn update(&self, number: u64, change: impl FnOnce(&mut T)) {
        let mut entries = self.lock();
        let Some(index) = entries.index(number) else {
            return;
        };
        let entry = &mut entries.kept[index];
        let before = entry.body_bytes();
        change(entry);
        let after = entry.body_bytes();
        entries.body_bytes = entries.body_bytes + after - before;
        entries.evict(self.limit, self.body_limit);
        drop(entries);
        self.changes.announce();
    }

    /// Returns the kept entries, oldest first.
    pub(crate) fn all(&self) -> Vec<T> {
        self.after(0)
    }

    /// Returns the kept entries with a greater number, oldest first.
    pub(crate) fn after(&self, number: u64) -> Vec<T> {
        let entries = self.lock();
        let skipped = number.saturating_sub(entries.evicted);
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        entries.kept.iter().skip(skipped).cloned().collect()
    }

    /// Waits until `total` entries have been added, including evicted ones.
    pub(crate) async fn wait_for_total(&self, total: u64) {
        let mut added = self.total.subscribe();
        // The wait cannot fail, because this future borrows the sender.
        let _ = added.wait_for(|added| *added >= total).await;
    }

    fn lock(&self) -> MutexGuard<'_, Entries<T>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(feature = "console")]
impl<T: Entry> Log<T> {
    /// Returns how many entries were added, including evicted ones.
    pub(crate) fn total(&self) -> u64 {
        *self.total.borrow()
    }

    /// Returns an entry, unless it was evicted.
    pub(crate) fn get(&self, number: u64) -> Option<T> {
        let entries = self.lock();
        let index = entries.index(number)?;
        entries.kept.get(index).cloned()
    }

    /// Returns up to `limit` entries that match and whose number is less than `before`, newest first.
    pub(crate) fn latest(&self, before: u64, limit: usize, matches: impl Fn(&T) -> bool) -> Vec<T> {
        let entries = self.lock();
        let count = before.saturating_sub(1).saturating_sub(entries.evicted);
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let kept = entries.kept.iter().take(count).rev();
        kept.filter(|entry| matches(entry))
            .take(limit)
            .cloned()
            .collect()
    }

    /// Calls `visit` with each kept entry, oldest first. It must not use the log.
    pub(crate) fn for_each(&self, visit: impl FnMut(&T)) {
        self.lock().kept.iter().for_each(visit);
    }
}

impl<T: Entry> Entries<T> {
    /// Returns the index of a kept entry.
    fn index(&self, number: u64) -> Option<usize> {
        let index = number.checked_sub(self.evicted + 1)?;
        let index = usize::try_from(index).ok()?;
        (index < self.kept.len()).then_some(index)
    }

    /// Evicts the oldest entries above the limits. The newest one keeps its body.
    fn evict(&mut self, limit: usize, body_limit: usize) {
        while self.kept.len() > limit || (self.body_bytes > body_limit && self.kept.len() > 1) {
            let Some(oldest) = self.kept.pop_front() else {
                return;
            };
            self.evicted += 1;
            self.body_bytes -= oldest.body_bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value is also the size of its body.
    impl Entry for usize {
        fn body_bytes(&self) -> usize {
            *self
        }
    }

    #[test]
    fn log_evicts_its_oldest_entries() {
        let log = Log::new(2, Changes::new());
        let numbers: Vec<u64> = [10, 11, 12].map(|entry| log.push(|_| entry)).to_vec();
        for number in &numbers {
            log.update(*number, |entry: &mut usize| *entry *= 2);
        }
        assert_eq!(numbers, [1, 2, 3]);
        assert_eq!(log.all(), [22, 24]);
        assert_eq!(log.after(2), [24]);
        assert_eq!(log.after(3), [0; 0]);
    }

    #[test]
    fn log_limits_the_size_of_bodies() {
        let mut log = Log::new(10, Changes::new());
        log.body_limit = 100;
        for entry in [40_usize, 50, 10] {
            log.push(|_| entry);
        }
        assert_eq!(log.all(), [40, 50, 10]);
        log.update(3, |entry| *entry = 20);
        assert_eq!(log.all(), [50, 20]);
        log.update(2, |entry| *entry = 1);
        log.push(|_| 500);
        assert_eq!(log.all(), [500]);
        log.push(|_| 1);
        assert_eq!(log.all(), [1]);
    }
}
