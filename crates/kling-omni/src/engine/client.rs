//! What is settled once for a client, and what it learns on the way.

pub(crate) mod upload_cache;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use tokio::runtime;

use crate::clock::Clock;
use crate::engine::attribution::Attribution;
use crate::engine::client::upload_cache::UploadCache;
use crate::engine::http::client::LazyClient;
use crate::engine::http::key::ApiKey;
use crate::engine::limits::in_flight::InFlightLimit;
use crate::engine::limits::rate_limiter::RateLimiter;
use crate::engine::limits::retry_budget::{Health, RetryThrottle};
use crate::engine::polling::durations::DurationModel;
use crate::engine::polling::list_poll_stats::ListPollStats;
use crate::engine::polling::queue::PollQueue;
use crate::host::Server;
use crate::preflight::Remote;
use crate::route::Route;

/// What all clones of a client, and all of its tasks, have in common.
pub(crate) struct ClientInner {
    pub(crate) server: Server,
    /// Where places for uploads are asked for, which one host alone has.
    pub(crate) upload_server: Server,
    pub(crate) key: ApiKey,
    pub(crate) key_value: HeaderValue,
    pub(crate) http: reqwest::Client,
    /// Whether `http` is of our making: follows no redirect and repeats nothing by itself, so that a failure to
    /// connect means that nothing was sent.
    pub(crate) http_is_ours: bool,
    /// Fetches results, which live on other hosts: never carries the key, and follows redirects.
    pub(crate) downloads: LazyClient,
    /// Looks at files behind URLs, wherever they lead.
    pub(crate) remote: Remote,
    /// Brings files to a storage host: never carries the key, nor any header of its own, and follows no redirect.
    pub(crate) uploads: LazyClient,
    pub(crate) route: Route,
    pub(crate) retries: u32,
    pub(crate) attempt_timeout: Duration,
    /// For all attempts of a call and the waits between them.
    pub(crate) call_timeout: Option<Duration>,
    pub(crate) budget: RetryThrottle,
    pub(crate) pace: RateLimiter,
    pub(crate) places: InFlightLimit,
    pub(crate) idle_timeout: Duration,
    pub(crate) max_download_size: u64,
    pub(crate) longest_retry_wait: Duration,
    pub(crate) largest_body: usize,
    pub(crate) clock: Arc<dyn Clock>,
    /// Set once the successor route has answered in place of the older one.
    pub(crate) successor_only: AtomicBool,
    /// What was uploaded and can be used again.
    pub(crate) uploaded: UploadCache,
    pub(crate) attribution: Arc<Mutex<Attribution>>,
    /// What tasks take.
    pub(crate) learnt: Mutex<DurationModel>,
    /// The looks at tasks that waits have asked for, by the runtimes in which they did.
    pub(crate) queues: Mutex<HashMap<runtime::Id, Arc<PollQueue>>>,
    pub(crate) sweeps: ListPollStats,
}

impl ClientInner {
    /// The queue of the runtime in which it is asked for: whoever works through one gets on only as long as its runtime
    /// does, and that of a blocking caller stands still between two calls.
    pub(crate) fn queue(&self) -> Arc<PollQueue> {
        let runtime = runtime::Handle::current().id();
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        if !queues.contains_key(&runtime) {
            // Nobody holds on to what nobody works through.
            queues.retain(|_, queue| Arc::strong_count(queue) > 1);
        }
        Arc::clone(queues.entry(runtime).or_default())
    }

    pub(crate) fn health(&self) -> Health {
        self.budget.health(self.places.taken())
    }

    pub(crate) fn is_successor_only(&self) -> bool {
        self.successor_only.load(Ordering::Relaxed)
    }

    pub(crate) fn remember_successor_only(&self) {
        self.successor_only.store(true, Ordering::Relaxed);
    }

    pub(crate) fn learnt(&self) -> MutexGuard<'_, DurationModel> {
        self.learnt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn attribution(&self) -> MutexGuard<'_, Attribution> {
        crate::engine::attribution::lock(&self.attribution)
    }
}
