//! The polls that are due, and wait for the limit on concurrent reads.

use std::collections::VecDeque;
use std::time::Instant;

use crate::engine::operations::ListOperation;
use crate::engine::polling::queue::PollRequest;

/// A queue of polls that are made one by one, as the concurrency limit allows.
#[derive(Default)]
pub(crate) struct Backlog {
    requests: VecDeque<(u64, Box<PollRequest>)>,
    /// A lower bound of the deadlines of the requests.
    first_deadline: Option<Instant>,
}

impl Backlog {
    pub(crate) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    pub(crate) fn add(&mut self, number: u64, request: Box<PollRequest>) {
        self.first_deadline = earlier(self.first_deadline, request.deadline);
        self.requests.push_back((number, request));
    }

    /// Adds a request before all others.
    pub(crate) fn add_first(&mut self, number: u64, request: Box<PollRequest>) {
        self.first_deadline = earlier(self.first_deadline, request.deadline);
        self.requests.push_front((number, request));
    }

    /// The next request that is not cancelled.
    pub(crate) fn next(&mut self) -> Option<Box<PollRequest>> {
        while let Some((_, request)) = self.requests.pop_front() {
            if self.requests.is_empty() {
                self.first_deadline = None;
            }
            if !request.is_cancelled() {
                return Some(request);
            }
        }
        None
    }

    pub(crate) fn first_deadline(&self) -> Option<Instant> {
        self.first_deadline
    }

    /// Removes and returns the requests whose deadline has passed.
    pub(crate) fn take_overdue(&mut self, now: Instant) -> Vec<(u64, Box<PollRequest>)> {
        if self.first_deadline.is_none_or(|deadline| deadline > now) {
            return Vec::new();
        }
        let all = std::mem::take(&mut self.requests).into_iter();
        let (overdue, rest): (Vec<_>, Vec<_>) =
            all.partition(|(_, request)| request.is_overdue(now));
        self.requests = rest.into();
        self.first_deadline = self.earliest_deadline();
        overdue
    }

    /// Removes and returns the requests that a list can answer.
    pub(crate) fn take_listed(
        &mut self,
        list: &'static ListOperation,
    ) -> Vec<(u64, Box<PollRequest>)> {
        let all = std::mem::take(&mut self.requests).into_iter();
        let (listed, rest): (Vec<_>, Vec<_>) =
            all.partition(|(_, request)| request.list() == Some(list));
        self.requests = rest.into();
        self.first_deadline = self.earliest_deadline();
        listed
    }

    fn earliest_deadline(&self) -> Option<Instant> {
        let requests = self.requests.iter();
        requests.filter_map(|(_, request)| request.deadline).min()
    }

    /// The number of requests that a list could answer.
    pub(crate) fn listed(&self, list: &'static ListOperation) -> usize {
        let requests = self.requests.iter();
        requests
            .filter(|(_, request)| request.list() == Some(list))
            .count()
    }
}

/// The earlier of two optional times.
pub(crate) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    [one, other].into_iter().flatten().min()
}
