//! Polls tasks for all waits of a client: one by one if there are few, and by the list of tasks if there are many.

pub(crate) mod backlog;
pub(crate) mod durations;
pub(crate) mod list_poll;
pub(crate) mod list_poll_stats;
pub(crate) mod queue;
pub(crate) mod schedule;
pub(crate) mod worker;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::runtime;
use tokio::sync::oneshot;

use crate::engine::http::Http;
use crate::engine::known_tasks::KnownTasks;
use crate::engine::operations::ListOperation;
use crate::engine::page::Page;
use crate::engine::polling::durations::DurationModel;
use crate::engine::polling::list_poll_stats::ListPollStats;
use crate::engine::polling::queue::{PendingPoll, PollQueue, PollRequest, PollResponse};
use crate::engine::polling::worker::PollWorker;
use crate::engine::service::Service;
use crate::engine::state::TaskState;

/// How long a wait for a task lasts by default.
pub(crate) const DEFAULT_WAIT_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// A state that a webhook delivered, and when. Without a time, it was delivered before the wait began.
pub(crate) type WebhookUpdate = (TaskState, Option<Instant>);

/// The webhook deliveries for one task.
pub(crate) trait WebhookUpdates: Send {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<WebhookUpdate>;

    /// Whether deliveries are known to arrive, so polls can be less frequent.
    fn is_trusted(&self) -> bool;

    /// Records that a poll returned a state that should have been delivered before.
    fn distrust(&self);
}

/// Polls tasks for all waits of a client.
pub(crate) struct Poller {
    pub(crate) http: Arc<Http>,
    pub(crate) service: &'static dyn Service,
    /// One queue for each runtime: a worker makes progress only while its runtime does.
    queues: Mutex<HashMap<runtime::Id, Arc<PollQueue>>>,
    pub(crate) list_stats: ListPollStats,
    durations: Mutex<DurationModel>,
    /// Gets the tasks of all lists that are read.
    known_tasks: Option<KnownTasks>,
}

impl Poller {
    pub(crate) fn new(
        http: Arc<Http>,
        service: &'static dyn Service,
        durations: DurationModel,
        known_tasks: Option<KnownTasks>,
    ) -> Self {
        Self {
            http,
            service,
            queues: Mutex::default(),
            list_stats: ListPollStats::default(),
            durations: Mutex::new(durations),
            known_tasks,
        }
    }

    /// Adds the tasks of a page to the set of known tasks.
    pub(crate) fn add_to_known(&self, list: &'static ListOperation, page: &Page) {
        if let Some(known) = &self.known_tasks {
            known.add_page(list, page);
        }
    }

    /// The learned durations of tasks.
    pub(crate) fn durations(&self) -> MutexGuard<'_, DurationModel> {
        self.durations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a poll. `request` receives the sender of the response.
    pub(crate) fn poll(
        self: &Arc<Self>,
        request: impl FnOnce(oneshot::Sender<Box<PollResponse>>) -> PollRequest,
    ) -> PendingPoll {
        let (sender, response) = oneshot::channel();
        let queue = self.queue();
        let (number, needs_worker) = queue.push(Box::new(request(sender)));
        if needs_worker {
            tokio::spawn(PollWorker::new(Arc::clone(self), Arc::clone(&queue)).run());
        }
        PendingPoll::new(queue, number, response)
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
