//! Fault injection: which rules strike a request or a delivery, and what they do to a response.

mod body;
mod response;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::clock::ServiceClock;
use crate::fault::{FaultMatcher, FaultRule, FaultTarget};
use crate::random::Random;
use crate::record::Host;
use crate::spec::{Kind, Operation};
use crate::task::Task;
use body::Timer;
pub(crate) use response::ActiveFaults;

/// The rules of a sandbox, each with what it has seen.
#[derive(Debug)]
pub(crate) struct Faults {
    rules: Mutex<Vec<ArmedRule>>,
    timer: Timer,
}

#[derive(Debug)]
struct ArmedRule {
    rule: Arc<FaultRule>,
    seen: u64,
}

/// Where something is about to happen.
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
    /// Waits follow `clock`, and end when `stop` becomes true.
    pub(crate) fn new(
        rules: Vec<FaultRule>,
        clock: ServiceClock,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let faults = Self {
            rules: Mutex::default(),
            timer: Timer::new(clock, stop),
        };
        rules.into_iter().for_each(|rule| faults.add(rule));
        faults
    }

    pub(crate) fn add(&self, rule: FaultRule) {
        self.lock().push(ArmedRule {
            rule: Arc::new(rule),
            seen: 0,
        });
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    /// The rules that strike here, in the order in which they were given. Each that is about here counts it.
    pub(crate) fn evaluate(
        &self,
        random: &Random,
        context: &FaultContext<'_>,
    ) -> Vec<Arc<FaultRule>> {
        let mut rules = self.lock();
        let concerned = rules
            .iter_mut()
            .filter(|armed| context.concerns(&armed.rule.matcher));
        let triggered = concerned.filter_map(|armed| {
            armed.seen += 1;
            let FaultMatcher {
                requests,
                probability,
                ..
            } = &armed.rule.matcher;
            let is_triggered = requests.contains(&armed.seen) && random.chance(*probability);
            is_triggered.then(|| Arc::clone(&armed.rule))
        });
        triggered.collect()
    }

    /// Rules that were [evaluated](Self::evaluate), ready to act on the response of a host.
    pub(crate) fn activate(&self, host: Host, rules: Vec<Arc<FaultRule>>) -> ActiveFaults {
        ActiveFaults::new(host, rules, self.timer.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<ArmedRule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FaultContext<'_> {
    fn concerns(&self, matcher: &FaultMatcher) -> bool {
        let here = match (self, &matcher.target) {
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
        let wanted = |number| task.is_some_and(|task| task.number == number);
        here && matcher.task.is_none_or(wanted)
    }
}
