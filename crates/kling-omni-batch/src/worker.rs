//! Workers: processes on any number of machines that share the batches of a ledger.

mod conduct;
mod handle;
mod options;
mod steps;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use async_trait::async_trait;
use kling_omni::Client;
use serde::Serialize;
use tokio::sync::{mpsc, watch};

use crate::batches::Batches;
use crate::error::BatchResult;
use crate::ledger::{AccountId, Job};
use crate::run::RunEvent;

pub use crate::worker::handle::WorkerRun;
pub use crate::worker::options::WorkerOptions;
pub use crate::worker::steps::StepResult;

/// Sends jobs to workers by a queue of your own, such as a workflow engine.
///
/// A job may be sent, delivered and run more than once. What a failed call did not send is sent again later.
#[async_trait]
pub trait JobSender: fmt::Debug + Send + Sync + 'static {
    /// Sends jobs, each to be run by [`Worker::run_step`] once or more.
    async fn send(&self, jobs: Vec<Job>);
}

/// An event of a worker.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum WorkerEvent {
    /// The worker has the lease of an account, and creates the tasks of a batch.
    Conducting {
        /// The name of the batch.
        batch: String,
    },
    /// The worker does not conduct the batch any more: it ended, is paused, or failed.
    Released {
        /// The name of the batch.
        batch: String,
        /// Why, if it failed.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// The ledger has no account of the key yet.
    NoAccount,
    /// What happened to a batch.
    #[serde(untagged)]
    Run {
        /// The name of the batch.
        batch: String,
        /// The event.
        #[serde(flatten)]
        event: RunEvent,
    },
}

/// A worker: it conducts the batches that were [submitted](Batches::submit) for the account of its client, and runs their steps.
///
/// Any number of workers share a ledger. For each account, one of them at a time conducts: it alone creates tasks and polls,
/// so the limits of a batch apply to all machines together. If it dies, another one takes over when its lease has ended, after
/// at most 10 s, and settles what was unconfirmed before it sends anything. The steps that cost nothing, prepare and
/// fetch, are run by all workers.
///
/// A worker has one client. A ledger may have batches of several accounts; a worker runs those of its client's key.
///
/// ```no_run
/// use kling_omni::Client;
/// use kling_omni_batch::{Batches, RunOptions, WorkerOptions};
///
/// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
/// let batches = Batches::open_with_queue("postgres://kling@db.example/batches").await?;
/// batches.submit("cats", &client, RunOptions::default().in_flight(50)).await?;
/// let worker = batches.worker(&client, WorkerOptions::default()).start().await?;
/// tokio::signal::ctrl_c().await?;
/// worker.stop();
/// worker.await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Worker {
    pub(crate) shared: Arc<WorkerShared>,
}

/// What the tasks of a worker share.
pub(crate) struct WorkerShared {
    pub(crate) batches: Batches,
    pub(crate) client: Client,
    pub(crate) options: WorkerOptions,
    pub(crate) events: Mutex<Option<mpsc::UnboundedSender<WorkerEvent>>>,
    /// The account of the client, once the ledger has it.
    pub(crate) account: OnceLock<AccountId>,
}

impl Batches {
    /// Creates a worker for the account of a client.
    pub fn worker(&self, client: &Client, options: WorkerOptions) -> Worker {
        Worker {
            shared: Arc::new(WorkerShared {
                batches: self.clone(),
                client: client.clone(),
                options,
                events: Mutex::default(),
                account: OnceLock::new(),
            }),
        }
    }
}

impl Worker {
    /// Starts the worker on the current tokio runtime. It runs until it is stopped.
    ///
    /// # Errors
    ///
    /// [`BatchError::NoQueue`](crate::BatchError::NoQueue) if the ledger does not deliver jobs and there is no
    /// [sender](WorkerOptions::job_sender), and those of the ledger.
    pub async fn start(&self) -> BatchResult<WorkerRun> {
        handle::start(self).await
    }

    /// The account of the client, if the ledger has it.
    pub(crate) async fn account(&self) -> BatchResult<Option<AccountId>> {
        let WorkerShared {
            batches,
            client,
            account,
            ..
        } = &*self.shared;
        if let Some(account) = account.get() {
            return Ok(Some(*account));
        }
        let key = client.key_fingerprint(&batches.ledger().salt().await?);
        let accounts = batches.ledger().accounts().await?;
        let own = accounts
            .into_iter()
            .find(|account| account.service == client.base_url() && account.key_fingerprint == key);
        Ok(own.map(|own| *account.get_or_init(|| own.id)))
    }

    fn events(&self) -> MutexGuard<'_, Option<mpsc::UnboundedSender<WorkerEvent>>> {
        let events = self.shared.events.lock();
        events.unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn emit(&self, event: WorkerEvent) {
        if let Some(events) = &*self.events() {
            // The worker may only be awaited.
            let _ = events.send(event);
        }
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("options", &self.shared.options)
            .finish_non_exhaustive()
    }
}

/// Whether a worker is asked to stop.
pub(crate) fn is_stopped(stop: &watch::Receiver<bool>) -> bool {
    *stop.borrow() || stop.has_changed().is_err()
}

/// Completes when a worker is asked to stop.
pub(crate) async fn stopped(mut stop: watch::Receiver<bool>) {
    // The handle of the worker was dropped, which also stops it.
    let _ = stop.wait_for(|stop| *stop).await;
}
