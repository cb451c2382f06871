//! The inbox: deduplicates deliveries, keeps their order, and publishes new ones.

mod bounded_map;
mod deliveries;
mod subscription;
mod task_states;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use http::HeaderMap;
use tokio::sync::broadcast;

pub use crate::engine::webhook::inbox::deliveries::{Deliveries, Lagged};
use crate::engine::webhook::inbox::subscription::Subscription;

use crate::clock::{Clock, SystemClock};
use crate::engine::state::TaskState;
use crate::engine::webhook::delivery::{Delivery, Received};
use crate::engine::webhook::inbox::bounded_map::BoundedMap;
use crate::engine::webhook::inbox::subscription::Subscribers;
use crate::engine::webhook::inbox::task_states::TaskStates;
use crate::engine::webhook::refusal::{WebhookError, WebhookErrorKind};
use crate::engine::webhook::verifier::Verifier;

/// Receives deliveries and passes new ones on to [waits](crate::polling::Wait::webhook) and [streams](Self::deliveries).
///
/// * **Deduplication and replays.** The ids of the latest deliveries are remembered, and none of them is passed on twice.
///   When there are more than [can be remembered](WebhookReceiverBuilder::dedup_capacity), the oldest id is evicted. From then
///   on, an unknown delivery that is not younger than the evicted one is refused
///   ([`WebhookErrorKind::ReplayWindowExceeded`]). A burst may therefore cost late deliveries, but never lets a replay in.
/// * **Order.** A task never goes back. A delivery that is older than the known state, or not terminal after the task has
///   ended, is [late](Received::OutOfOrder). The latest state of [some tasks](WebhookReceiverBuilder::state_capacity) is remembered; when
///   there are more, those that ended first are evicted first. An evicted task is treated as unknown.
///
/// All of it is in memory and lost with the process. After a restart, a recorded delivery can be replayed once within the
/// tolerance.
///
/// Clones share everything.
#[derive(Clone)]
pub struct WebhookReceiver(Arc<Shared>);

pub(crate) struct Shared {
    verifier: Verifier,
    clock: Arc<dyn Clock>,
    max_body_size: usize,
    memory: Mutex<Memory>,
    updates: broadcast::Sender<Delivery>,
    /// Whether deliveries are believed to arrive.
    is_trusted: AtomicBool,
}

struct Memory {
    deliveries: DedupCache,
    tasks: TaskStates,
    subscribers: Subscribers,
}

impl WebhookReceiver {
    /// An inbox that accepts what is signed with a secret, or what a [`Verifier`] accepts.
    pub fn new(verifier: impl Into<Verifier>) -> Self {
        Self::builder(verifier).build()
    }

    /// Starts an inbox with settings of your own.
    pub fn builder(verifier: impl Into<Verifier>) -> WebhookReceiverBuilder {
        WebhookReceiverBuilder::new(verifier.into())
    }

    /// Receives a delivery: the headers and the query of its request, and its body unchanged.
    ///
    /// Respond with success, also to late and duplicate deliveries, and with [`WebhookError::status`] otherwise. Limit the body
    /// before it is in memory; [`endpoint`](Self::endpoint) does that.
    ///
    /// # Errors
    ///
    /// Those of [`Verifier::verify`], [`WebhookErrorKind::BodyTooLarge`], [`WebhookErrorKind::BodyUnreadable`] if it is no task,
    /// and [`WebhookErrorKind::ReplayWindowExceeded`] if it might be a replay.
    pub fn receive(
        &self,
        headers: &HeaderMap,
        query: Option<&str>,
        body: &[u8],
    ) -> Result<Received, WebhookError> {
        let shared = &*self.0;
        if body.len() > shared.max_body_size {
            return Err(WebhookError::too_large(shared.max_body_size));
        }
        let now = shared.clock.system_time();
        let verified = shared.verifier.verify(headers, body, now)?;
        let delivery = Delivery::parse(verified, query, body)?;
        let mut memory = self.0.memory();
        match memory.deliveries.insert(delivery.id(), delivery.sent_at()) {
            DedupResult::New => {}
            DedupResult::Duplicate => return Ok(Received::Duplicate(delivery)),
            DedupResult::Evicted => {
                return Err(WebhookError::new(
                    WebhookErrorKind::ReplayWindowExceeded,
                    "the delivery might be a replay: ids as old as it had to be forgotten",
                ));
            }
        }
        if !memory.tasks.advance(&delivery) {
            return Ok(Received::OutOfOrder(delivery));
        }
        shared.is_trusted.store(true, Ordering::Relaxed);
        memory
            .subscribers
            .publish(delivery.state(), shared.clock.now());
        // Fails without a receiver.
        let _ = shared.updates.send(delivery.clone());
        Ok(Received::Accepted(delivery))
    }

    /// The latest delivered state of a task, if it is remembered.
    pub fn state(&self, task_id: &str) -> Option<TaskState> {
        self.0.memory().tasks.state(task_id).cloned()
    }

    /// The remembered tasks whose deliveries had this [token](super::correlation): one, unless several creates used it.
    pub fn correlated(&self, token: &str) -> Vec<String> {
        self.0.memory().tasks.correlated(token)
    }

    /// Whether a task is known to belong to a create with another token.
    pub(crate) fn is_of_another(&self, task_id: &str, token: &str) -> bool {
        self.0.memory().tasks.is_of_another(task_id, token)
    }

    /// All new deliveries from now on, as a stream.
    pub fn deliveries(&self) -> Deliveries {
        Deliveries::new(self.0.updates.subscribe())
    }

    pub(crate) fn max_body_size(&self) -> usize {
        self.0.max_body_size
    }

    /// Subscribes to the states of one task, beginning with the known one.
    pub(crate) fn subscribe(&self, task_id: &str) -> Subscription {
        Subscription::new(&self.0, task_id)
    }
}

impl Shared {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for WebhookReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookReceiver")
            .field("verifier", &self.0.verifier)
            .field("max_body_size", &self.0.max_body_size)
            .finish_non_exhaustive()
    }
}

const MAX_BUFFER: usize = 1 << 16;

/// Settings of an [`WebhookReceiver`]. Together they bound its memory.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct WebhookReceiverBuilder {
    verifier: Verifier,
    clock: Arc<dyn Clock>,
    max_body_size: usize,
    dedup_capacity: usize,
    state_capacity: usize,
    buffer_capacity: usize,
}

impl WebhookReceiverBuilder {
    pub(crate) fn new(verifier: Verifier) -> Self {
        Self {
            verifier,
            clock: Arc::new(SystemClock),
            max_body_size: 64 * 1024,
            dedup_capacity: 10_000,
            state_capacity: 1_000,
            buffer_capacity: 256,
        }
    }

    /// The clock that timestamps are compared with.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The largest body that is read, in bytes; 64 KiB by default, and a delivery has less than 1 KiB.
    pub fn max_body_size(mut self, bytes: usize) -> Self {
        self.max_body_size = bytes;
        self
    }

    /// How many ids are remembered, at most 256 bytes each; 10,000 by default, and at least one. Remember as many as
    /// arrive within twice the tolerance.
    pub fn dedup_capacity(mut self, count: usize) -> Self {
        self.dedup_capacity = count;
        self
    }

    /// How many tasks are remembered, each with its latest state; 1,000 by default, and at least one. Remember as
    /// many as run at a time or ended within the tolerance.
    pub fn state_capacity(mut self, count: usize) -> Self {
        self.state_capacity = count;
        self
    }

    /// How many deliveries are kept for streams that are slow to read them; 256 by default, from 1 to 65,536, and rounded
    /// up to a power of two. Room for them is taken at once.
    pub fn buffer_capacity(mut self, count: usize) -> Self {
        self.buffer_capacity = count;
        self
    }

    /// Makes the inbox.
    pub fn build(self) -> WebhookReceiver {
        let (updates, _) = broadcast::channel(self.buffer_capacity.clamp(1, MAX_BUFFER));
        WebhookReceiver(Arc::new(Shared {
            verifier: self.verifier,
            clock: self.clock,
            max_body_size: self.max_body_size,
            is_trusted: AtomicBool::new(true),
            memory: Mutex::new(Memory {
                deliveries: DedupCache::new(self.dedup_capacity),
                tasks: TaskStates::new(self.state_capacity),
                subscribers: Subscribers::default(),
            }),
            updates,
        }))
    }
}

/// The ids of the latest deliveries.
pub(crate) struct DedupCache {
    ids: BoundedMap<SystemTime, ()>,
    /// The send time of the youngest evicted delivery.
    evicted_until: Option<SystemTime>,
}

/// Whether a delivery came before.
pub(crate) enum DedupResult {
    New,
    Duplicate,
    /// Unknown: ids as old as this one have been evicted.
    Evicted,
}

impl DedupCache {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            ids: BoundedMap::new(capacity),
            evicted_until: None,
        }
    }

    /// Inserts a delivery and returns whether it is new.
    pub(crate) fn insert(&mut self, id: &str, sent_at: SystemTime) -> DedupResult {
        let known = self.ids.order(id);
        if known.is_none() && self.evicted_until.is_some_and(|moment| sent_at <= moment) {
            return DedupResult::Evicted;
        }
        // A repetition may have a new signature. The id is kept for as long as the latest one is accepted.
        let latest = known.map_or(sent_at, |known| known.max(sent_at));
        self.evicted_until = self.evicted_until.max(self.ids.insert(id, latest, ()));
        match known {
            Some(_) => DedupResult::Duplicate,
            None => DedupResult::New,
        }
    }
}
