//! Which task belongs to which create of a client, and which creates may still get one.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::BootTime;
use crate::engine::operations::{CreateOperation, ListOperation};
use crate::engine::polling::durations::TaskOrigin;
use crate::engine::task_id::TaskId;
use crate::engine::unconfirmed::{CreateNonce, Unresolved};

/// How many tasks are remembered: a few megabytes.
const CAPACITY: usize = 16_384;

/// One task belongs to one create. All clones of a client share this.
#[derive(Default)]
pub(crate) struct Attribution {
    tasks: HashMap<TaskId, CreatedTask>,
    /// The ids of `tasks`, from the oldest to the latest.
    order: VecDeque<TaskId>,
    /// How many tasks were evicted.
    evicted: u64,
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

    /// The response to a create named its task.
    pub(crate) fn answered(&mut self, id: TaskId, created: CreatedTask) {
        self.close(&created.by);
        self.insert(id, created);
    }

    /// Adds a task, and evicts the oldest one if there are too many.
    fn insert(&mut self, id: TaskId, created: CreatedTask) {
        if self.tasks.insert(id.clone(), created).is_some() {
            return;
        }
        self.order.push_back(id);
        if self.order.len() > CAPACITY
            && let Some(oldest) = self.order.pop_front()
        {
            self.tasks.remove(&oldest);
            self.evicted += 1;
        }
    }

    /// Whether tasks were evicted that were created after a create was sent: a new task on the lists may be one of them.
    pub(crate) fn has_evicted_after(&self, create: Option<&CreateNonce>) -> bool {
        let open = create.and_then(|create| self.open.get(create));
        self.evicted > open.map_or(0, |open| open.tasks_before)
    }

    /// Assigns a task to a create; `false` if it belongs to another one.
    pub(crate) fn claim(&mut self, id: &str, unresolved: &Unresolved) -> bool {
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
                self.insert(id, created);
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
    pub(crate) fn has_competitor(&self, unresolved: &Unresolved, settle: Duration) -> bool {
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
    use super::*;

    static LIST: ListOperation = ListOperation {
        name: "list",
        max_page_size: None,
    };
    static CREATE: CreateOperation = CreateOperation {
        name: "create",
        title: "create",
        lists: &[&LIST],
        is_listed: true,
        reads: &[],
    };

    fn create_tasks(attribution: &mut Attribution, count: usize) {
        for task in 0..count {
            let by = CreateNonce::new();
            attribution.open(by.clone(), &CREATE);
            let created = CreatedTask {
                operation: &CREATE,
                by,
                origin: None,
            };
            attribution.answered(TaskId::parse(format!("{count}-{task}")).unwrap(), created);
        }
    }

    #[test]
    fn tasks_are_bounded_and_what_was_evicted_is_a_doubt_for_older_creates() {
        let mut attribution = Attribution::default();
        let [before, after, elsewhere] = [(); 3].map(|()| CreateNonce::new());
        attribution.open(before.clone(), &CREATE);
        create_tasks(&mut attribution, CAPACITY);
        assert!(!attribution.has_evicted_after(Some(&before)));
        attribution.open(after.clone(), &CREATE);
        create_tasks(&mut attribution, 10);
        assert_eq!(attribution.tasks.len(), CAPACITY);
        assert_eq!(attribution.order.len(), CAPACITY);
        for (create, is_doubtful) in [(&before, true), (&elsewhere, true), (&after, false)] {
            assert_eq!(attribution.has_evicted_after(Some(create)), is_doubtful);
        }
        assert!(attribution.has_evicted_after(None));
        assert!(!attribution.is_of_another("16384-0", None));
        assert!(attribution.is_of_another("16384-10", None));
    }
}
