//! Compares lists with the tasks before the creates, and assigns new tasks to them.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use super::{MAX_DELAY, Search};
use crate::engine::known_tasks::KnownTasks;
use crate::engine::operations::ListOperation;
use crate::engine::recovery::assignment::exclusive_tasks;
use crate::engine::recovery::full_list::FullList;
use crate::engine::recovery::read_lists::Depth;
use crate::engine::recovery::reconciled::{AmbiguityReason, MatchedBy, Reconciled};
use crate::engine::unconfirmed::{CreateNonce, KnownMark, Snapshot, UnconfirmedCreate};

/// The tasks before a create, as the search knows them.
pub(super) enum Before<'a> {
    Unknown,
    Snapshot(&'a Snapshot),
    Known(&'a KnownTasks, &'a KnownMark),
}

impl Before<'_> {
    /// Whether a task existed before the create.
    fn contains(&self, id: &str) -> bool {
        match self {
            Self::Unknown => false,
            Self::Snapshot(snapshot) => snapshot.ids.contains(id),
            Self::Known(known, mark) => known.existed_before(mark, id),
        }
    }

    fn is_complete(&self) -> bool {
        match self {
            Self::Unknown => false,
            Self::Snapshot(snapshot) => snapshot.is_complete,
            Self::Known(_, mark) => mark.is_complete,
        }
    }

    /// The lists that existed before the create.
    fn existing(&self) -> &[&'static ListOperation] {
        match self {
            Self::Unknown => &[],
            Self::Snapshot(snapshot) => &snapshot.existing,
            Self::Known(_, mark) => &mark.existing,
        }
    }

    /// Whether the lists have lost a task since the create.
    fn shrank(&self, list: &FullList) -> bool {
        match self {
            Self::Unknown => false,
            Self::Snapshot(snapshot) => !snapshot.ids.iter().all(|id| list.tasks.contains_key(id)),
            Self::Known(known, mark) => known.shrank_after(mark),
        }
    }
}

impl Search {
    /// Compares the lists with those before the creates. Returns `None` if a create is not settled before the lists are read to
    /// their end.
    pub(super) fn match_by_lists(
        &self,
        open: &[usize],
        list: &FullList,
        left: &[Duration],
        depth: Depth,
    ) -> Option<Vec<Reconciled>> {
        let before: Vec<_> = open
            .iter()
            .map(|index| self.before(&self.creates[*index]))
            .collect();
        let mut candidates: Vec<_> = open
            .iter()
            .zip(&before)
            .map(|(index, before)| self.candidates(&self.creates[*index], before, list))
            .collect();
        let group = open.iter().filter_map(|index| self.creates[*index].nonce());
        let group: HashSet<_> = group.collect();
        let mut found: Vec<Option<Reconciled>> = open.iter().map(|_| None).collect();
        loop {
            let exclusive = exclusive_tasks(&candidates);
            let assigned = open.iter().enumerate().find_map(|(at, index)| {
                let id = exclusive[at]?;
                let create = &self.creates[*index];
                let reason = self.list_ambiguity(&before[at], create, list);
                let reason = reason.or_else(|| {
                    self.match_ambiguity(&before[at], create, id, list, left[*index], &group)
                });
                reason.is_none().then(|| (at, id.to_owned()))
            });
            let Some((at, id)) = assigned else {
                break;
            };
            candidates.iter_mut().for_each(|ids| {
                ids.remove(&id);
            });
            // A create has one task.
            candidates[at].clear();
            found[at] = Some(self.claim(&self.creates[open[at]], &id, MatchedBy::OnlyNewTask));
        }
        let exclusive = exclusive_tasks(&candidates);
        let mut absent = Vec::new();
        for (at, index) in open.iter().enumerate() {
            if found[at].is_some() {
                continue;
            }
            let create = &self.creates[*index];
            let (candidates, left) = (&candidates[at], left[*index]);
            let reason = if matches!(before[at], Before::Unknown) {
                Some(AmbiguityReason::NoSnapshot)
            } else if candidates.len() > 1 && exclusive[at].is_none() {
                Some(AmbiguityReason::MultipleCandidates)
            } else if let Some(reason) = self.list_ambiguity(&before[at], create, list) {
                Some(reason)
            } else if let Some(id) = exclusive[at] {
                self.match_ambiguity(&before[at], create, id, list, left, &group)
            } else if !candidates.is_empty() {
                Some(AmbiguityReason::OtherCreates)
            } else {
                self.absence_ambiguity(&before[at], create, list, left, depth)
            };
            match reason {
                Some(reason) => {
                    let candidates = candidates.iter().cloned().collect();
                    found[at] = Some(Reconciled::Ambiguous { candidates, reason });
                }
                None => absent.push(at),
            }
        }
        if depth == Depth::Newest && !absent.is_empty() {
            return None;
        }
        for at in absent {
            if let Some(create) = self.creates[open[at]].nonce() {
                self.client.attribution().close(create);
            }
            found[at] = Some(Reconciled::NotCreated);
        }
        Some(found.into_iter().flatten().collect())
    }

    pub(super) fn before<'a>(&'a self, create: &'a UnconfirmedCreate) -> Before<'a> {
        match (create.snapshot(), create.mark(), &self.known) {
            (Some(snapshot), _, _) => Before::Snapshot(snapshot),
            (None, Some(mark), Some(known)) if known.recognizes(mark) => Before::Known(known, mark),
            _ => Before::Unknown,
        }
    }

    /// The tasks that may be the one of a create: tasks on its lists, and tasks that the response to it named.
    fn candidates(
        &self,
        create: &UnconfirmedCreate,
        before: &Before<'_>,
        list: &FullList,
    ) -> BTreeSet<String> {
        let attribution = self.client.attribution();
        let nonce = create.nonce();
        let is_candidate = |id: &&String| {
            let known = self.known.as_ref();
            !before.contains(id)
                && !attribution.belongs_to_another(id, nonce)
                && !known.is_some_and(|known| known.belongs_to_another(id, nonce))
                && !self.exclude.contains(*id)
                && !self.belongs_to_another(id, create)
        };
        let on_lists = list.tasks.iter();
        let on_lists =
            on_lists.filter(|(_, on)| on.iter().any(|list| create.lists().contains(list)));
        let named = create.candidates().iter();
        let all = on_lists.map(|(id, _)| id).chain(named);
        all.filter(is_candidate).cloned().collect()
    }

    /// Why the lists do not determine whether there are new tasks; `None` if they do.
    fn list_ambiguity(
        &self,
        before: &Before<'_>,
        create: &UnconfirmedCreate,
        list: &FullList,
    ) -> Option<AmbiguityReason> {
        if !before.is_complete() || !list.is_complete(create.lists()) {
            Some(AmbiguityReason::ListIncomplete)
        } else {
            before.shrank(list).then_some(AmbiguityReason::ListShrank)
        }
    }

    /// Why the one new task may not be the one of the create; `None` if it is.
    fn match_ambiguity(
        &self,
        before: &Before<'_>,
        create: &UnconfirmedCreate,
        id: &str,
        list: &FullList,
        left: Duration,
        group: &HashSet<&CreateNonce>,
    ) -> Option<AmbiguityReason> {
        let mut lists = list.tasks.get(id).into_iter().flatten();
        if !lists.any(|list| before.existing().contains(list)) {
            return Some(AmbiguityReason::NoListBefore);
        }
        if self.awaits_delivery(create) && !left.is_zero() {
            return Some(self.too_early(left));
        }
        let attribution = self.client.attribution();
        let is_contested = attribution.has_competitor(create, group, self.settle_time);
        drop(attribution);
        let is_contested = is_contested
            || self.may_belong_to_evicted(create, id)
            || self.may_belong_to_others(create, id, list);
        is_contested.then_some(AmbiguityReason::OtherCreates)
    }

    /// Whether a new task may be the one of [`others`](Self::others), which this search does not assign tasks to.
    fn may_belong_to_others(&self, create: &UnconfirmedCreate, id: &str, list: &FullList) -> bool {
        self.others.iter().any(|other| {
            let before = self.before(other);
            let now = self.client.clock().boot_time();
            let ended = other.ended_in_boot_of(&now);
            let apart = create.sent().zip(ended);
            let apart = apart.and_then(|(sent, ended)| sent.since(ended));
            // If so, its task was listed before this create was sent.
            let is_listed_before = apart.is_some_and(|apart| apart >= self.settle_time)
                && !matches!(before, Before::Unknown)
                && !before.shrank(list)
                && self.is_listed(other, list);
            !is_listed_before && self.candidates(other, &before, list).contains(id)
        })
    }

    /// Why a create without a new task may still have one; `None` if it has not.
    fn absence_ambiguity(
        &self,
        before: &Before<'_>,
        create: &UnconfirmedCreate,
        list: &FullList,
        left: Duration,
        depth: Depth,
    ) -> Option<AmbiguityReason> {
        if !self.is_listed(create, list) {
            let mut lists = create.lists().iter();
            return Some(match lists.any(|one| list.existing.contains(one)) {
                true => AmbiguityReason::RouteNotListed,
                false => AmbiguityReason::NoListNow,
            });
        }
        if !left.is_zero() {
            return Some(self.too_early(left));
        }
        let lacks_own = match before {
            // The newest tasks may be further down than the beginning of the lists.
            Before::Known(known, mark) if depth == Depth::All => {
                known.lacks_newest_own(mark, create.operation())
            }
            _ => false,
        };
        lacks_own.then_some(AmbiguityReason::ListIncomplete)
    }

    fn too_early(&self, left: Duration) -> AmbiguityReason {
        let now = self.client.clock().system_time();
        // The time may overflow.
        let until = now.checked_add(left).unwrap_or(now + MAX_DELAY);
        AmbiguityReason::TooEarly { until }
    }

    /// Whether the lists include tasks of the create's route.
    fn is_listed(&self, create: &UnconfirmedCreate, list: &FullList) -> bool {
        let route = create.operation();
        let known = self.known.as_ref();
        route.is_listed && route.lists.iter().all(|one| list.existing.contains(one))
            || known.is_some_and(|known| known.lists_tasks_of(route))
            || self
                .client
                .attribution()
                .named_tasks()
                .any(|(id, task)| task.operation == route && list.tasks.contains_key(&**id))
    }
}
