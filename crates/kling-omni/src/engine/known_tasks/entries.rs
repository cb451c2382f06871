//! The entries of a set of known tasks, with an index by task.

use std::collections::{HashMap, HashSet};

use sha2::{Digest as _, Sha256};

use super::entry::{EntryKind, KnownEntry};
use super::list_facts::{HeadMatch, ListFacts};
use crate::digest;
use crate::engine::operations::{CreateOperation, ListOperation};
use crate::engine::task_id::TaskId;
use crate::engine::unconfirmed::CreateNonce;

/// The entries of a set, and what they say about each task.
pub(super) struct Entries {
    /// The random id of the set.
    pub(super) set: String,
    pub(super) sequence: Vec<KnownEntry>,
    /// The hash of the sequence.
    pub(super) hash: Sha256,
    pub(super) tasks: HashMap<TaskId, KnownTask>,
    pub(super) lists: Vec<ListFacts>,
    /// The position of the last entry about a task that disappeared, by list.
    pub(super) shrank: HashMap<&'static ListOperation, usize>,
}

/// What the entries say about one task.
pub(super) struct KnownTask {
    /// The position of its first entry.
    pub(super) first: usize,
    pub(super) owner: Option<Owner>,
    /// The lists that have it, each with the position of its entry.
    pub(super) lists: Vec<(&'static ListOperation, usize)>,
}

/// The create to which a task belongs.
pub(super) struct Owner {
    pub(super) create: CreateNonce,
    /// `None` if the response to the create did not name the task.
    pub(super) operation: Option<&'static CreateOperation>,
}

impl KnownTask {
    /// The position of the entry that says that it is on a list.
    pub(super) fn position_on(&self, list: &'static ListOperation) -> Option<usize> {
        let mut lists = self.lists.iter();
        lists.find(|(on, _)| *on == list).map(|(_, at)| *at)
    }
}

impl Entries {
    pub(super) fn new(set: String) -> Self {
        Self {
            set,
            sequence: Vec::new(),
            hash: Sha256::new(),
            tasks: HashMap::new(),
            lists: Vec::new(),
            shrank: HashMap::new(),
        }
    }

    pub(super) fn digest(&self) -> String {
        shorten(self.hash.clone())
    }

    pub(super) fn facts(&self, list: &'static ListOperation) -> Option<&ListFacts> {
        self.lists.iter().find(|facts| facts.list == list)
    }

    pub(super) fn append(&mut self, entry: KnownEntry) {
        entry.add_to(&mut self.hash);
        let position = self.sequence.len();
        let task = self.tasks.entry(entry.task_id().clone());
        let task = task.or_insert(KnownTask {
            first: position,
            owner: None,
            lists: Vec::new(),
        });
        match entry.kind() {
            EntryKind::Listed(list) => task.lists.push((list, position)),
            EntryKind::Disappeared(list) => {
                task.lists.retain(|(on, _)| on != list);
                self.shrank.insert(list, position);
            }
            EntryKind::Created { create, operation } => {
                task.owner = Some(Owner {
                    create: create.clone(),
                    operation: *operation,
                });
            }
        }
        self.sequence.push(entry);
    }

    /// Adds those of the tasks that are not on the list yet. A list usually has the newest task first, and the entries have
    /// it last.
    pub(super) fn add_listed(&mut self, list: &'static ListOperation, ids: &[TaskId]) {
        for id in ids.iter().rev() {
            let task = self.tasks.get(id);
            if task.is_none_or(|task| task.position_on(list).is_none()) {
                self.append(KnownEntry::listed(id.clone(), list));
            }
        }
    }

    /// Records tasks that were on the list before it was read, and no longer are.
    pub(super) fn remove_missing(
        &mut self,
        list: &'static ListOperation,
        ids: &[TaskId],
        since: usize,
    ) {
        let present: HashSet<_> = ids.iter().collect();
        let tasks = self.tasks.iter();
        let missing = tasks.filter(|(id, task)| {
            let position = task.position_on(list);
            position.is_some_and(|position| position < since) && !present.contains(id)
        });
        let mut missing: Vec<_> = missing.map(|(id, task)| (task.first, id.clone())).collect();
        missing.sort_unstable();
        for (_, id) in missing {
            self.append(KnownEntry::disappeared(id, list));
        }
    }

    /// Whether there is a beginning to compare with.
    pub(super) fn has_head(&self, list: &'static ListOperation) -> bool {
        self.facts(list).is_some_and(|facts| !facts.head.is_empty())
    }

    /// The positions of the first entries of tasks.
    pub(super) fn positions(&self, ids: &[TaskId]) -> Vec<usize> {
        let tasks = ids.iter().filter_map(|id| self.tasks.get(id));
        tasks.map(|task| task.first).collect()
    }

    /// Compares the beginning of a list with its beginning at the last reading.
    pub(super) fn match_head(&self, list: &'static ListOperation, ids: &[TaskId]) -> HeadMatch {
        let Some(facts) = self.facts(list) else {
            return HeadMatch::Differs;
        };
        let tasks: Vec<_> = ids.iter().map(|id| self.tasks.get(id)).collect();
        let positions: Vec<_> = tasks
            .iter()
            .map(|task| task.map(|task| task.first))
            .collect();
        let found = facts.match_head(&positions);
        // A task in front that was listed before has only moved.
        let is_old = |task: &&KnownTask| {
            let position = task.position_on(list);
            position.is_some_and(|position| position < facts.read_at)
        };
        match found {
            HeadMatch::After(new) if tasks[..new].iter().flatten().any(is_old) => {
                HeadMatch::Differs
            }
            found => found,
        }
    }

    /// The odds that the list has its newest tasks first, with these tasks in front of all others.
    pub(super) fn odds_with(&self, list: &'static ListOperation, in_front: &[TaskId]) -> u64 {
        let Some(facts) = self.facts(list) else {
            return 1;
        };
        let is_own = |id| {
            let task = self.tasks.get(id);
            task.is_some_and(|task| task.owner.is_some())
        };
        match in_front.iter().any(is_own) {
            true => facts.odds_with_own_in_front(),
            false => facts.odds,
        }
    }

    /// Replaces the facts about a list.
    pub(super) fn update(
        &mut self,
        list: &'static ListOperation,
        exists: bool,
        is_complete: bool,
        head: Vec<usize>,
        odds: u64,
    ) {
        let tasks = self.tasks.values();
        let listed = tasks.filter(|task| task.position_on(list).is_some());
        let facts = ListFacts {
            list,
            exists,
            is_complete,
            head,
            odds,
            read_at: self.sequence.len(),
            length: listed.count(),
        };
        self.lists.retain(|old| old.list != list);
        self.lists.push(facts);
    }
}

/// A digest as text, shortened: it detects mistakes, not attacks.
pub(super) fn shorten(hash: Sha256) -> String {
    let mut text = digest::hex(hash);
    text.truncate(16);
    text
}
