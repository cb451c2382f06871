//! The webhook receiver: deduplicates deliveries, keeps their order, and publishes new ones.

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

pub use crate::engine::webhook::receiver::deliveries::{Deliveries, Lagged};
use crate::engine::webhook::receiver::subscription::Subscription;

use crate::clock::{Clock, SystemClock};
use crate::engine::state::TaskState;
use crate::engine::webhook::delivery::{Delivery, Received};
use crate::engine::webhook::error::{WebhookError, WebhookErrorKind};
use crate::engine::webhook::receiver::bounded_map::BoundedMap;
use crate::engine::webhook::receiver::subscription::Subscribers;
use crate::engine::webhook::receiver::task_states::TaskStates;
use crate::engine::webhook::verifier::Verifier;

/// Receives deliveries and publishes new ones to [waits](crate::polling::Wait::webhook) and [streams](Self::deliveries).
///
/// * **Deduplication and replays.** A cache has the ids of the latest deliveries, and none of them is published twice. When
///   it exceeds its [capacity](WebhookReceiverBuilder::dedup_capacity), the oldest id is evicted. From then on, an unknown
///   delivery that is not younger than the evicted one is rejected ([`WebhookErrorKind::ReplayWindowExceeded`]). A burst may
///   therefore cost late deliveries, but never accepts a replay.
/// * **Order.** A task never goes back. A delivery that is older than the known state, or not terminal after a terminal one, is
///   [out of order](Received::OutOfOrder). The latest state of [some tasks](WebhookReceiverBuilder::state_capacity) is kept;
///   above that, the tasks that completed or failed first are evicted first. An evicted task is treated as unknown.
///
/// All of it is in memory and lost with the process. After a restart, a recorded delivery can be replayed once within the
/// tolerance.
///
/// Clones share everything.
#[derive(Clone)]
pub struct WebhookReceiver(Arc<ReceiverInner>);

pub(crate) struct ReceiverInner {
    verifier: Verifier,
    clock: Arc<dyn Clock>,
    max_body_size: usize,
    state: Mutex<ReceiverState>,
    updates: broadcast::Sender<Delivery>,
    /// Whether deliveries are expected to arrive.
    is_trusted: AtomicBool,
}

struct ReceiverState {
    deliveries: DedupCache,
    tasks: TaskStates,
    subscribers: Subscribers,
}

impl WebhookReceiver {
    /// Creates a receiver that accepts deliveries signed with a secret, or accepted by a [`Verifier`].
    pub fn new(verifier: impl Into<Verifier>) -> Self {
        Self::builder(verifier).build()
    }

    /// Returns a builder for a receiver.
    pub fn builder(verifier: impl Into<Verifier>) -> WebhookReceiverBuilder {
        WebhookReceiverBuilder::new(verifier.into())
    }

    /// Receives a delivery: the headers and the query of its request, and its body unchanged.
    ///
    /// Respond with success, also to late and duplicate deliveries, and with [`WebhookError::status`] otherwise. Limit the size
    /// of the body before it is in memory; [`endpoint`](Self::endpoint) does that.
    ///
    /// # Errors
    ///
    /// Those of [`Verifier::verify`], [`WebhookErrorKind::BodyTooLarge`], [`WebhookErrorKind::BodyUnreadable`] if the body is not a
    /// task, and [`WebhookErrorKind::ReplayWindowExceeded`] if the delivery might be a replay.
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
        let mut state = self.0.state();
        match state.deliveries.insert(delivery.id(), delivery.sent_at()) {
            DedupResult::New => {}
            DedupResult::Duplicate => return Ok(Received::Duplicate(delivery)),
            DedupResult::Evicted => {
                return Err(WebhookError::new(
                    WebhookErrorKind::ReplayWindowExceeded,
                    "the delivery might be a replay: ids of its age have been evicted",
                ));
            }
        }
        if !state.tasks.advance(&delivery) {
            return Ok(Received::OutOfOrder(delivery));
        }
        shared.is_trusted.store(true, Ordering::Relaxed);
        state
            .subscribers
            .publish(delivery.state(), shared.clock.now());
        // Fails without a subscriber.
        let _ = shared.updates.send(delivery.clone());
        Ok(Received::Accepted(delivery))
    }

    /// The latest delivered state of a task, if it is kept.
    pub fn state(&self, task_id: &str) -> Option<TaskState> {
        self.0.state().tasks.state(task_id).cloned()
    }

    /// The kept tasks whose deliveries had this [token](super::correlation): one, unless several creates used the token.
    pub fn correlated(&self, token: &str) -> Vec<String> {
        self.0.state().tasks.correlated(token)
    }

    /// Whether a task is known to belong to a create with another token.
    pub(crate) fn belongs_to_another(&self, task_id: &str, token: &str) -> bool {
        self.0.state().tasks.belongs_to_another(task_id, token)
    }

    /// Returns a stream of all new deliveries from now on.
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

impl ReceiverInner {
    fn state(&self) -> MutexGuard<'_, ReceiverState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Settings of a [`WebhookReceiver`]. Together they bound its memory.
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

    /// Sets the clock that timestamps are compared with. Default: the system clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Sets the maximum size of a body, in bytes. Default: 64 KiB. A delivery has less than 1 KiB.
    pub fn max_body_size(mut self, bytes: usize) -> Self {
        self.max_body_size = bytes;
        self
    }

    /// Sets how many ids of deliveries are kept for deduplication, at most 256 bytes each. At least one. Default: 10,000. Keep as
    /// many as arrive within twice the tolerance.
    pub fn dedup_capacity(mut self, count: usize) -> Self {
        self.dedup_capacity = count;
        self
    }

    /// Sets how many tasks are kept with their latest state. At least one. Default: 1,000. Keep as many as run at a time, or
    /// complete within the tolerance.
    pub fn state_capacity(mut self, count: usize) -> Self {
        self.state_capacity = count;
        self
    }

    /// Sets how many deliveries are buffered for slow streams, from 1 to 65,536, rounded up to a power of two. Default: 256. The
    /// buffer is allocated at once.
    pub fn buffer_capacity(mut self, count: usize) -> Self {
        self.buffer_capacity = count;
        self
    }

    /// Builds the receiver.
    pub fn build(self) -> WebhookReceiver {
        let (updates, _) = broadcast::channel(self.buffer_capacity.clamp(1, MAX_BUFFER));
        WebhookReceiver(Arc::new(ReceiverInner {
            verifier: self.verifier,
            clock: self.clock,
            max_body_size: self.max_body_size,
            is_trusted: AtomicBool::new(true),
            state: Mutex::new(ReceiverState {
                deliveries: DedupCache::new(self.dedup_capacity),
                tasks: TaskStates::new(self.state_capacity),
                subscribers: Subscribers::default(),
            }),
            updates,
        }))
    }
}

/// The deduplication cache: the ids of the latest deliveries.
pub(crate) struct DedupCache {
    ids: BoundedMap<SystemTime, ()>,
    /// The send time of the youngest evicted delivery.
    evicted_until: Option<SystemTime>,
}

/// Whether a delivery is new.
pub(crate) enum DedupResult {
    New,
    Duplicate,
    /// Unknown: ids of its age have been evicted.
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
        // A repetition may have a new signature. The id is kept as long as the latest signature is accepted.
        let latest = known.map_or(sent_at, |known| known.max(sent_at));
        self.evicted_until = self.evicted_until.max(self.ids.insert(id, latest, ()));
        match known {
            Some(_) => DedupResult::Duplicate,
            None => DedupResult::New,
        }
    }
}
