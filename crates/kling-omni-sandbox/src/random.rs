use std::sync::{Mutex, PoisonError};

use fastrand::Rng;

/// Everything random in one sandbox, from one seed.
///
/// Tasks, exchanges and faults draw from separate streams: how often a client polls has no influence on the tasks.
#[derive(Debug)]
pub(crate) struct Random {
    tasks: Mutex<Rng>,
    exchanges: Mutex<Rng>,
    faults: Mutex<Rng>,
}

impl Random {
    /// The streams of `seed`, and a key for signing result URLs.
    pub(crate) fn new(seed: u64) -> (Self, [u8; 32]) {
        let mut root = Rng::with_seed(seed);
        let (tasks, exchanges) = (root.fork(), root.fork());
        let mut key = [0; 32];
        root.fill(&mut key);
        let random = Self {
            tasks: Mutex::new(tasks),
            exchanges: Mutex::new(exchanges),
            faults: Mutex::new(root.fork()),
        };
        (random, key)
    }

    /// A task id (a version 4 UUID) and a number from -1 to 1 for its jitter.
    pub(crate) fn task(&self) -> (String, f64) {
        let mut rng = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let id = uuid::Builder::from_random_bytes(rng.u128(..).to_be_bytes()).into_uuid();
        (id.to_string(), rng.f64() * 2.0 - 1.0)
    }

    /// Whether something of this probability happens. What is certain draws nothing.
    pub(crate) fn chance(&self, probability: f64) -> bool {
        let mut rng = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        probability >= 1.0 || rng.f64() < probability
    }

    /// Sixteen random bytes in hexadecimal.
    pub(crate) fn exchange_id(&self) -> String {
        let mut rng = self
            .exchanges
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        format!("{:032x}", rng.u128(..))
    }
}
