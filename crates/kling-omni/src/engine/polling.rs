//! Looks at tasks, for all waits of a client at once: one at a time while there are few, and by the list while there
//! are many.

pub(crate) mod backlog;
pub(crate) mod durations;
pub(crate) mod list_poll;
pub(crate) mod list_poll_stats;
pub(crate) mod queue;
pub(crate) mod schedule;
pub(crate) mod worker;

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime;
use tokio::sync::oneshot;

use crate::engine::http::Http;
use crate::engine::polling::durations::DurationModel;
use crate::engine::polling::list_poll_stats::ListPollStats;
use crate::engine::service::Service;

use crate::engine::error::{Error, ErrorKind};
use crate::engine::polling::queue::{PollQueue, PollRequest, PollResponse};
use crate::engine::polling::worker::PollWorker;

/// How long a wait for a task lasts unless told otherwise.
pub(crate) const DEFAULT_WAIT_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// Polls tasks for all waits of a client.
pub(crate) struct Poller {
    pub(crate) http: Arc<Http>,
    pub(crate) service: &'static dyn Service,
    /// One queue for each runtime: a worker makes progress only while its runtime does.
    queues: Mutex<HashMap<runtime::Id, Arc<PollQueue>>>,
    pub(crate) list_stats: ListPollStats,
    durations: Mutex<DurationModel>,
}

impl Poller {
    pub(crate) fn new(
        http: Arc<Http>,
        service: &'static dyn Service,
        durations: DurationModel,
    ) -> Self {
        Self {
            http,
            service,
            queues: Mutex::default(),
            list_stats: ListPollStats::default(),
            durations: Mutex::new(durations),
        }
    }

    /// What is known of how long tasks take.
    pub(crate) fn durations(&self) -> MutexGuard<'_, DurationModel> {
        self.durations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a poll at once, and returns its response. Dropping the future cancels the poll, and the request that was
    /// made for it alone.
    ///
    /// `request` gets the sender of the response. It is no part of the future, of which there is one for each wait.
    pub(crate) fn poll<F>(
        self: &Arc<Self>,
        request: F,
    ) -> impl Future<Output = PollResponse> + use<F>
    where
        F: FnOnce(oneshot::Sender<PollResponse>) -> PollRequest,
    {
        let (sender, response) = oneshot::channel();
        let queue = self.queue();
        let (number, is_first) = queue.push(Box::new(request(sender)));
        if is_first {
            tokio::spawn(PollWorker::new(Arc::clone(self), Arc::clone(&queue)).run());
        }
        let on_drop = CancelOnDrop { queue, number };
        async move {
            let _on_drop = on_drop;
            response.await.unwrap_or_else(|_| PollResponse {
                state: Err(cut_off()),
                was_last: false,
            })
        }
    }

    fn queue(&self) -> Arc<PollQueue> {
        let runtime = runtime::Handle::current().id();
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        if !queues.contains_key(&runtime) {
            // Drop queues without a worker.
            queues.retain(|_, queue| Arc::strong_count(queue) > 1);
        }
        Arc::clone(queues.entry(runtime).or_default())
    }
}

struct CancelOnDrop {
    queue: Arc<PollQueue>,
    number: u64,
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.queue.cancel(self.number);
    }
}

/// The runtime has ended in which a wait began that goes on elsewhere.
fn cut_off() -> Error {
    Error::new(
        ErrorKind::Transport,
        "the look at the task was broken off, since the runtime that made it has ended",
    )
    .with_retryable(true)
}
