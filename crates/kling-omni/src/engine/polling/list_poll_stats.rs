use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::operations::ListOperation;

/// How long no list is read after one that was not worth it, and after several of these in a row.
const REST: Duration = Duration::from_secs(30);
const LONGEST_REST: Duration = Duration::from_secs(600);

/// How often one of the tasks that a list shows to go on is read, to see whether the list is true.
const CHECK: Duration = Duration::from_secs(30);

/// What is known of reading lists in place of single tasks.
#[derive(Default)]
pub(crate) struct ListPollStats(Mutex<HashMap<&'static ListOperation, Record>>);

#[derive(Clone, Copy, Default)]
struct Record {
    pages: u32,
    consecutive_misses: u32,
    /// When it was last worth it.
    worth_it_at: Option<Instant>,
    rests_until: Option<Instant>,
    /// The next reading of the list is worth waiting for until then.
    next_at: Option<Instant>,
    /// When it was last held against the route of a single task.
    checked: Option<Instant>,
}

impl Record {
    fn back_off(&mut self, now: Instant, asked: Option<Duration>) {
        let back_off = REST.saturating_mul(1 << self.consecutive_misses.min(8));
        let back_off = back_off.min(LONGEST_REST).max(asked.unwrap_or_default());
        self.consecutive_misses += 1;
        self.next_at = None;
        self.checked = None;
        self.rests_until = now.checked_add(back_off);
    }
}

/// What came of reading one list.
pub(crate) struct ListPollResult {
    pub(crate) list: &'static ListOperation,
    /// The pages up to the last one on which a task was found that was looked for.
    pub(crate) pages: u32,
    /// Whether it has found more tasks than it took requests.
    pub(crate) was_profitable: bool,
    pub(crate) at: Instant,
    /// When the tasks on it are worth the next look.
    pub(crate) next_at: Option<Instant>,
    /// How long the service asks not to be asked for it.
    pub(crate) asked_pause: Option<Duration>,
}

impl ListPollStats {
    /// How many pages it will probably take; `None` while it is not worth trying.
    pub(crate) fn pages(&self, list: &'static ListOperation, now: Instant) -> Option<usize> {
        let record = self.records().get(&list).copied().unwrap_or_default();
        let rests = record.rests_until.is_some_and(|until| now < until);
        // Where the tasks stood long ago says nothing about those of now.
        let is_fresh = |at: Instant| now.duration_since(at) < REST;
        let pages = match record.worth_it_at.is_some_and(is_fresh) {
            true => record.pages.max(1),
            false => 1,
        };
        (!rests).then_some(pages as usize)
    }

    /// When the list is read next, if that is still to come.
    pub(crate) fn next_at(&self, list: &'static ListOperation, now: Instant) -> Option<Instant> {
        let next_at = self.records().get(&list)?.next_at;
        next_at.filter(|next_at| *next_at > now)
    }

    pub(crate) fn record(&self, result: ListPollResult) {
        let mut records = self.records();
        let record = records.entry(result.list).or_default();
        if result.was_profitable {
            *record = Record {
                pages: result.pages,
                worth_it_at: Some(result.at),
                next_at: result.next_at,
                ..*record
            };
        } else {
            record.back_off(result.at, result.asked_pause);
        }
    }

    /// Whether a task should be read that the list shows to go on; whoever is told so does it.
    pub(crate) fn is_check_due(&self, list: &'static ListOperation, now: Instant) -> bool {
        let mut records = self.records();
        let checked = &mut records.entry(list).or_default().checked;
        let is_due = checked.is_none_or(|at| now.duration_since(at) > CHECK);
        if is_due {
            *checked = Some(now);
        }
        is_due
    }

    /// What the check has shown.
    pub(crate) fn checked(&self, list: &'static ListOperation, is_true: bool, now: Instant) {
        let mut records = self.records();
        let record = records.entry(list).or_default();
        match is_true {
            true => record.consecutive_misses = 0,
            false => record.back_off(now, None),
        }
    }

    fn records(&self) -> MutexGuard<'_, HashMap<&'static ListOperation, Record>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
