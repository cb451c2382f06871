//! Fault injection: evaluates the rules for requests and deliveries, and applies faults to responses.

mod body;
mod edit;
mod response;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::clock::ServiceClock;
use crate::fault::{FaultMatcher, FaultRule, FaultTarget};
use crate::random::Random;
use crate::record::{Changes, Host};
use crate::spec::{Kind, Operation};
use crate::task::Task;
use body::Timer;
pub(crate) use response::ActiveFaults;

/// The rules of a sandbox, each with its counter.
#[derive(Debug)]
pub(crate) struct Faults {
    rules: Mutex<Vec<ArmedRule>>,
    next_id: AtomicU64,
    timer: Timer,
    changes: Changes,
}

/// A rule that is evaluated for requests and deliveries.
#[derive(Clone, Debug)]
pub(crate) struct ArmedRule {
    #[cfg_attr(not(feature = "console"), allow(dead_code))]
    pub(crate) id: u64,
    pub(crate) rule: Arc<FaultRule>,
    /// How many requests or deliveries matched the target and the task.
    pub(crate) count: u64,
    /// How many of them the fault was applied to.
    pub(crate) triggered: u64,
}

/// The request or delivery that rules are evaluated for.
pub(crate) enum FaultContext<'a> {
    Api {
        operation: &'a Operation,
        task: Option<&'a Task>,
    },
    Result {
        task: Option<&'a Task>,
    },
    Storage,
    Webhook {
        task: &'a Task,
    },
}

impl Faults {
    /// Delays use `clock`, and end when `stop` becomes true.
    pub(crate) fn new(
        rules: Vec<FaultRule>,
        clock: ServiceClock,
        stop: watch::Receiver<bool>,
        changes: Changes,
    ) -> Self {
        let faults = Self {
            rules: Mutex::default(),
            next_id: AtomicU64::new(1),
            timer: Timer::new(clock, stop),
            changes,
        };
        rules.into_iter().for_each(|rule| faults.add(rule));
        faults
    }

    pub(crate) fn add(&self, rule: FaultRule) {
        self.lock().push(ArmedRule {
            id: self.next_id.fetch_add(1, Ordering::Relaxed),
            rule: Arc::new(rule),
            count: 0,
            triggered: 0,
        });
        self.changes.announce();
    }

    /// Removes a rule. Returns whether there was one.
    #[cfg(feature = "console")]
    pub(crate) fn remove(&self, id: u64) -> bool {
        let mut rules = self.lock();
        let count = rules.len();
        rules.retain(|armed| armed.id != id);
        let is_removed = rules.len() < count;
        drop(rules);
        self.changes.announce();
        is_removed
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
        self.changes.announce();
    }

    /// Returns the rules, in the order of their addition.
    #[cfg(feature = "console")]
    pub(crate) fn armed(&self) -> Vec<ArmedRule> {
        self.lock().clone()
    }

    /// Counts a request or delivery in the rules that match it, and returns the triggered ones, in the order of their
    /// addition.
    pub(crate) fn evaluate(
        &self,
        random: &Random,
        context: &FaultContext<'_>,
    ) -> Vec<Arc<FaultRule>> {
        let mut rules = self.lock();
        let matching = rules
            .iter_mut()
            .filter(|armed| context.matches(&armed.rule.matcher));
        let triggered = matching.filter_map(|armed| {
            armed.count += 1;
            let FaultMatcher {
                requests,
                probability,
                ..
            } = &armed.rule.matcher;
            let is_triggered = requests.contains(&armed.count) && random.chance(*probability);
            armed.triggered += u64::from(is_triggered);
            is_triggered.then(|| Arc::clone(&armed.rule))
        });
        triggered.collect()
    }

    /// Returns the faults of [evaluated](Self::evaluate) rules, to be applied to a response of a host.
    pub(crate) fn activate(&self, host: Host, rules: Vec<Arc<FaultRule>>) -> ActiveFaults {
        ActiveFaults::new(host, rules, self.timer.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<ArmedRule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FaultContext<'_> {
    fn matches(&self, matcher: &FaultMatcher) -> bool {
        let is_target = match (self, &matcher.target) {
            (Self::Api { .. }, FaultTarget::Api)
            | (Self::Result { .. }, FaultTarget::Result)
            | (Self::Storage, FaultTarget::Storage)
            | (Self::Webhook { .. }, FaultTarget::Webhook) => true,
            (Self::Api { operation, .. }, target) => match target {
                FaultTarget::Create => matches!(operation.kind, Kind::Create { .. }),
                FaultTarget::List => matches!(operation.kind, Kind::List { .. }),
                FaultTarget::Status => matches!(operation.kind, Kind::Status { .. }),
                FaultTarget::Upload => matches!(operation.kind, Kind::Slots { .. }),
                FaultTarget::Operation(id) => operation.id == *id,
                _ => false,
            },
            _ => false,
        };
        let task = match self {
            Self::Api { task, .. } | Self::Result { task } => *task,
            Self::Webhook { task } => Some(*task),
            Self::Storage => None,
        };
        let is_task = |number| task.is_some_and(|task| task.number == number);
        is_target && matcher.task.is_none_or(is_task)
    }
}
