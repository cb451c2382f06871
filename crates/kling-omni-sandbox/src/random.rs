//! The random values of a sandbox, from one seed.

use std::sync::{Mutex, PoisonError};

use fastrand::Rng;

/// The random values of a sandbox, from one seed.
///
/// Tasks, requests, faults and files have separate streams, so the number of polls does not affect the tasks.
#[derive(Debug)]
pub(crate) struct Random {
    tasks: Mutex<Rng>,
    requests: Mutex<Rng>,
    faults: Mutex<Rng>,
    files: Mutex<Rng>,
}

impl Random {
    /// Creates the streams of `seed`, and a key for signing URLs.
    pub(crate) fn new(seed: u64) -> (Self, [u8; 32]) {
        let mut root = Rng::with_seed(seed);
        let (tasks, requests) = (root.fork(), root.fork());
        let mut key = [0; 32];
        root.fill(&mut key);
        let random = Self {
            tasks: Mutex::new(tasks),
            requests: Mutex::new(requests),
            faults: Mutex::new(root.fork()),
            files: Mutex::new(root.fork()),
        };
        (random, key)
    }

    /// Returns a task id (a version 4 UUID) and a number from -1 to 1 for its jitter.
    pub(crate) fn task(&self) -> (String, f64) {
        let mut rng = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let id = uuid::Builder::from_random_bytes(rng.u128(..).to_be_bytes()).into_uuid();
        (id.to_string(), rng.f64() * 2.0 - 1.0)
    }

    /// Returns an id for a file of a content type, such as `upl_vid_a1b2c3d4e5f6`.
    pub(crate) fn file_id(&self, content_type: &str) -> String {
        let kind: String = content_type.chars().take(3).collect();
        let mut rng = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        format!("upl_{kind}_{:012x}", rng.u64(..1 << 48))
    }

    /// Returns `true` with this probability. A probability of 1 draws no random number.
    pub(crate) fn chance(&self, probability: f64) -> bool {
        let mut rng = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        probability >= 1.0 || rng.f64() < probability
    }

    /// Returns 16 random bytes in hexadecimal, for a request or a delivery.
    pub(crate) fn request_id(&self) -> String {
        let mut rng = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        format!("{:032x}", rng.u128(..))
    }
}
