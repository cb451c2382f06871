mod builder;
mod deliveries;
mod listening;

mod bounded;
mod seen;
mod standing;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::HeaderMap;
use tokio::sync::broadcast;

pub use crate::engine::webhook::inbox::builder::InboxBuilder;
pub use crate::engine::webhook::inbox::deliveries::{Deliveries, Missed};
use crate::engine::webhook::inbox::listening::Listening;

use crate::clock::Clock;
use crate::engine::state::TaskState;
use crate::engine::webhook::delivery::{Delivery, Received};
use crate::engine::webhook::endpoint::Endpoint;
use crate::engine::webhook::inbox::listening::Listeners;
use crate::engine::webhook::inbox::seen::{Novelty, Seen};
use crate::engine::webhook::inbox::standing::Standing;
use crate::engine::webhook::refusal::{Refusal, RefusalKind};
use crate::engine::webhook::verifier::Verifier;

/// Takes deliveries in, and passes on what is new: to [waits](crate::polling::Wait::webhook) and to [streams](Self::deliveries).
///
/// * **Replays and repetitions.** The ids of the latest deliveries are remembered, and none of them is passed on twice.
///   When there are more than [can be remembered](InboxBuilder::remembered_deliveries), the oldest id is forgotten, and
///   from then on an unknown delivery that is not younger than that one is refused
///   ([`RefusalKind::ReplayWindowExceeded`]): a burst costs late deliveries, and never lets a replay in.
/// * **Order.** A task never goes back: what was sent before the state that is known, and whatever is not an end once
///   the task has ended, is [late](Received::Late). The latest state of
///   [so many](InboxBuilder::remembered_tasks) tasks is remembered; when there are more, those that ended first are
///   forgotten first. A task that was forgotten is taken as it comes.
///
/// All of it is held in memory and begins anew with the process: a delivery that was recorded by someone can be sent
/// once more after a restart, within the tolerance.
///
/// Clones share everything.
#[derive(Clone)]
pub struct Inbox(Arc<Shared>);

pub(crate) struct Shared {
    verifier: Verifier,
    clock: Arc<dyn Clock>,
    largest_body: usize,
    memory: Mutex<Memory>,
    news: broadcast::Sender<Delivery>,
    /// Whether nothing speaks against deliveries coming.
    is_trusted: AtomicBool,
}

struct Memory {
    seen: Seen,
    tasks: Standing,
    listeners: Listeners,
}

impl Inbox {
    /// An inbox that accepts what is signed with a secret, or what a [`Verifier`] accepts.
    pub fn new(verifier: impl Into<Verifier>) -> Self {
        Self::builder(verifier).build()
    }

    /// Starts an inbox with settings of your own.
    pub fn builder(verifier: impl Into<Verifier>) -> InboxBuilder {
        InboxBuilder::new(verifier.into())
    }

    /// Takes a delivery in: the headers and the query of its request, and its body as it came.
    ///
    /// Answer any success, also for what is late or came before, and [`Refusal::status`] otherwise. Limit the body
    /// before it is in memory; [`endpoint`](Self::endpoint) does that.
    ///
    /// # Errors
    ///
    /// Those of [`Verifier::verify`], [`RefusalKind::BodyTooLarge`], [`RefusalKind::BodyUnreadable`] if it is no task,
    /// and [`RefusalKind::ReplayWindowExceeded`] if it might be a replay.
    pub fn receive(
        &self,
        headers: &HeaderMap,
        query: Option<&str>,
        body: &[u8],
    ) -> Result<Received, Refusal> {
        let shared = &*self.0;
        if body.len() > shared.largest_body {
            return Err(Refusal::too_large(shared.largest_body));
        }
        let now = shared.clock.system_time();
        let verified = shared.verifier.verify(headers, body, now)?;
        let delivery = Delivery::read(verified, query, body)?;
        let mut memory = self.0.memory();
        match memory.seen.note(delivery.id(), delivery.sent_at()) {
            Novelty::New => {}
            Novelty::Repeated => return Ok(Received::Duplicate(delivery)),
            Novelty::Forgotten => {
                return Err(Refusal::new(
                    RefusalKind::ReplayWindowExceeded,
                    "the delivery might be a replay: ids as old as it had to be forgotten",
                ));
            }
        }
        if !memory.tasks.advance(&delivery) {
            return Ok(Received::Late(delivery));
        }
        shared.is_trusted.store(true, Ordering::Relaxed);
        memory.listeners.tell(delivery.state(), shared.clock.now());
        // Fails when nobody listens.
        let _ = shared.news.send(delivery.clone());
        Ok(Received::New(delivery))
    }

    /// What deliveries last said of a task, as far as it is remembered.
    pub fn state(&self, task_id: &str) -> Option<TaskState> {
        self.0.memory().tasks.state(task_id).cloned()
    }

    /// The tasks that deliveries brought this [token](super::correlation) about, as far as they are remembered: one,
    /// unless it went into several creates.
    pub fn correlated(&self, token: &str) -> Vec<String> {
        self.0.memory().tasks.correlated(token)
    }

    /// Whether a task is known to belong to another create than that of `token`.
    pub(crate) fn is_of_another(&self, task_id: &str, token: &str) -> bool {
        self.0.memory().tasks.is_of_another(task_id, token)
    }

    /// Everything new from now on, as a stream.
    pub fn deliveries(&self) -> Deliveries {
        Deliveries::new(self.0.news.subscribe())
    }

    /// A tower service that takes in what is posted to it.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::new(self.clone())
    }

    pub(crate) fn largest_body(&self) -> usize {
        self.0.largest_body
    }

    /// What is told of one task, beginning with what is known.
    pub(crate) fn listen(&self, task_id: &str) -> Listening {
        Listening::new(&self.0, task_id)
    }
}

impl Shared {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox")
            .field("verifier", &self.0.verifier)
            .field("largest_body", &self.0.largest_body)
            .finish_non_exhaustive()
    }
}
