use std::collections::VecDeque;
use std::time::Instant;

use crate::engine::operations::ListOperation;
use crate::engine::polling::queue::PollRequest;

/// Looks that are made one by one, as soon as there is room for them.
#[derive(Default)]
pub(crate) struct Backlog {
    looks: VecDeque<(u64, Box<PollRequest>)>,
    /// No deadline among them is before this.
    first_deadline: Option<Instant>,
}

impl Backlog {
    pub(crate) fn is_empty(&self) -> bool {
        self.looks.is_empty()
    }

    pub(crate) fn add(&mut self, number: u64, look: Box<PollRequest>) {
        self.first_deadline = earlier(self.first_deadline, look.deadline);
        self.looks.push_back((number, look));
    }

    /// Before all others.
    pub(crate) fn add_first(&mut self, number: u64, look: Box<PollRequest>) {
        self.first_deadline = earlier(self.first_deadline, look.deadline);
        self.looks.push_front((number, look));
    }

    /// The next one that somebody still waits for.
    pub(crate) fn next(&mut self) -> Option<Box<PollRequest>> {
        while let Some((_, look)) = self.looks.pop_front() {
            if self.looks.is_empty() {
                self.first_deadline = None;
            }
            if !look.is_cancelled() {
                return Some(look);
            }
        }
        None
    }

    pub(crate) fn first_deadline(&self) -> Option<Instant> {
        self.first_deadline
    }

    /// Takes out those whose deadline has come.
    pub(crate) fn take_overdue(&mut self, now: Instant) -> Vec<(u64, Box<PollRequest>)> {
        if self.first_deadline.is_none_or(|deadline| deadline > now) {
            return Vec::new();
        }
        let all = std::mem::take(&mut self.looks).into_iter();
        let (late, rest): (Vec<_>, Vec<_>) = all.partition(|(_, look)| look.is_overdue(now));
        self.looks = rest.into();
        self.first_deadline = self.earliest_deadline();
        late
    }

    /// Takes out those that a list can answer as well.
    pub(crate) fn take_listed(
        &mut self,
        list: &'static ListOperation,
    ) -> Vec<(u64, Box<PollRequest>)> {
        let all = std::mem::take(&mut self.looks).into_iter();
        let (listed, rest): (Vec<_>, Vec<_>) = all.partition(|(_, look)| look.list() == Some(list));
        self.looks = rest.into();
        self.first_deadline = self.earliest_deadline();
        listed
    }

    fn earliest_deadline(&self) -> Option<Instant> {
        let looks = self.looks.iter();
        looks.filter_map(|(_, look)| look.deadline).min()
    }

    /// How many a list could answer.
    pub(crate) fn listed(&self, list: &'static ListOperation) -> usize {
        let looks = self.looks.iter();
        looks.filter(|(_, look)| look.list() == Some(list)).count()
    }
}

/// The earlier one of two moments, each of which may never come.
pub(crate) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    [one, other].into_iter().flatten().min()
}
