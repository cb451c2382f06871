//! What is settled once for a client, and what it learns on the way.

mod agenda;
pub(crate) mod attribution;
mod budget;
mod host;
mod key;
mod pace;
mod places;
mod proxy;
mod stack;
mod sweeps;
mod uploaded;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use tokio::runtime;

pub(crate) use agenda::{Agenda, Look, Seen, Shown, Subject};
pub(crate) use attribution::{Attribution, Life, Made};
pub(crate) use budget::Budget;
pub use budget::{Circuit, Health, RetryBudget};
pub use host::Host;
pub(crate) use host::Server;
pub use key::ApiKey;
pub(crate) use pace::Pace;
pub(crate) use places::{Place, Places};
pub(crate) use proxy::Proxies;
pub(crate) use stack::{LateClient, direct_stack, stack};
pub(crate) use sweeps::{SweepResult, Sweeps};
pub(crate) use uploaded::KnownUploads;

use crate::clock::Clock;
use crate::preflight::Remote;
use crate::route::Route;
use crate::timing::Learnt;

/// What all clones of a client, and all of its tasks, have in common.
pub(crate) struct Session {
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
    pub(crate) downloads: LateClient,
    /// Looks at files behind URLs, wherever they lead.
    pub(crate) remote: Remote,
    /// Brings files to a storage host: never carries the key, nor any header of its own, and follows no redirect.
    pub(crate) uploads: LateClient,
    pub(crate) route: Route,
    pub(crate) retries: u32,
    pub(crate) attempt_timeout: Duration,
    /// For all attempts of a call and the waits between them.
    pub(crate) call_timeout: Option<Duration>,
    pub(crate) budget: Budget,
    pub(crate) pace: Pace,
    pub(crate) places: Places,
    pub(crate) idle_timeout: Duration,
    pub(crate) max_download_size: u64,
    pub(crate) longest_retry_wait: Duration,
    pub(crate) largest_body: usize,
    pub(crate) clock: Arc<dyn Clock>,
    /// Set once the successor route has answered in place of the older one.
    pub(crate) successor_only: AtomicBool,
    /// What was uploaded and can be used again.
    pub(crate) uploaded: KnownUploads,
    pub(crate) attribution: Arc<Mutex<Attribution>>,
    /// What tasks take.
    pub(crate) learnt: Mutex<Learnt>,
    /// The looks at tasks that waits have asked for, by the runtimes in which they did.
    pub(crate) agendas: Mutex<HashMap<runtime::Id, Arc<Agenda>>>,
    pub(crate) sweeps: Sweeps,
}

impl Session {
    /// The agenda of the runtime in which it is asked for: whoever works through one gets on only as long as its runtime
    /// does, and that of a blocking caller stands still between two calls.
    pub(crate) fn agenda(&self) -> Arc<Agenda> {
        let runtime = runtime::Handle::current().id();
        let mut agendas = self.agendas.lock().unwrap_or_else(PoisonError::into_inner);
        if !agendas.contains_key(&runtime) {
            // Nobody holds on to what nobody works through.
            agendas.retain(|_, agenda| Arc::strong_count(agenda) > 1);
        }
        Arc::clone(agendas.entry(runtime).or_default())
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

    pub(crate) fn learnt(&self) -> MutexGuard<'_, Learnt> {
        self.learnt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn attribution(&self) -> MutexGuard<'_, Attribution> {
        attribution::lock(&self.attribution)
    }
}
