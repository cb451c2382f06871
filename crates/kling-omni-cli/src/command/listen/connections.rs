//! The limit on open connections, and the eviction of the oldest one with an incomplete request.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

/// The maximum number of open connections.
const MAX_CONNECTIONS: usize = 128;
/// The time for which a connection is never evicted, so a burst of connections does not evict itself.
const MIN_CONNECTION_TIME: Duration = Duration::from_millis(250);

/// Limits the number of open connections. At the limit, the oldest connection with an incomplete request is closed, so
/// slow senders (slowloris) cannot keep others out.
#[derive(Clone)]
pub(super) struct ConnectionLimit {
    permits: Arc<Semaphore>,
    incomplete: Arc<Mutex<Incomplete>>,
}

#[derive(Default)]
struct Incomplete {
    last: u64,
    /// By number, oldest first.
    connections: BTreeMap<u64, (Instant, oneshot::Sender<()>)>,
}

/// The permit of one connection, released on drop.
pub(super) struct ConnectionPermit {
    number: u64,
    limit: ConnectionLimit,
    #[expect(dead_code, reason = "released on drop")]
    permit: OwnedSemaphorePermit,
}

/// Completes when a connection is evicted, or when its request is complete.
pub(super) type CloseSignal = oneshot::Receiver<()>;

impl ConnectionLimit {
    pub(super) fn new() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            incomplete: Arc::default(),
        }
    }

    /// Acquires a permit for a new connection. Waits while all are held by complete requests.
    pub(super) async fn acquire(&self) -> (ConnectionPermit, CloseSignal) {
        let permit = self.acquire_permit().await;
        let mut incomplete = self.incomplete();
        let (close, closed) = oneshot::channel();
        incomplete.last += 1;
        let number = incomplete.last;
        incomplete
            .connections
            .insert(number, (Instant::now(), close));
        drop(incomplete);
        let connection = ConnectionPermit {
            number,
            limit: self.clone(),
            permit,
        };
        (connection, closed)
    }

    /// Waits until all connections are closed, for at most `limit`.
    pub(super) async fn wait_until_closed(&self, limit: Duration) {
        let _ = timeout(limit, self.permits.acquire_many(MAX_CONNECTIONS as u32)).await;
    }

    async fn acquire_permit(&self) -> OwnedSemaphorePermit {
        let acquire = || Arc::clone(&self.permits).acquire_owned();
        let oldest = self
            .incomplete()
            .connections
            .first_key_value()
            .map(|(_, (since, _))| *since);
        let evictable = async {
            match oldest {
                Some(since) => sleep_until(since + MIN_CONNECTION_TIME).await,
                None => std::future::pending().await,
            }
        };
        let permit = tokio::select! {
            biased;
            permit = acquire() => permit,
            () = evictable => {
                // Dropping the sender closes the connection, which releases its permit.
                drop(self.incomplete().connections.pop_first());
                acquire().await
            }
        };
        permit.expect("the semaphore is never closed")
    }

    fn incomplete(&self) -> MutexGuard<'_, Incomplete> {
        self.incomplete
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionPermit {
    /// Marks the request as complete, after which the connection is not evicted.
    pub(super) fn complete(&self) {
        // Dropped after the lock, because the drop may wake a task that takes the lock.
        let _close = self.limit.incomplete().connections.remove(&self.number);
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.complete();
    }
}
