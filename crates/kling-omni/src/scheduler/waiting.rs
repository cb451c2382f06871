use std::collections::VecDeque;
use std::time::Instant;

use crate::route::Mode;
use crate::session::Look;

/// Looks that are made one by one, as soon as there is room for them.
#[derive(Default)]
pub(super) struct Waiting {
    looks: VecDeque<(u64, Box<Look>)>,
    /// No deadline among them is before this.
    first_deadline: Option<Instant>,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.looks.is_empty()
    }

    pub(super) fn add(&mut self, number: u64, look: Box<Look>) {
        self.first_deadline = earlier(self.first_deadline, look.deadline);
        self.looks.push_back((number, look));
    }

    /// Before all others.
    pub(super) fn add_first(&mut self, number: u64, look: Box<Look>) {
        self.first_deadline = earlier(self.first_deadline, look.deadline);
        self.looks.push_front((number, look));
    }

    /// The next one that somebody still waits for.
    pub(super) fn next(&mut self) -> Option<Box<Look>> {
        while let Some((_, look)) = self.looks.pop_front() {
            if self.looks.is_empty() {
                self.first_deadline = None;
            }
            if !look.is_off() {
                return Some(look);
            }
        }
        None
    }

    pub(super) fn first_deadline(&self) -> Option<Instant> {
        self.first_deadline
    }

    /// Takes out those whose deadline has come.
    pub(super) fn take_late(&mut self, now: Instant) -> Vec<(u64, Box<Look>)> {
        if self.first_deadline.is_none_or(|deadline| deadline > now) {
            return Vec::new();
        }
        let all = std::mem::take(&mut self.looks).into_iter();
        let (late, rest): (Vec<_>, Vec<_>) = all.partition(|(_, look)| look.is_late(now));
        self.looks = rest.into();
        self.first_deadline = self.earliest_deadline();
        late
    }

    /// Takes out those that a list can answer as well.
    pub(super) fn take_listed(&mut self, mode: Mode) -> Vec<(u64, Box<Look>)> {
        let all = std::mem::take(&mut self.looks).into_iter();
        let (listed, rest): (Vec<_>, Vec<_>) = all.partition(|(_, look)| look.list() == Some(mode));
        self.looks = rest.into();
        self.first_deadline = self.earliest_deadline();
        listed
    }

    fn earliest_deadline(&self) -> Option<Instant> {
        let looks = self.looks.iter();
        looks.filter_map(|(_, look)| look.deadline).min()
    }

    /// How many a list could answer.
    pub(super) fn listed(&self, mode: Mode) -> usize {
        let looks = self.looks.iter();
        looks.filter(|(_, look)| look.list() == Some(mode)).count()
    }
}

/// The earlier one of two moments, each of which may never come.
pub(super) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    [one, other].into_iter().flatten().min()
}
