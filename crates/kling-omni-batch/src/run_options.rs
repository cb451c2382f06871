//! The options of a run.

use std::path::PathBuf;
use std::time::Duration;

#[cfg(feature = "object-store")]
use kling_omni::download::VideoStore;
use kling_omni::polling::PollSchedule;
use kling_omni::preflight::MediaChecks;
use kling_omni::recovery::Reconcile;
use kling_omni::spend::SpendGuard;
use kling_omni::webhook::WebhookReceiver;

use crate::failpoint::Failpoints;
use crate::run_webhook::RunWebhook;

/// The name of the default folder of [`RunOptions::spool`].
const SPOOL: &str = ".kling-omni-spool";

/// The options of a [run](crate::Batches::run).
#[derive(Clone, Debug)]
#[must_use]
pub struct RunOptions {
    pub(crate) in_flight: usize,
    pub(crate) create_interval: Duration,
    pub(crate) max_prepares: usize,
    pub(crate) max_fetches: usize,
    pub(crate) retry_failed: u32,
    pub(crate) max_failures_of_request: u32,
    pub(crate) settle_time: Duration,
    pub(crate) task_timeout: Duration,
    pub(crate) poll_schedule: Option<PollSchedule>,
    pub(crate) media_checks: MediaChecks,
    pub(crate) allow_private_networks: bool,
    pub(crate) webhook: Option<RunWebhook>,
    pub(crate) results: Option<PathBuf>,
    pub(crate) spool: Option<PathBuf>,
    pub(crate) spend_guard: Option<SpendGuard>,
    #[cfg(feature = "object-store")]
    pub(crate) video_store: Option<VideoStore>,
    pub(crate) lease_wait: Duration,
    pub(crate) failpoints: Failpoints,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            in_flight: Self::DEFAULT_IN_FLIGHT,
            create_interval: Duration::ZERO,
            max_prepares: 4,
            max_fetches: 4,
            retry_failed: 0,
            max_failures_of_request: 3,
            settle_time: Reconcile::DEFAULT_SETTLE_TIME,
            task_timeout: Duration::from_secs(2 * 3600),
            poll_schedule: None,
            media_checks: MediaChecks::Local,
            allow_private_networks: false,
            webhook: None,
            results: None,
            spool: None,
            spend_guard: None,
            #[cfg(feature = "object-store")]
            video_store: None,
            lease_wait: Duration::from_secs(15),
            failpoints: Failpoints::default(),
        }
    }
}

impl RunOptions {
    /// How many tasks run at once by default.
    pub const DEFAULT_IN_FLIGHT: usize = 20;

    /// Sets how many tasks run at once. Default: [`DEFAULT_IN_FLIGHT`](Self::DEFAULT_IN_FLIGHT), at least 1. [`max_in_flight_tasks`] of the client limits it, too.
    ///
    /// [`max_in_flight_tasks`]: kling_omni::ClientBuilder::max_in_flight_tasks
    pub fn in_flight(mut self, tasks: usize) -> Self {
        self.in_flight = tasks.max(1);
        self
    }

    /// Sets the least time between two creates. Default: zero.
    pub fn create_interval(mut self, interval: Duration) -> Self {
        self.create_interval = interval;
        self
    }

    /// Sets how many items are inspected and uploaded at once. Default: 4, at least 1.
    pub fn max_prepares(mut self, items: usize) -> Self {
        self.max_prepares = items.max(1);
        self
    }

    /// Sets how many videos are downloaded at once. Default: 4, at least 1.
    pub fn max_fetches(mut self, videos: usize) -> Self {
        self.max_fetches = videos.max(1);
        self
    }

    /// Sets how often an item whose task failed is created again. Default: 0. **Each time may cost money**: it is not known
    /// whether the service charges failed tasks.
    pub fn retry_failed(mut self, times: u32) -> Self {
        self.retry_failed = times;
        self
    }

    /// Sets after how many failed tasks of the same request on the account no further one is created. Default: 3.
    pub fn max_failures_of_request(mut self, failures: u32) -> Self {
        self.max_failures_of_request = failures;
        self
    }

    /// Sets how long a create whose response was lost may still make a task:
    /// [`Reconcile::settle_time`](kling_omni::recovery::Reconcile::settle_time). Default: 300 s. **With a shorter time you may
    /// pay twice.**
    pub fn settle_time(mut self, time: Duration) -> Self {
        self.settle_time = time;
        self
    }

    /// Sets how long to wait for a task before its item counts as failed. It can be fetched later at no cost, with
    /// [`Batches::retry`](crate::Batches::retry). Default: two hours.
    pub fn task_timeout(mut self, timeout: Duration) -> Self {
        self.task_timeout = timeout;
        self
    }

    /// Sets when tasks are polled. Default: [`PollSchedule::adaptive`].
    pub fn poll_schedule(mut self, schedule: PollSchedule) -> Self {
        self.poll_schedule = Some(schedule);
        self
    }

    /// Sets which images and videos are inspected before anything is paid for. Default: [`MediaChecks::Local`].
    pub fn media_checks(mut self, checks: MediaChecks) -> Self {
        self.media_checks = checks;
        self
    }

    /// Sets whether URLs in private networks and on this machine are inspected, too. Default: false, because the URLs of a
    /// manifest may come from others.
    pub fn allow_private_networks(mut self, allow: bool) -> Self {
        self.allow_private_networks = allow;
        self
    }

    /// Waits for the deliveries of a receiver, too. `url` becomes the `webhook_url` of each request that has none, and has to
    /// lead to `receiver`. Default: tasks are only polled.
    ///
    /// Each create adds its own [correlation token](kling_omni::webhook::correlation) to the URL, so the delivery names the
    /// task of a create whose response was lost. Polling continues at longer intervals, in case deliveries are lost. A delivery
    /// counts only with a valid signature. Set the [capacities](kling_omni::webhook::WebhookReceiverBuilder::state_capacity) of
    /// the receiver for at least [`in_flight`](Self::in_flight) tasks.
    pub fn webhook(mut self, url: impl Into<String>, receiver: &WebhookReceiver) -> Self {
        self.webhook = Some(RunWebhook {
            url: url.into(),
            receiver: receiver.clone(),
        });
        self
    }

    /// Keeps a file with a line of JSON for each item that ended, in the order in which they end, at most a second later; see
    /// [`Batches::write_results`](crate::Batches::write_results).
    pub fn results(mut self, path: impl Into<PathBuf>) -> Self {
        self.results = Some(path.into());
        self
    }

    /// Sets the folder for records of paid tasks that the ledger could not take, because its database was not available. The
    /// next run with this folder, on this machine, appends them. Default: the folder `.kling-omni-spool` beside the
    /// [results](Self::results), if there are any. A ledger in a file needs none.
    pub fn spool(mut self, folder: impl Into<PathBuf>) -> Self {
        self.spool = Some(folder.into());
        self
    }

    pub(crate) fn spool_folder(&self) -> Option<PathBuf> {
        let beside_results = || Some(self.results.as_ref()?.parent()?.join(SPOOL));
        self.spool.clone().or_else(beside_results)
    }

    /// Sets the spend guard of the client. At the start of a run, its count becomes what the batch has paid for, or may have,
    /// so its limits apply to all runs of the batch together. A create that does not fit within them pauses the batch.
    ///
    /// ```no_run
    /// use kling_omni::Client;
    /// use kling_omni::spend::SpendGuard;
    /// use kling_omni_batch::{Batches, RunOptions};
    ///
    /// # async fn example(batches: Batches) -> Result<(), Box<dyn std::error::Error>> {
    /// let guard = SpendGuard::new().max_tasks(500);
    /// let client = kling_omni::ClientBuilder::from_env()?.spend_guard(guard.clone()).build()?;
    /// let options = RunOptions::default().spend_guard(guard);
    /// let status = batches.run("cats", &client, options).await?.await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn spend_guard(mut self, guard: SpendGuard) -> Self {
        self.spend_guard = Some(guard);
        self
    }

    /// Sets the buckets of items whose path is the URL of an object. The ledger has no credentials. Default: none, and a batch
    /// with such items pauses.
    #[cfg(feature = "object-store")]
    pub fn video_store(mut self, store: VideoStore) -> Self {
        self.video_store = Some(store);
        self
    }

    /// Sets how long a run waits for a lease of the account that is not extended any more: that of a run that has died. A run that
    /// is alive extends its lease each second, and the other one is refused as soon as it sees that. Default: 15 s, which is
    /// longer than a lease lasts. A ledger in a file needs no wait: the lock ends with its process.
    pub fn lease_wait(mut self, time: Duration) -> Self {
        self.lease_wait = time;
        self
    }

    /// Calls `callback` before and after each durable step, with its name. The run waits for the returned future.
    ///
    /// A name is `before` or `after` and the step: `prepare`, `begin` (of an attempt), `fail`, `undecided`, or a record of the
    /// journal (`prepared`, `sending`, `created`, `unconfirmed`, `rejected`, `not_created`, `ended`, `publishing`, `saved`).
    #[cfg(feature = "test-hooks")]
    #[doc(hidden)]
    pub fn on_step<F>(mut self, callback: impl Fn(String) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.failpoints.callback = Some(std::sync::Arc::new(move |step| Box::pin(callback(step))));
        self
    }
}
