//! The tasks of an account that a caller knows: an append-only sequence of entries, which creates share and which survives
//! the process.

mod entries;
mod entry;
mod list_facts;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::engine::error::{Error, ErrorKind, Result};
use crate::engine::known_tasks::entries::{Entries, shorten};
use crate::engine::known_tasks::list_facts::ListFacts;
use crate::engine::operations::{CreateOperation, ListOperation};
use crate::engine::page::Page;
use crate::engine::task_id::TaskId;
use crate::engine::unconfirmed::{CreateNonce, KnownMark, Snapshot, UnconfirmedCreate};

pub use crate::engine::known_tasks::entry::KnownEntry;
pub(crate) use crate::engine::known_tasks::list_facts::HeadMatch;

/// A set of known tasks of one account, to distinguish the task of a create from all others. Cheap to clone; clones share
/// the set.
///
/// [`Create::with_list_snapshot`](crate::Create::with_list_snapshot) reads the complete list before each create. With a set,
/// the list is read once, and each further [`refresh`](Self::refresh) takes one request for each list, as long as the
/// service lists new tasks first. A create [with the set](crate::Create::with_known_tasks) records only how many entries the
/// set has: the *mark*. If its response is lost, the tasks among the entries before the mark are not its task, nor are those
/// that belong to other creates of the set. [`Reconcile::known_tasks`](crate::recovery::Reconcile::known_tasks) compares the
/// remaining ones.
///
/// ```no_run
/// use kling_omni::recovery::KnownTasks;
/// use kling_omni::{Client, Mode, VideoReference};
///
/// # async fn example(client: Client, requests: Vec<VideoReference>) -> kling_omni::Result<()> {
/// let known = KnownTasks::new();
/// for request in requests {
///     known.refresh(&client, Mode::Reference).await?;
///     let task = client.create(request).with_known_tasks(&known).await?;
///     println!("task {}", task.id());
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Several processes
///
/// [`entries_from`](Self::entries_from) returns what is to be stored, and [`restore`](Self::restore) makes the same set in
/// another process. A create is recognized only by a set with the same entries before its mark, so store them before the
/// create is sent, for example in [`Create::before_send`](crate::Create::before_send). With a set that lacks some of them, the
/// result is [`AmbiguityReason::NoSnapshot`](crate::recovery::AmbiguityReason::NoSnapshot).
#[derive(Clone)]
pub struct KnownTasks(Arc<Shared>);

struct Shared {
    entries: Mutex<Entries>,
    /// Locked while lists are read, because each reading is compared with the one before.
    reading: tokio::sync::Mutex<()>,
}

/// What [`KnownTasks::restore`] needs in addition to the entries: the id of the set, a hash of its entries, and facts about
/// each list. Its size does not depend on the number of tasks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KnownFacts {
    set: String,
    entries: usize,
    digest: String,
    lists: Vec<ListFacts>,
}

impl KnownTasks {
    /// Creates an empty set.
    pub fn new() -> Self {
        Self::from_entries(Entries::new(format!("{:016x}", fastrand::u64(..))))
    }

    fn from_entries(entries: Entries) -> Self {
        Self(Arc::new(Shared {
            entries: Mutex::new(entries),
            reading: tokio::sync::Mutex::default(),
        }))
    }

    /// Makes a set from what [`entries_from`](Self::entries_from) returned: all entries in their order, and the facts of any
    /// call. Entries after those facts are accepted.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidState`] if entries are missing or differ from those of the facts.
    pub fn restore(
        facts: KnownFacts,
        entries: impl IntoIterator<Item = KnownEntry>,
    ) -> Result<Self> {
        let mut restored = Entries::new(facts.set);
        let mut is_verified = facts.entries == 0;
        for entry in entries {
            restored.append(entry);
            if restored.sequence.len() == facts.entries {
                is_verified = restored.digest() == facts.digest;
            }
        }
        if !is_verified {
            return Err(Error::uncharged(
                ErrorKind::InvalidState,
                "the entries differ from those that the facts of the set were stored with",
            )
            .with_help("use all entries in their order, or a new set"));
        }
        restored.lists = facts.lists;
        Ok(Self::from_entries(restored))
    }

    /// Returns the entries from the position `mark` on, and the facts that belong to all entries so far. Store both together.
    pub fn entries_from(&self, mark: usize) -> (Vec<KnownEntry>, KnownFacts) {
        let entries = self.entries();
        let facts = KnownFacts {
            set: entries.set.clone(),
            entries: entries.sequence.len(),
            digest: entries.digest(),
            lists: entries.lists.clone(),
        };
        let from = entries.sequence.get(mark..).unwrap_or_default();
        (from.to_vec(), facts)
    }

    /// The number of entries: the mark of a create that is recorded now. A task can have several entries.
    pub fn len(&self) -> usize {
        self.entries().sequence.len()
    }

    /// Whether the set has no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the task `id` is in the set.
    pub fn contains(&self, id: &str) -> bool {
        self.entries().tasks.contains_key(id)
    }

    /// Whether a task cannot be the one of an unconfirmed create of this set, because it existed before it or belongs to
    /// another create.
    pub fn rules_out(&self, create: &UnconfirmedCreate, id: &str) -> bool {
        create.mark().is_some_and(|mark| {
            self.recognizes(mark)
                && (self.existed_before(mark, id) || self.belongs_to_another(id, create.nonce()))
        })
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        let entries = self.0.entries.lock();
        entries.unwrap_or_else(PoisonError::into_inner)
    }

    /// Locked while lists are read.
    pub(crate) fn reading(&self) -> &tokio::sync::Mutex<()> {
        &self.0.reading
    }

    /// The mark of a create whose task may be on these lists; `None` if one of them was never read.
    pub(crate) fn mark(&self, lists: &[&'static ListOperation]) -> Option<KnownMark> {
        let entries = self.entries();
        let facts = lists.iter().map(|list| entries.facts(list));
        let facts: Vec<_> = facts.collect::<Option<_>>()?;
        let existing = facts.iter().filter(|facts| facts.exists);
        Some(KnownMark {
            set: entries.set.clone(),
            entries: entries.sequence.len(),
            digest: entries.digest(),
            lists: lists.to_vec(),
            existing: existing.map(|facts| facts.list).collect(),
            is_complete: facts.iter().all(|facts| facts.is_complete),
        })
    }

    /// Whether this is the set of the mark, with the same entries before it.
    pub(crate) fn recognizes(&self, mark: &KnownMark) -> bool {
        let entries = self.entries();
        let before = entries.sequence.get(..mark.entries);
        entries.set == mark.set
            && before.is_some_and(|before| {
                let mut hash = Sha256::new();
                before.iter().for_each(|entry| entry.add_to(&mut hash));
                shorten(hash) == mark.digest
            })
    }

    /// Whether a task has an entry before the mark.
    pub(crate) fn existed_before(&self, mark: &KnownMark, id: &str) -> bool {
        let entries = self.entries();
        let task = entries.tasks.get(id);
        task.is_some_and(|task| task.first < mark.entries)
    }

    /// Whether a task belongs to another create of this set.
    pub(crate) fn belongs_to_another(&self, id: &str, create: Option<&CreateNonce>) -> bool {
        let entries = self.entries();
        let owner = entries.tasks.get(id).and_then(|task| task.owner.as_ref());
        owner.is_some_and(|owner| Some(&owner.create) != create)
    }

    /// Whether a task disappeared from one of the lists, as far as it was noticed after the mark.
    pub(crate) fn shrank_after(&self, mark: &KnownMark) -> bool {
        let entries = self.entries();
        let mut lists = mark.lists.iter();
        lists.any(|list| {
            let shrank = entries.shrank.get(list);
            shrank.is_some_and(|position| *position >= mark.entries)
        })
    }

    /// Whether a list has a task that the response to a create of this operation named.
    pub(crate) fn lists_tasks_of(&self, operation: &CreateOperation) -> bool {
        let entries = self.entries();
        entries.tasks.values().any(|task| {
            let owner = task.owner.as_ref().and_then(|owner| owner.operation);
            owner == Some(operation) && !task.lists.is_empty()
        })
    }

    /// Whether the lists lack the newest task before the mark that the response to a create of this operation named. They would
    /// lack a later task, too.
    pub(crate) fn lacks_newest_own(&self, mark: &KnownMark, operation: &CreateOperation) -> bool {
        let entries = self.entries();
        let own = entries.tasks.values().filter(|task| {
            let owner = task.owner.as_ref().and_then(|owner| owner.operation);
            owner == Some(operation) && task.first < mark.entries
        });
        let newest = own.max_by_key(|task| task.first);
        newest.is_some_and(|task| task.lists.is_empty())
    }

    /// Records the task of a create. Returns `false` if it existed before the mark or belongs to another create.
    pub(crate) fn record_created(
        &self,
        id: &TaskId,
        create: &CreateNonce,
        operation: Option<&'static CreateOperation>,
        mark: &KnownMark,
    ) -> bool {
        let mut entries = self.entries();
        let task = entries.tasks.get(&**id);
        if task.is_some_and(|task| task.first < mark.entries) {
            return false;
        }
        if let Some(owner) = task.and_then(|task| task.owner.as_ref()) {
            return owner.create == *create;
        }
        entries.append(KnownEntry::created(id.clone(), create.clone(), operation));
        true
    }

    /// Adds the tasks of a page that was read for another purpose.
    pub(crate) fn add_page(&self, list: &'static ListOperation, page: &Page) {
        let ids = page.tasks.iter();
        let ids: Vec<_> = ids
            .filter_map(|task| TaskId::parse(&*task.id).ok())
            .collect();
        self.entries().add_listed(list, &ids);
    }

    /// Whether a list existed at its last reading.
    pub(crate) fn has_list(&self, list: &'static ListOperation) -> bool {
        self.entries().facts(list).is_some_and(|facts| facts.exists)
    }

    /// The tasks that are on a list, whether it exists, and whether these are all.
    pub(crate) fn listed(&self, list: &'static ListOperation) -> (Vec<String>, bool, bool) {
        let entries = self.entries();
        let tasks = entries.tasks.iter();
        let tasks = tasks.filter(|(_, task)| task.position_on(list).is_some());
        let tasks = tasks.map(|(id, _)| id.to_string()).collect();
        let facts = entries.facts(list);
        let exists = facts.is_some_and(|facts| facts.exists);
        (tasks, exists, facts.is_some_and(|facts| facts.is_complete))
    }

    /// Whether it is worth reading only the newest tasks of a list.
    pub(crate) fn may_read_newest(&self, list: &'static ListOperation) -> bool {
        let entries = self.entries();
        entries.facts(list).is_some_and(ListFacts::may_prove_order)
    }

    /// Compares the newest tasks of a list, in the order of the list, with its last reading. Adds them if all new tasks are
    /// certainly among them.
    pub(crate) fn add_newest(
        &self,
        list: &'static ListOperation,
        ids: &[TaskId],
        first_page: usize,
    ) -> HeadMatch {
        let mut entries = self.entries();
        let found = entries.match_head(list, ids);
        let HeadMatch::After(new) = found else {
            return found;
        };
        let odds = entries.odds_with(list, &ids[..new]);
        if odds < ListFacts::PROOF {
            return HeadMatch::Differs;
        }
        entries.add_listed(list, &ids[..new]);
        let head = entries.positions(&ids[..first_page]);
        entries.update(list, true, true, head, odds);
        found
    }

    /// Adds the result of reading a list to its end. `since` is the number of entries before it was read.
    pub(crate) fn add_all(
        &self,
        list: &'static ListOperation,
        ids: &[TaskId],
        first_page: usize,
        (exists, is_complete): (bool, bool),
        since: usize,
    ) {
        let mut entries = self.entries();
        let on_first_page = &ids[..first_page];
        let odds = match entries.match_head(list, on_first_page) {
            HeadMatch::After(new) => entries.odds_with(list, &on_first_page[..new]),
            HeadMatch::Differs if entries.has_head(list) => 1,
            HeadMatch::TooShort | HeadMatch::Differs => entries.odds_with(list, &[]),
        };
        entries.add_listed(list, ids);
        if is_complete {
            entries.remove_missing(list, ids, since);
        }
        let head = match is_complete {
            true => entries.positions(on_first_page),
            false => Vec::new(),
        };
        entries.update(list, exists, is_complete, head, odds);
    }
}

impl Default for KnownTasks {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for KnownTasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.entries();
        f.debug_struct("KnownTasks")
            .field("set", &entries.set)
            .field("entries", &entries.sequence.len())
            .finish_non_exhaustive()
    }
}

/// The tasks that are known before a create.
#[derive(Clone)]
pub(crate) enum TasksBefore {
    Unknown,
    Snapshot(Snapshot),
    Known(KnownTasks, KnownMark),
}
