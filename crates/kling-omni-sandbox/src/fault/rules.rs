use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::{FaultMatcher, FaultRule, FaultTarget};
use crate::random::Random;
use crate::spec::{Kind, Operation};
use crate::task::Task;

/// The rules of a sandbox, each with what it has seen.
#[derive(Debug)]
pub(crate) struct Faults {
    rules: Mutex<Vec<Armed>>,
    /// Becomes true when the sandbox ends, and with it every wait.
    pub(super) stop: watch::Receiver<bool>,
}

#[derive(Debug)]
struct Armed {
    rule: Arc<FaultRule>,
    seen: u64,
}

/// Where something is about to happen.
pub(crate) enum Spot<'a> {
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
    pub(crate) fn new(rules: Vec<FaultRule>, stop: watch::Receiver<bool>) -> Self {
        let faults = Self {
            rules: Mutex::default(),
            stop,
        };
        rules.into_iter().for_each(|rule| faults.add(rule));
        faults
    }

    pub(crate) fn add(&self, rule: FaultRule) {
        self.lock().push(Armed {
            rule: Arc::new(rule),
            seen: 0,
        });
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    /// The rules that strike here, in the order in which they were given. Each that looks here counts it.
    pub(crate) fn strike(&self, random: &Random, spot: &Spot<'_>) -> Vec<Arc<FaultRule>> {
        let mut rules = self.lock();
        let concerned = rules
            .iter_mut()
            .filter(|armed| spot.concerns(&armed.rule.matcher));
        let struck = concerned.filter_map(|armed| {
            armed.seen += 1;
            let FaultMatcher {
                requests,
                probability,
                ..
            } = &armed.rule.matcher;
            let strikes = requests.contains(&armed.seen) && random.chance(*probability);
            strikes.then(|| Arc::clone(&armed.rule))
        });
        struck.collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Armed>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spot<'_> {
    fn concerns(&self, matcher: &FaultMatcher) -> bool {
        let here = match (self, &matcher.target) {
            (Self::Api { .. }, FaultTarget::Api)
            | (Self::Result { .. }, FaultTarget::Result)
            | (Self::Storage, FaultTarget::Storage)
            | (Self::Webhook { .. }, FaultTarget::Webhook) => true,
            (Self::Api { operation, .. }, target) => match target {
                FaultTarget::Create => matches!(operation.kind, Kind::Create { .. }),
                FaultTarget::List => matches!(operation.kind, Kind::List),
                FaultTarget::Status => matches!(operation.kind, Kind::Status),
                FaultTarget::Upload => matches!(operation.kind, Kind::Places { .. }),
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
