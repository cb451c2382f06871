//! How many connections there may be, and which of them makes room for a new one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

/// How many connections may be open at once.
const MOST: usize = 128;
/// How long a connection is kept in any case, so that a burst of senders does not push itself out.
const TIME_TO_SPEAK: Duration = Duration::from_millis(250);

/// The open connections. A sender that is slow on purpose (slowloris) cannot keep others out: where there is no room, the
/// oldest connection whose request has not arrived whole is closed.
#[derive(Clone)]
pub(super) struct Connections {
    places: Arc<Semaphore>,
    incomplete: Arc<Mutex<Incomplete>>,
}

#[derive(Default)]
struct Incomplete {
    last: u64,
    /// By age, oldest first.
    all: BTreeMap<u64, (Instant, oneshot::Sender<()>)>,
}

/// The place of one connection, which is free again when this is dropped.
pub(super) struct Connection {
    number: u64,
    connections: Connections,
    #[expect(dead_code, reason = "held")]
    place: OwnedSemaphorePermit,
}

/// Completes when a connection has to make room, or its request is complete.
pub(super) type Closed = oneshot::Receiver<()>;

impl Connections {
    pub(super) fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(MOST)),
            incomplete: Arc::default(),
        }
    }

    /// A place for a new connection. Where all are taken by requests that are in hand, it waits.
    pub(super) async fn add(&self) -> (Connection, Closed) {
        let place = self.place().await;
        let mut incomplete = self.incomplete();
        let (close, closed) = oneshot::channel();
        incomplete.last += 1;
        let number = incomplete.last;
        incomplete.all.insert(number, (Instant::now(), close));
        drop(incomplete);
        let connection = Connection {
            number,
            connections: self.clone(),
            place,
        };
        (connection, closed)
    }

    /// Waits until there is no connection left, but no longer than `limit`.
    pub(super) async fn end(&self, limit: Duration) {
        let _ = timeout(limit, self.places.acquire_many(MOST as u32)).await;
    }

    async fn place(&self) -> OwnedSemaphorePermit {
        let free = || Arc::clone(&self.places).acquire_owned();
        let oldest = self
            .incomplete()
            .all
            .first_key_value()
            .map(|(_, (since, _))| *since);
        let overdue = async {
            match oldest {
                Some(since) => sleep_until(since + TIME_TO_SPEAK).await,
                None => std::future::pending().await,
            }
        };
        let place = tokio::select! {
            biased;
            place = free() => place,
            () = overdue => {
                // Dropping the sender closes the connection, and that frees its place.
                drop(self.incomplete().all.pop_first());
                free().await
            }
        };
        place.expect("the semaphore is never closed")
    }

    fn incomplete(&self) -> MutexGuard<'_, Incomplete> {
        self.incomplete
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// The request has arrived whole, and the connection is not closed any more to make room.
    pub(super) fn complete(&self) {
        // Dropped after the lock, since the drop may wake a task that takes the lock.
        let _close = self.connections.incomplete().all.remove(&self.number);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.complete();
    }
}
