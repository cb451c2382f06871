//! Starts runs, and leaves batches to workers.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kling_omni::Client;
use tokio::sync::{mpsc, watch};

use crate::attempt_store::KnownStore;
use crate::batches::Batches;
use crate::conductor::{Conductor, RunContext};
use crate::error::{BatchError, BatchResult};
use crate::holder::holder_of;
use crate::ledger::{AccountId, Batch, Lease, Ledger};
use crate::policy::Policy;
use crate::results::ResultsFile;
use crate::run::{BatchRun, Control};
use crate::run_options::RunOptions;
use crate::spool::Spool;
use crate::state::BatchState;
use crate::step::StepContext;
use crate::worker::JobSender;

/// How often a run looks whether a lease was extended, or has ended. Its holder extends it each second.
const LEASE_LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// Who runs the steps that cost nothing.
#[derive(Clone, Debug)]
pub(crate) enum Dispatch {
    /// The run itself.
    Run,
    /// Workers. The queue of the ledger delivers the jobs, unless there is a sender.
    Workers(Option<Arc<dyn JobSender>>),
}

impl Batches {
    /// Starts a run, on the current tokio runtime. It settles what earlier runs left unconfirmed, and then creates, waits and
    /// saves until all items have ended. A paused or stopped batch is resumed.
    ///
    /// # Errors
    ///
    /// [`BatchError::OtherAccount`] if the client has another key or uses another service than the batch was started with,
    /// [`BatchError::InUse`] if another run has the account and extends its lease, see [`RunOptions::lease_wait`],
    /// [`BatchError::Damaged`] if the ledger is not intact, and an error
    /// of the client if the URL of a [webhook](RunOptions::webhook) is not an http or https URL.
    ///
    /// [`BatchError::OtherAccount`]: crate::BatchError::OtherAccount
    /// [`BatchError::InUse`]: crate::BatchError::InUse
    /// [`BatchError::Damaged`]: crate::BatchError::Damaged
    pub async fn run(
        &self,
        batch: &str,
        client: &Client,
        options: RunOptions,
    ) -> BatchResult<BatchRun> {
        if let Some(webhook) = &options.webhook {
            webhook.check()?;
        }
        let batch = self.ledger.batch(batch).await?;
        let account = self.assign(&batch, client).await?;
        self.start(batch, account, client, options, Dispatch::Run)
            .await
    }

    /// Leaves a batch to [workers](Self::worker) of its ledger. The options are stored, and apply from then on, whichever
    /// worker runs the batch. A paused or stopped batch is resumed. Submitting a batch again replaces its options: a run that
    /// is in progress keeps those that it has.
    ///
    /// # Errors
    ///
    /// [`BatchError::OtherAccount`] as for [`run`](Self::run), and [`BatchError::NotForWorkers`] if the options have a webhook,
    /// a results file or a poll schedule.
    ///
    /// [`BatchError::OtherAccount`]: crate::BatchError::OtherAccount
    /// [`BatchError::NotForWorkers`]: crate::BatchError::NotForWorkers
    pub async fn submit(
        &self,
        batch: &str,
        client: &Client,
        options: RunOptions,
    ) -> BatchResult<()> {
        let policy = Policy::of(options)?.to_json()?;
        let batch = self.ledger.batch(batch).await?;
        self.assign(&batch, client).await?;
        self.ledger.set_policy(batch.id, Some(policy)).await?;
        let resume = self
            .ledger
            .set_batch_state(batch.id, BatchState::Running, None);
        resume.await?;
        Ok(())
    }

    async fn assign(&self, batch: &Batch, client: &Client) -> BatchResult<AccountId> {
        let key = client.key_fingerprint(&self.ledger.salt().await?);
        self.ledger.assign(batch.id, client.base_url(), &key).await
    }

    /// Starts a run of a batch that belongs to the account of the client.
    pub(crate) async fn start(
        &self,
        batch: Batch,
        account: AccountId,
        client: &Client,
        options: RunOptions,
        dispatch: Dispatch,
    ) -> BatchResult<BatchRun> {
        let ledger = &self.ledger;
        let holder = holder_of(&format!("batch {}", batch.name));
        let wait = match dispatch {
            Dispatch::Run => options.lease_wait,
            // A worker looks again by itself.
            Dispatch::Workers(_) => Duration::ZERO,
        };
        let lease = acquire(&**ledger, account, &holder, wait).await?;
        if let Dispatch::Run = dispatch {
            let resume = ledger.set_batch_state(batch.id, BatchState::Running, None);
            resume.await?;
        }
        let batch = ledger.batch(&batch.name).await?;
        if let Some(guard) = &options.spend_guard {
            let spent = self.spent(&batch.name, guard).await?;
            let _ = guard.clone().with_spent(spent);
        }
        let spool = options.spool_folder().filter(|_| lease.can_be_lost());
        let salt = ledger.salt().await?;
        let spool = spool.map(|folder| Spool::new(folder, &salt));
        if let Some(spool) = &spool {
            spool.deliver(&**ledger, &lease).await?;
        }
        let known = Arc::new(KnownStore::load(&**ledger, account).await?);
        let results = match options.results.clone() {
            Some(path) => Some(ResultsFile::open(&**ledger, batch.id, path).await?),
            None => None,
        };
        let (events, receiver) = mpsc::unbounded_channel();
        let (control, controlled) = watch::channel(Control::Continue);
        let step = StepContext {
            ledger: Arc::clone(ledger),
            client: client.clone(),
            options,
            events,
            lease: Some(lease.clone()),
            spool,
            writable: Arc::default(),
        };
        let shared = RunContext {
            step,
            lease,
            known,
            dispatch,
            control: controlled,
            listed: Mutex::default(),
            renewed: Mutex::default(),
        };
        let conductor = tokio::spawn(async move {
            let ended = Conductor::new(&shared, batch, results).run().await;
            let RunContext { step, lease, .. } = shared;
            let ledger = Arc::clone(&step.ledger);
            // A lock that it holds is dropped with its last clone.
            drop(step);
            ledger.release(lease).await?;
            ended
        });
        Ok(BatchRun {
            events: receiver,
            control,
            conductor,
        })
    }
}

/// Acquires an account. Waits for the end of a lease that is not extended meanwhile.
async fn acquire(
    ledger: &dyn Ledger,
    account: AccountId,
    holder: &str,
    wait: Duration,
) -> BatchResult<Lease> {
    let begin = Instant::now();
    let mut seen = None;
    loop {
        let in_use = match ledger.acquire(account, holder).await {
            Err(BatchError::InUse { holder }) => holder,
            acquired => return acquired,
        };
        let accounts = ledger.accounts().await?;
        let account = accounts.iter().find(|other| other.id == account);
        let lease_end = account.and_then(|account| account.lease_end);
        let can_end = account.is_some_and(|account| account.is_held.is_some());
        let is_extended = seen.is_some_and(|seen| lease_end.is_some_and(|end| end != seen));
        if !can_end || is_extended || begin.elapsed() >= wait {
            return Err(BatchError::InUse { holder: in_use });
        }
        if seen.is_none() {
            tracing::info!(holder = in_use, "waiting for the end of a lease");
            seen = lease_end;
        }
        tokio::time::sleep(LEASE_LOOK_INTERVAL).await;
    }
}
