use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};
use tracing::Span;

use crate::engine::error::Result;
use crate::engine::operations::ListOperation;
use crate::engine::state::{TaskState, TaskStatus};

/// A task as whoever looks at it on behalf of others knows it.
pub(crate) trait Pollable: Send + Sync {
    fn id(&self) -> &Arc<str>;

    /// The list that the task should be on.
    fn list(&self) -> Option<&'static ListOperation>;

    /// Reads it, waiting no longer for the request's turn or its answer than `left`.
    fn read(
        &self,
        left: Option<Duration>,
    ) -> Pin<Box<dyn Future<Output = Result<TaskState>> + Send>>;

    /// A list says that it goes on.
    fn observe_in_list(&self, status: &TaskStatus) -> TaskState;

    /// A list that was read to its end does not have it.
    fn missed(&self);

    /// When it is worth to look again, now that it is known to go on.
    fn next_due(&self) -> Instant;
}

/// A look at a task that a wait has asked for.
pub(crate) struct PollRequest {
    pub(crate) subject: Box<dyn Pollable>,
    pub(crate) due: Instant,
    pub(crate) deadline: Option<Instant>,
    /// Whether only the task's own route will do.
    pub(crate) needs_direct_read: bool,
    /// What whoever asked has heard last.
    pub(crate) known: Option<TaskStatus>,
    pub(crate) answer: oneshot::Sender<PollResponse>,
    /// The service asked not to be asked about it before.
    pub(crate) not_before: Option<Instant>,
    /// Since when only lists have told that the task goes on.
    pub(crate) listed_since: Option<Instant>,
    /// What a list showed just now, which the task is read to see.
    pub(crate) shown: Option<ListObservation>,
    /// In which a request for it alone is made, as whoever asked would have made it.
    pub(crate) span: Span,
}

/// What came of a look.
pub(crate) struct PollResponse {
    pub(crate) state: Result<TaskState>,
    /// Whether it was the look at the deadline.
    pub(crate) was_last: bool,
}

/// What a list shows of a task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListObservation {
    pub(crate) list: &'static ListOperation,
    pub(crate) ended: bool,
}

impl PollRequest {
    /// Whether nobody waits for it any more.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.answer.is_closed()
    }

    /// Whether its deadline has come.
    pub(crate) fn is_overdue(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// Whether the service asked to be left alone now.
    pub(crate) fn is_held(&self, now: Instant) -> bool {
        self.not_before.is_some_and(|held| held > now)
    }

    /// Makes it due then, or at its deadline if that is sooner.
    pub(crate) fn reschedule(&mut self, due: Instant) {
        self.due = self.deadline.map_or(due, |deadline| deadline.min(due));
        self.needs_direct_read |= self.deadline == Some(self.due);
    }

    pub(crate) fn answer(self, state: Result<TaskState>) {
        let was_last = self.is_overdue(self.due);
        // Whoever asked may have gone.
        let _ = self.answer.send(PollResponse { state, was_last });
    }

    /// The list on which it could be seen in company.
    pub(crate) fn list(&self) -> Option<&'static ListOperation> {
        match self.needs_direct_read || self.shown.is_some() {
            true => None,
            false => self.subject.list(),
        }
    }
}

/// All looks that the waits of a client have asked for in one runtime, in the order in which they are due.
#[derive(Default)]
pub(crate) struct PollQueue {
    entries: Mutex<Entries>,
    changed: Notify,
}

#[derive(Default)]
struct Entries {
    /// Boxed, since they move about, and a table has room for more than it holds.
    looks: HashMap<u64, Box<PollRequest>>,
    by_time: BTreeSet<(Instant, u64)>,
    next: u64,
    /// Whether someone works through it.
    is_driven: bool,
}

impl PollQueue {
    /// Puts a look on it; answers its number, and whether someone has to begin to work.
    pub(crate) fn push(&self, look: Box<PollRequest>) -> (u64, bool) {
        let mut entries = self.entries();
        let number = entries.next;
        entries.next += 1;
        let is_first = entries.insert(number, look);
        let begins = !std::mem::replace(&mut entries.is_driven, true);
        drop(entries);
        if is_first && !begins {
            self.changed.notify_one();
        }
        (number, begins)
    }

    /// Puts looks back whose time has changed.
    pub(crate) fn put_back(&self, looks: impl IntoIterator<Item = (u64, Box<PollRequest>)>) {
        let mut entries = self.entries();
        for (number, look) in looks {
            if !look.is_cancelled() {
                entries.insert(number, look);
            }
        }
    }

    /// Takes off a look that nobody waits for any more.
    pub(crate) fn cancel(&self, number: u64) {
        let mut entries = self.entries();
        entries.remove(number);
        let is_empty = entries.looks.is_empty();
        drop(entries);
        if is_empty {
            self.changed.notify_one();
        }
    }

    /// Takes off the looks that are due.
    pub(crate) fn take_due(&self, now: Instant) -> Vec<(u64, Box<PollRequest>)> {
        let mut entries = self.entries();
        let mut due = Vec::new();
        while let Some((_, number)) = entries
            .by_time
            .first()
            .filter(|(at, _)| *at <= now)
            .copied()
        {
            due.extend(entries.remove(number).map(|look| (number, look)));
        }
        due
    }

    /// Takes off all looks that one list can answer.
    pub(crate) fn take_listed(&self, list: &'static ListOperation) -> Vec<(u64, Box<PollRequest>)> {
        let mut entries = self.entries();
        let listed = entries
            .looks
            .iter()
            .filter(|(_, look)| look.list() == Some(list));
        let listed: Vec<_> = listed.map(|(number, _)| *number).collect();
        let take = |number| entries.remove(number).map(|look| (number, look));
        listed.into_iter().filter_map(take).collect()
    }

    /// How many looks that are due until then one list could answer, counted up to `enough`.
    pub(crate) fn listed_until(
        &self,
        until: Instant,
        list: &'static ListOperation,
        enough: usize,
    ) -> usize {
        let entries = self.entries();
        let soon = entries.by_time.range(..=(until, u64::MAX));
        soon.filter(|(_, number)| entries.looks[number].list() == Some(list))
            .take(enough)
            .count()
    }

    /// When the first of the looks is due that this list has answered before.
    pub(crate) fn earliest_listed(&self, list: &'static ListOperation) -> Option<Instant> {
        let entries = self.entries();
        let mut in_order = entries.by_time.iter();
        let is_it = |number| {
            let look = &entries.looks[number];
            look.listed_since.is_some() && look.list() == Some(list)
        };
        in_order
            .find(|(_, number)| is_it(number))
            .map(|(at, _)| *at)
    }

    /// When the next look is due.
    pub(crate) fn earliest(&self) -> Option<Instant> {
        self.entries().by_time.first().map(|(at, _)| *at)
    }

    /// Completes when the earliest look may have become another.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Ends the work if nothing is left to do, and says whether it did.
    pub(crate) fn finish(&self) -> bool {
        let mut entries = self.entries();
        entries.is_driven = !entries.looks.is_empty();
        !entries.is_driven
    }

    /// Whoever worked through it was cut off: its looks are answered by nobody, and the next one begins anew.
    pub(crate) fn clear(&self) {
        let mut entries = self.entries();
        let next = entries.next;
        let left = std::mem::replace(
            &mut *entries,
            Entries {
                next,
                ..Entries::default()
            },
        );
        drop(entries);
        drop(left);
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    /// Whether it is the earliest now.
    fn insert(&mut self, number: u64, look: Box<PollRequest>) -> bool {
        let place = (look.due, number);
        self.by_time.insert(place);
        self.looks.insert(number, look);
        self.by_time.first() == Some(&place)
    }

    fn remove(&mut self, number: u64) -> Option<Box<PollRequest>> {
        let look = self.looks.remove(&number)?;
        self.by_time.remove(&(look.due, number));
        Some(look)
    }
}
