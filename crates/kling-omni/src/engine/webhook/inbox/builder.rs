use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use tokio::sync::broadcast;

use crate::clock::{Clock, SystemClock};
use crate::engine::webhook::inbox::listening::Listeners;
use crate::engine::webhook::inbox::seen::Seen;
use crate::engine::webhook::inbox::standing::Standing;
use crate::engine::webhook::inbox::{Inbox, Memory, Shared};
use crate::engine::webhook::verifier::Verifier;

const LONGEST_BACKLOG: usize = 1 << 16;

/// Settings of an [`Inbox`]. Together they bound its memory.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct InboxBuilder {
    verifier: Verifier,
    clock: Arc<dyn Clock>,
    largest_body: usize,
    remembered_deliveries: usize,
    remembered_tasks: usize,
    backlog: usize,
}

impl InboxBuilder {
    pub(crate) fn new(verifier: Verifier) -> Self {
        Self {
            verifier,
            clock: Arc::new(SystemClock),
            largest_body: 64 * 1024,
            remembered_deliveries: 10_000,
            remembered_tasks: 1_000,
            backlog: 256,
        }
    }

    /// Where the time comes from that timestamps are held against.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The largest body that is read, in bytes; 64 KiB by default, and a delivery has less than one.
    pub fn largest_body(mut self, bytes: usize) -> Self {
        self.largest_body = bytes;
        self
    }

    /// How many ids are remembered, at most 256 bytes each; 10,000 by default, and at least one. Enough are those that
    /// come within twice the tolerance.
    pub fn remembered_deliveries(mut self, count: usize) -> Self {
        self.remembered_deliveries = count;
        self
    }

    /// How many tasks are remembered, each with its latest state; 1,000 by default, and at least one. Enough are those
    /// that run at a time and those that ended within the tolerance.
    pub fn remembered_tasks(mut self, count: usize) -> Self {
        self.remembered_tasks = count;
        self
    }

    /// How many deliveries are kept for streams that are slow to read them; 256 by default, from 1 to 65,536, and rounded
    /// up to a power of two. Room for them is taken at once.
    pub fn backlog(mut self, count: usize) -> Self {
        self.backlog = count;
        self
    }

    /// Makes the inbox.
    pub fn build(self) -> Inbox {
        let (news, _) = broadcast::channel(self.backlog.clamp(1, LONGEST_BACKLOG));
        Inbox(Arc::new(Shared {
            verifier: self.verifier,
            clock: self.clock,
            largest_body: self.largest_body,
            is_trusted: AtomicBool::new(true),
            memory: Mutex::new(Memory {
                seen: Seen::new(self.remembered_deliveries),
                tasks: Standing::new(self.remembered_tasks),
                listeners: Listeners::default(),
            }),
            news,
        }))
    }
}
