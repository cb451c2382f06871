//! Which task belongs to which create of a client, and which creates may still get one.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::BootTime;
use crate::engine::operations::{CreateOperation, ListOperation};
use crate::engine::polling::durations::TaskOrigin;
use crate::engine::task_id::TaskId;
use crate::engine::unconfirmed::{CreateNonce, Snapshot, UnconfirmedCreate};

/// How many tasks are remembered: a few megabytes.
const CAPACITY: usize = 16_384;

/// After so many tasks the time is recorded, so that evicted ones can be told from those before another process's create.
const MARK_EVERY: u64 = 1_024;

/// One task belongs to one create. All clones of a client share this.
#[derive(Default)]
pub(crate) struct Attribution {
    tasks: HashMap<TaskId, CreatedTask>,
    /// The ids of `tasks`, from the oldest to the latest.
    order: VecDeque<TaskId>,
    /// How many tasks were evicted.
    evicted: u64,
    /// Numbers of tasks, from the first not evicted on, with a time after all tasks before them.
    marks: VecDeque<(u64, BootTime)>,
    /// The creates that were sent and whose end is not known yet.
    open: HashMap<CreateNonce, Open>,
    /// When the search for a create of another boot began in this process.
    searches: HashMap<CreateNonce, BootTime>,
}

/// What is known of a task that belongs to a create of this client.
pub(crate) struct CreatedTask {
    pub(crate) operation: &'static CreateOperation,
    /// The create that it belongs to, and to no other.
    pub(crate) by: CreateNonce,
    /// `None` if the answer to the create did not name the task.
    pub(crate) origin: Option<TaskOrigin>,
}

struct Open {
    lists: &'static [&'static ListOperation],
    /// `None` while it is in flight.
    over: Option<BootTime>,
    /// How many tasks this client had before it was sent.
    tasks_before: u64,
}

impl Attribution {
    /// A create is about to be sent.
    pub(crate) fn open(&mut self, create: CreateNonce, operation: &'static CreateOperation) {
        let open = Open {
            lists: operation.lists,
            over: None,
            tasks_before: self.evicted + self.order.len() as u64,
        };
        self.open.insert(create, open);
    }

    /// The last attempt of a create ended without an answer that says what became of it.
    pub(crate) fn give_up(&mut self, create: &CreateNonce, now: BootTime) {
        if let Some(open) = self.open.get_mut(create) {
            open.over = Some(now);
        }
    }

    /// The outcome of a create is known.
    pub(crate) fn close(&mut self, create: &CreateNonce) {
        self.open.remove(create);
        self.searches.remove(create);
    }

    /// The response to a create named its task. Returns whether the task can be the new one: one that was listed before,
    /// or belongs to another create, cannot. A cached or misrouted response looks like this.
    pub(crate) fn answered(
        &mut self,
        id: TaskId,
        created: CreatedTask,
        known: Option<&Snapshot>,
        now: BootTime,
    ) -> bool {
        let is_taken = known.is_some_and(|known| {
            known.ids.contains(&*id) || self.is_of_another(&id, Some(&created.by))
        });
        if !is_taken {
            self.close(&created.by);
            self.insert(id, created, now);
        }
        !is_taken
    }

    /// Adds a task, and evicts the oldest one if there are too many.
    fn insert(&mut self, id: TaskId, created: CreatedTask, now: BootTime) {
        if self.tasks.insert(id.clone(), created).is_some() {
            return;
        }
        let number = self.evicted + self.order.len() as u64;
        if number.is_multiple_of(MARK_EVERY) {
            self.marks.push_back((number, now));
        }
        self.order.push_back(id);
        if self.order.len() > CAPACITY
            && let Some(oldest) = self.order.pop_front()
        {
            self.tasks.remove(&oldest);
            self.evicted += 1;
            while self
                .marks
                .front()
                .is_some_and(|(number, _)| *number < self.evicted)
            {
                self.marks.pop_front();
            }
        }
    }

    /// Whether tasks were evicted that may have been created after this create was sent: a new task on the lists may be
    /// one of them.
    pub(crate) fn has_evicted_after(&self, unresolved: &UnconfirmedCreate) -> bool {
        if self.evicted == 0 {
            return false;
        }
        let create = unresolved.create();
        if let Some(open) = create.and_then(|create| self.open.get(create)) {
            return self.evicted > open.tasks_before;
        }
        let mark = self.marks.front().map(|(_, time)| time);
        let since = unresolved.sent().zip(mark);
        let since = since.and_then(|(sent, mark)| sent.since(mark));
        since.is_none_or(|since| since.is_zero())
    }

    /// Whether a task belongs to this create.
    pub(crate) fn is_of(&self, id: &str, create: Option<&CreateNonce>) -> bool {
        let task = self.tasks.get(id);
        task.is_some_and(|task| Some(&task.by) == create)
    }

    /// Assigns a task to a create; `false` if it belongs to another one.
    pub(crate) fn claim(&mut self, id: &str, unresolved: &UnconfirmedCreate, now: BootTime) -> bool {
        let Some(create) = unresolved.create() else {
            return !self.tasks.contains_key(id);
        };
        if let Some(created) = self.tasks.get(id) {
            if created.by != *create {
                return false;
            }
        } else {
            let created = CreatedTask {
                operation: unresolved.operation(),
                by: create.clone(),
                origin: None,
            };
            if let Ok(id) = TaskId::parse(id) {
                self.insert(id, created, now);
            }
        }
        self.close(create);
        true
    }

    pub(crate) fn origin(&self, id: &str) -> Option<TaskOrigin> {
        self.tasks.get(id)?.origin
    }

    /// Whether a task belongs to another create of this client.
    pub(crate) fn is_of_another(&self, id: &str, create: Option<&CreateNonce>) -> bool {
        self.tasks
            .get(id)
            .is_some_and(|made| Some(&made.by) != create)
    }

    /// The task that the answer to a create named.
    pub(crate) fn answer(&self, create: &CreateNonce) -> Option<String> {
        let mut named = self.named();
        let (id, _) = named.find(|(_, made)| made.by == *create)?;
        Some(id.to_string())
    }

    /// The routes of tasks that responses named.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&TaskId, &CreatedTask)> {
        self.tasks.iter().filter(|(_, made)| made.origin.is_some())
    }

    /// Whether a new task on the lists of `unresolved` may belong to another open create of this client: to one that is
    /// in flight, or whose end came no longer than `settle` before.
    pub(crate) fn has_competitor(&self, unresolved: &UnconfirmedCreate, settle: Duration) -> bool {
        self.open
            .iter()
            .filter(|(create, _)| Some(*create) != unresolved.create())
            .filter(|(_, open)| {
                unresolved
                    .lists()
                    .iter()
                    .any(|list| open.lists.contains(list))
            })
            .any(|(_, open)| {
                let over = open.over.as_ref();
                let before = unresolved
                    .sent()
                    .zip(over)
                    .and_then(|(sent, over)| sent.since(over));
                before.is_none_or(|before| before < settle)
            })
    }

    /// When the search for a create began in this process.
    pub(crate) fn search_began(&mut self, create: &CreateNonce, now: &BootTime) -> BootTime {
        let began = self.searches.entry(create.clone());
        began.or_insert_with(|| now.clone()).clone()
    }
}

pub(crate) fn lock(attribution: &Mutex<Attribution>) -> MutexGuard<'_, Attribution> {
    attribution.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use kling_omni_clock::{Clock, ManualClock};

    use super::*;

    static LIST: ListOperation = ListOperation {
        name: "list",
        max_page_size: None,
        key: 0,
    };
    static CREATE: CreateOperation = CreateOperation {
        name: "create",
        title: "create",
        lists: &[&LIST],
        is_listed: true,
        reads: &[],
        key: 0,
    };

    fn sent(clock: &ManualClock) -> UnconfirmedCreate {
        let nonce = CreateNonce::new();
        UnconfirmedCreate::new(&CREATE, nonce, clock, Duration::ZERO, None, None)
    }

    /// Creates tasks, one in each second.
    fn create_tasks(attribution: &mut Attribution, clock: &ManualClock, count: usize) {
        for task in 0..count {
            clock.advance(Duration::from_secs(1));
            let by = CreateNonce::new();
            attribution.open(by.clone(), &CREATE);
            let created = CreatedTask {
                operation: &CREATE,
                by,
                origin: None,
            };
            let id = TaskId::parse(format!("{count}-{task}")).unwrap();
            assert!(attribution.answered(id, created, None, clock.boot_time()));
        }
    }

    #[test]
    fn tasks_are_bounded_and_evicted_ones_are_a_doubt_for_older_creates() {
        let clock = ManualClock::new(std::time::UNIX_EPOCH);
        let mut attribution = Attribution::default();
        let [before, elsewhere] = [sent(&clock), sent(&clock)];
        attribution.open(before.create().unwrap().clone(), &CREATE);
        create_tasks(&mut attribution, &clock, CAPACITY);
        assert!(!attribution.has_evicted_after(&before));
        clock.advance(Duration::from_secs(1));
        let [after, later_elsewhere] = [sent(&clock), sent(&clock)];
        attribution.open(after.create().unwrap().clone(), &CREATE);
        create_tasks(&mut attribution, &clock, 10);
        assert_eq!(attribution.tasks.len(), CAPACITY);
        assert_eq!(attribution.order.len(), CAPACITY);
        for (create, is_doubtful) in [
            (&before, true),
            (&elsewhere, true),
            (&after, false),
            (&later_elsewhere, false),
        ] {
            assert_eq!(attribution.has_evicted_after(create), is_doubtful);
        }
        assert!(!attribution.is_of_another("16384-0", None));
        assert!(attribution.is_of_another("16384-10", None));
        // What a create has claimed stays its own.
        let now = clock.boot_time();
        assert!(attribution.claim("new", &before, now.clone()));
        assert!(attribution.is_of("new", before.create()));
        assert!(!attribution.claim("new", &after, now));
    }

    #[test]
    fn a_response_with_the_task_of_another_create_is_not_taken() {
        let clock = ManualClock::new(std::time::UNIX_EPOCH);
        let mut attribution = Attribution::default();
        create_tasks(&mut attribution, &clock, 1);
        let known = |id: &str| Snapshot {
            lists: Vec::new(),
            shown: Vec::new(),
            ids: [id.to_owned()].into(),
            complete: true,
        };
        for (id, known, is_new) in [
            ("1-0", Some(known("other")), false),
            ("listed", Some(known("listed")), false),
            ("new", Some(known("listed")), true),
            // Without a list there is nothing to compare with.
            ("1-0", None, true),
        ] {
            let created = CreatedTask {
                operation: &CREATE,
                by: CreateNonce::new(),
                origin: None,
            };
            let id = TaskId::parse(id).unwrap();
            let answered =
                attribution.answered(id.clone(), created, known.as_ref(), clock.boot_time());
            assert_eq!(answered, is_new, "{}", &*id);
        }
    }
}
