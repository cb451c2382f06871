//! Attribution: which task belongs to which create of a client.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::BootTime;
use crate::engine::known_tasks::TasksBefore;
use crate::engine::operations::{CreateOperation, ListOperation};
use crate::engine::polling::durations::TaskOrigin;
use crate::engine::task_id::TaskId;
use crate::engine::unconfirmed::{CreateNonce, UnconfirmedCreate};

/// The maximum number of remembered tasks. They take a few megabytes.
const CAPACITY: usize = 16_384;

/// The number of tasks between two recorded times. With a time, evicted tasks can be compared with another process's create.
const TIME_INTERVAL: u64 = 1_024;

/// Attributes each task to at most one create. All clones of a client share it.
#[derive(Default)]
pub(crate) struct Attribution {
    tasks: HashMap<TaskId, CreatedTask>,
    /// The ids of `tasks`, from the oldest to the newest.
    order: VecDeque<TaskId>,
    /// The number of evicted tasks.
    evicted: u64,
    /// Sequence numbers of tasks, not evicted, each with a time after all tasks before it.
    times: VecDeque<(u64, BootTime)>,
    /// The creates that were sent and whose outcome is not known.
    open: HashMap<CreateNonce, OpenCreate>,
    /// When this process began to search for a create of another boot.
    searches: HashMap<CreateNonce, BootTime>,
}

/// A task that belongs to a create of this client.
pub(crate) struct CreatedTask {
    pub(crate) operation: &'static CreateOperation,
    /// The one create that the task belongs to.
    pub(crate) create: CreateNonce,
    /// `None` if the response to the create did not name the task.
    pub(crate) origin: Option<TaskOrigin>,
}

/// A create whose outcome is not known.
struct OpenCreate {
    lists: &'static [&'static ListOperation],
    /// When the last attempt ended. `None` while the create is in flight.
    ended: Option<BootTime>,
    /// The number of tasks of this client before the create was sent.
    tasks_before: u64,
}

impl Attribution {
    /// Opens a create that is about to be sent.
    pub(crate) fn open(&mut self, create: CreateNonce, operation: &'static CreateOperation) {
        let open = OpenCreate {
            lists: operation.lists,
            ended: None,
            tasks_before: self.evicted + self.order.len() as u64,
        };
        self.open.insert(create, open);
    }

    /// Records that the last attempt of a create ended without a conclusive response.
    pub(crate) fn give_up(&mut self, create: &CreateNonce, now: BootTime) {
        if let Some(open) = self.open.get_mut(create) {
            open.ended = Some(now);
        }
    }

    /// Closes a create whose outcome is known.
    pub(crate) fn close(&mut self, create: &CreateNonce) {
        self.open.remove(create);
        self.searches.remove(create);
    }

    /// Attributes the task that the response to a create names. Returns whether it can be the new task. A task that was listed
    /// before, or belongs to another create, cannot: the response was cached or misrouted.
    pub(crate) fn record_response(
        &mut self,
        id: TaskId,
        created: CreatedTask,
        before: &TasksBefore,
        now: BootTime,
    ) -> bool {
        let (create, operation) = (&created.create, Some(created.operation));
        let is_new = match before {
            TasksBefore::Unknown => true,
            TasksBefore::Snapshot(snapshot) => {
                !snapshot.ids.contains(&*id) && !self.belongs_to_another(&id, Some(create))
            }
            TasksBefore::Known(tasks, mark) => {
                !self.belongs_to_another(&id, Some(create))
                    && tasks.record_created(&id, create, operation, mark)
            }
        };
        if is_new {
            self.close(&created.create);
            self.insert(id, created, now);
        }
        is_new
    }

    /// Adds a task. Evicts the oldest one if there are too many.
    fn insert(&mut self, id: TaskId, created: CreatedTask, now: BootTime) {
        if self.tasks.insert(id.clone(), created).is_some() {
            return;
        }
        let number = self.evicted + self.order.len() as u64;
        if number.is_multiple_of(TIME_INTERVAL) {
            self.times.push_back((number, now));
        }
        self.order.push_back(id);
        if self.order.len() > CAPACITY
            && let Some(oldest) = self.order.pop_front()
        {
            self.tasks.remove(&oldest);
            self.evicted += 1;
            while self
                .times
                .front()
                .is_some_and(|(number, _)| *number < self.evicted)
            {
                self.times.pop_front();
            }
        }
    }

    /// Whether tasks were evicted that may have been created after this create was sent. A new task on the lists may be one
    /// of them.
    pub(crate) fn has_evicted_after(&self, unconfirmed: &UnconfirmedCreate) -> bool {
        if self.evicted == 0 {
            return false;
        }
        let create = unconfirmed.nonce();
        if let Some(open) = create.and_then(|create| self.open.get(create)) {
            return self.evicted > open.tasks_before;
        }
        let mark = self.times.front().map(|(_, time)| time);
        let since = unconfirmed.sent().zip(mark);
        let since = since.and_then(|(sent, mark)| sent.since(mark));
        since.is_none_or(|since| since.is_zero())
    }

    /// Whether a task belongs to this create.
    pub(crate) fn belongs_to(&self, id: &str, create: Option<&CreateNonce>) -> bool {
        let task = self.tasks.get(id);
        task.is_some_and(|task| Some(&task.create) == create)
    }

    /// Attributes a task to a create. Returns `false` if it belongs to another one.
    pub(crate) fn claim(
        &mut self,
        id: &str,
        unconfirmed: &UnconfirmedCreate,
        now: BootTime,
    ) -> bool {
        let Some(create) = unconfirmed.nonce() else {
            return !self.tasks.contains_key(id);
        };
        if let Some(created) = self.tasks.get(id) {
            if created.create != *create {
                return false;
            }
        } else {
            let created = CreatedTask {
                operation: unconfirmed.operation(),
                create: create.clone(),
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
    pub(crate) fn belongs_to_another(&self, id: &str, create: Option<&CreateNonce>) -> bool {
        self.tasks
            .get(id)
            .is_some_and(|task| Some(&task.create) != create)
    }

    /// The task that the response to a create named.
    pub(crate) fn task_in_response(&self, create: &CreateNonce) -> Option<String> {
        let mut named = self.named_tasks();
        let (id, _) = named.find(|(_, task)| task.create == *create)?;
        Some(id.to_string())
    }

    /// The tasks that responses named, with their routes.
    pub(crate) fn named_tasks(&self) -> impl Iterator<Item = (&TaskId, &CreatedTask)> {
        self.tasks.iter().filter(|(_, task)| task.origin.is_some())
    }

    /// Whether a new task on the lists of `unconfirmed` may belong to another open create of this client: one that is in
    /// flight, or whose last attempt ended less than `settle_time` before. The creates of `group` are compared otherwise.
    pub(crate) fn has_competitor(
        &self,
        unconfirmed: &UnconfirmedCreate,
        group: &HashSet<&CreateNonce>,
        settle_time: Duration,
    ) -> bool {
        self.open
            .iter()
            .filter(|(create, _)| !group.contains(create))
            .filter(|(_, open)| {
                unconfirmed
                    .lists()
                    .iter()
                    .any(|list| open.lists.contains(list))
            })
            .any(|(_, open)| {
                let ended = open.ended.as_ref();
                let before = unconfirmed
                    .sent()
                    .zip(ended)
                    .and_then(|(sent, ended)| sent.since(ended));
                before.is_none_or(|before| before < settle_time)
            })
    }

    /// When this process began to search for the task of a create.
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
    use crate::engine::unconfirmed::Snapshot;

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
            let create = CreateNonce::new();
            attribution.open(create.clone(), &CREATE);
            let created = CreatedTask {
                operation: &CREATE,
                create,
                origin: None,
            };
            let id = TaskId::parse(format!("{count}-{task}")).unwrap();
            assert!(attribution.record_response(
                id,
                created,
                &TasksBefore::Unknown,
                clock.boot_time()
            ));
        }
    }

    #[test]
    fn evicted_tasks_make_older_creates_ambiguous() {
        let clock = ManualClock::new(std::time::UNIX_EPOCH);
        let mut attribution = Attribution::default();
        let [before, elsewhere] = [sent(&clock), sent(&clock)];
        attribution.open(before.nonce().unwrap().clone(), &CREATE);
        create_tasks(&mut attribution, &clock, CAPACITY);
        assert!(!attribution.has_evicted_after(&before));
        clock.advance(Duration::from_secs(1));
        let [after, later_elsewhere] = [sent(&clock), sent(&clock)];
        attribution.open(after.nonce().unwrap().clone(), &CREATE);
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
        assert!(!attribution.belongs_to_another("16384-0", None));
        assert!(attribution.belongs_to_another("16384-10", None));
        // A task that a create has claimed stays its own.
        let now = clock.boot_time();
        assert!(attribution.claim("new", &before, now.clone()));
        assert!(attribution.belongs_to("new", before.nonce()));
        assert!(!attribution.claim("new", &after, now));
    }

    #[test]
    fn response_with_the_task_of_another_create_is_rejected() {
        let clock = ManualClock::new(std::time::UNIX_EPOCH);
        let mut attribution = Attribution::default();
        create_tasks(&mut attribution, &clock, 1);
        let known = |id: &str| {
            TasksBefore::Snapshot(Snapshot {
                lists: Vec::new(),
                existing: Vec::new(),
                ids: [id.to_owned()].into(),
                is_complete: true,
            })
        };
        for (id, known, is_new) in [
            ("1-0", known("other"), false),
            ("listed", known("listed"), false),
            ("new", known("listed"), true),
            // Without a list, there is nothing to compare with.
            ("1-0", TasksBefore::Unknown, true),
        ] {
            let created = CreatedTask {
                operation: &CREATE,
                create: CreateNonce::new(),
                origin: None,
            };
            let id = TaskId::parse(id).unwrap();
            let is_attributed =
                attribution.record_response(id.clone(), created, &known, clock.boot_time());
            assert_eq!(is_attributed, is_new, "{}", &*id);
        }
    }
}
