//! Statistics that decide whether polling a list is worth more than polling single tasks.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::operations::ListOperation;

/// How long a list is not polled after a list poll that was not profitable, and the maximum after several in a row.
const BACK_OFF: Duration = Duration::from_secs(30);
const MAX_BACK_OFF: Duration = Duration::from_secs(600);

/// How often one of the tasks that a list shows in progress, and one that it shows ended, are read directly, to cross-check the
/// list.
const CHECK_INTERVAL: Duration = Duration::from_secs(30);

/// How long a list is believed to show ended tasks rightly, after a direct read agreed.
const TRUST: Duration = Duration::from_secs(60);

/// How well each list has answered polls.
#[derive(Default)]
pub(crate) struct ListPollStats(Mutex<HashMap<&'static ListOperation, ListRecord>>);

#[derive(Clone, Copy, Default)]
struct ListRecord {
    pages: u32,
    consecutive_misses: u32,
    profitable_at: Option<Instant>,
    backs_off_until: Option<Instant>,
    /// When the next list poll is planned. Polls are deferred to it.
    next_at: Option<Instant>,
    /// When it was last cross-checked, by a task in progress and by one that has ended.
    checked: [Option<Instant>; 2],
    /// When a direct read last agreed that a task has ended.
    end_confirmed: Option<Instant>,
}

impl ListRecord {
    fn back_off(&mut self, now: Instant, requested_pause: Option<Duration>) {
        let back_off = BACK_OFF.saturating_mul(1 << self.consecutive_misses.min(8));
        let back_off = back_off
            .min(MAX_BACK_OFF)
            .max(requested_pause.unwrap_or_default());
        self.consecutive_misses += 1;
        self.next_at = None;
        self.checked = [None; 2];
        self.end_confirmed = None;
        self.backs_off_until = now.checked_add(back_off);
    }
}

/// The result of a list poll.
pub(crate) struct ListPollResult {
    pub(crate) list: &'static ListOperation,
    /// The pages up to the last one on which a requested task was found.
    pub(crate) pages: u32,
    /// Whether it found more tasks than it took pages.
    pub(crate) was_profitable: bool,
    pub(crate) at: Instant,
    /// When to poll the list next.
    pub(crate) next_at: Option<Instant>,
    /// How long the service requested not to read the list.
    pub(crate) requested_pause: Option<Duration>,
}

impl ListPollStats {
    /// The estimated number of pages of a list poll; `None` while the list backs off.
    pub(crate) fn pages(&self, list: &'static ListOperation, now: Instant) -> Option<usize> {
        let record = self.records().get(&list).copied().unwrap_or_default();
        let backs_off = record.backs_off_until.is_some_and(|until| now < until);
        // An old page count says nothing about the present tasks.
        let is_fresh = |at: Instant| now.duration_since(at) < BACK_OFF;
        let pages = match record.profitable_at.is_some_and(is_fresh) {
            true => record.pages.max(1),
            false => 1,
        };
        (!backs_off).then_some(pages as usize)
    }

    /// When the next list poll is planned, if that is in the future.
    pub(crate) fn next_at(&self, list: &'static ListOperation, now: Instant) -> Option<Instant> {
        let next_at = self.records().get(&list)?.next_at;
        next_at.filter(|next_at| *next_at > now)
    }

    pub(crate) fn record(&self, result: ListPollResult) {
        let mut records = self.records();
        let record = records.entry(result.list).or_default();
        if result.was_profitable {
            *record = ListRecord {
                pages: result.pages,
                profitable_at: Some(result.at),
                next_at: result.next_at,
                ..*record
            };
        } else {
            record.back_off(result.at, result.requested_pause);
        }
    }

    /// Whether a task that the list shows in progress, or ended, should be read directly. The caller must do so.
    pub(crate) fn is_check_due(
        &self,
        list: &'static ListOperation,
        ended: bool,
        now: Instant,
    ) -> bool {
        let mut records = self.records();
        let checked = &mut records.entry(list).or_default().checked[usize::from(ended)];
        let is_due = checked.is_none_or(|at| now.duration_since(at) > CHECK_INTERVAL);
        if is_due {
            *checked = Some(now);
        }
        is_due
    }

    /// Whether the end of a task that the list shows has to be confirmed by a direct read. The caller must do so.
    pub(crate) fn needs_confirmation(&self, list: &'static ListOperation, now: Instant) -> bool {
        let confirmed = self
            .records()
            .get(&list)
            .and_then(|list| list.end_confirmed);
        let is_trusted = confirmed.is_some_and(|at| now.duration_since(at) < TRUST);
        !is_trusted || self.is_check_due(list, true, now)
    }

    /// Records whether a direct read agreed with the list about a task in progress, or one that has ended.
    pub(crate) fn record_check(
        &self,
        list: &'static ListOperation,
        ended: bool,
        agrees: bool,
        now: Instant,
    ) {
        let mut records = self.records();
        let record = records.entry(list).or_default();
        if !agrees {
            record.back_off(now, None);
            return;
        }
        record.consecutive_misses = 0;
        if ended {
            record.end_confirmed = Some(now);
        }
    }

    fn records(&self) -> MutexGuard<'_, HashMap<&'static ListOperation, ListRecord>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
