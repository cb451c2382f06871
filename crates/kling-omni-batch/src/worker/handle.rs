//! The handle of a worker that was started.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::error::{BatchError, BatchResult};
use crate::ledger::{AccountId, Job, JobConsumer, Step};
use crate::worker::conduct::{LOOK_INTERVAL, conduct};
use crate::worker::{Worker, WorkerEvent, is_stopped, stopped};

/// The delays between tries to consume jobs, while the database is away.
const CONSUME_DELAYS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// A worker that was started. Await it to wait until it has stopped.
///
/// Dropping it stops the worker as [`stop`](Self::stop) does.
#[must_use = "dropping it stops the worker"]
pub struct WorkerRun {
    events: mpsc::UnboundedReceiver<WorkerEvent>,
    stop: watch::Sender<bool>,
    ended: JoinHandle<BatchResult<()>>,
}

impl WorkerRun {
    /// Stops the worker: it conducts no more, after a create that was sent is completed, takes no more jobs, and completes those
    /// that are running. Another worker takes over at once.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Ends the worker at once. Another worker takes over when its lease has ended, and settles a create that was
    /// unconfirmed.
    pub fn abort(&self) {
        self.ended.abort();
    }

    /// The next event; `None` when the worker has stopped.
    pub async fn next_event(&mut self) -> Option<WorkerEvent> {
        self.events.recv().await
    }
}

impl IntoFuture for WorkerRun {
    type Output = BatchResult<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self {
            events,
            stop,
            ended,
        } = self;
        drop(events);
        Box::pin(async move {
            let ended = ended.await;
            drop(stop);
            match ended {
                Ok(ended) => ended,
                Err(error) if error.is_cancelled() => Err(BatchError::Aborted),
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            }
        })
    }
}

impl fmt::Debug for WorkerRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerRun").finish_non_exhaustive()
    }
}

pub(super) async fn start(worker: &Worker) -> BatchResult<WorkerRun> {
    let shared = &worker.shared;
    let consumes = shared.options.sender.is_none();
    if consumes && !shared.batches.ledger().has_queue() {
        return Err(BatchError::NoQueue);
    }
    let (events, receiver) = mpsc::unbounded_channel();
    *worker.events() = Some(events);
    let (stop, stopping) = watch::channel(false);
    let worker = worker.clone();
    let ended = tokio::spawn(async move {
        let ended = match find_account(&worker, stopping.clone()).await {
            Ok(Some(account)) => run(&worker, account, consumes, &stopping).await,
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        let mut events = worker.events();
        *events = None;
        ended
    });
    Ok(WorkerRun {
        events: receiver,
        stop,
        ended,
    })
}

/// Waits until the ledger has the account of the client. `None` if the worker is stopped before.
async fn find_account(
    worker: &Worker,
    stop: watch::Receiver<bool>,
) -> BatchResult<Option<AccountId>> {
    let mut is_reported = false;
    loop {
        match worker.account().await {
            Ok(Some(account)) => return Ok(Some(account)),
            Err(error @ BatchError::Moved { .. }) => return Err(error),
            Ok(None) if !is_reported => {
                is_reported = true;
                worker.emit(WorkerEvent::NoAccount);
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "accounts of the ledger not read"),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_INTERVAL) => {}
            () = stopped(stop.clone()) => return Ok(None),
        }
    }
}

/// Conducts and consumes jobs until the worker is stopped, or the ledger is moved.
async fn run(
    worker: &Worker,
    account: AccountId,
    consumes: bool,
    stop: &watch::Receiver<bool>,
) -> BatchResult<()> {
    let mut tasks = JoinSet::new();
    let options = &worker.shared.options;
    if options.conducts {
        tasks.spawn(conduct(worker.clone(), account, stop.clone()));
    }
    for step in options.steps.iter().copied().filter(|_| consumes) {
        let consume = consume(worker.clone(), account, step, stop.clone());
        tasks.spawn(consume.map(Ok));
    }
    while let Some(ended) = tasks.join_next().await {
        match ended {
            Ok(ended) => ended?,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {}
        }
    }
    Ok(())
}

/// Runs the jobs of a step. While the database is away, it tries again.
async fn consume(worker: Worker, account: AccountId, step: Step, stop: watch::Receiver<bool>) {
    let options = &worker.shared.options.run;
    let concurrency = match step {
        Step::Prepare => options.max_prepares,
        Step::Fetch => options.max_fetches,
    };
    let (mut delay, max_delay) = CONSUME_DELAYS;
    loop {
        let runner = worker.clone();
        let consumer = JobConsumer {
            account,
            step,
            concurrency,
            run: Arc::new(move |job: Job| {
                let worker = runner.clone();
                async move { worker.run_step(job).await.map(drop) }.boxed()
            }),
            stop: stop.clone(),
        };
        let consumed = worker.shared.batches.ledger().consume_jobs(consumer).await;
        if is_stopped(&stop) {
            return;
        }
        match consumed {
            Ok(()) => delay = CONSUME_DELAYS.0,
            Err(error) => tracing::warn!(%error, step = step.as_str(), "jobs not consumed"),
        }
        tokio::select! {
            () = tokio::time::sleep(delay) => delay = (delay * 2).min(max_delay),
            () = stopped(stop.clone()) => return,
        }
    }
}
