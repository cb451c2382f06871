//! The options of a worker.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

#[cfg(feature = "object-store")]
use kling_omni::download::VideoStore;
use kling_omni::polling::PollSchedule;

use crate::ledger::Step;
use crate::run_options::RunOptions;
use crate::worker::JobSender;

/// The options of a [worker](crate::Worker). Those of a batch are set when it is [submitted](crate::Batches::submit).
#[derive(Clone, Debug)]
#[must_use]
pub struct WorkerOptions {
    pub(crate) conducts: bool,
    pub(crate) steps: BTreeSet<Step>,
    /// The options of runs, without those of a batch.
    pub(crate) run: RunOptions,
    pub(crate) sender: Option<Arc<dyn JobSender>>,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            conducts: true,
            steps: Step::ALL.iter().copied().collect(),
            run: RunOptions::default(),
            sender: None,
        }
    }
}

impl WorkerOptions {
    /// Runs only these steps, and does not conduct: creates nothing. Default: all steps, and conducts.
    pub fn only(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.conducts = false;
        self.steps = steps.into_iter().collect();
        self
    }

    /// Runs no steps, and only conducts. Other workers have to run them. Default: runs all steps.
    pub fn without_steps(mut self) -> Self {
        self.steps.clear();
        self
    }

    /// Sets how many items are inspected and uploaded at once. The conductor has twice as many prepared ahead. Default: 4, at
    /// least 1.
    pub fn max_prepares(mut self, items: usize) -> Self {
        self.run = self.run.max_prepares(items);
        self
    }

    /// Sets how many videos are downloaded at once. Default: 4, at least 1.
    pub fn max_fetches(mut self, videos: usize) -> Self {
        self.run = self.run.max_fetches(videos);
        self
    }

    /// Sets when tasks are polled. Default: [`PollSchedule::adaptive`].
    pub fn poll_schedule(mut self, schedule: PollSchedule) -> Self {
        self.run = self.run.poll_schedule(schedule);
        self
    }

    /// Sets the folder for records of paid tasks that the ledger could not take, as [`RunOptions::spool`] does. Default: none.
    pub fn spool(mut self, folder: impl Into<PathBuf>) -> Self {
        self.run = self.run.spool(folder);
        self
    }

    /// Sets the buckets of items whose path is the URL of an object, as [`RunOptions::video_store`] does.
    #[cfg(feature = "object-store")]
    pub fn video_store(mut self, store: VideoStore) -> Self {
        self.run = self.run.video_store(store);
        self
    }

    /// Sends jobs by a queue of your own instead of that of the ledger. The worker runs no steps by itself then: call
    /// [`Worker::run_step`](crate::Worker::run_step) for each job.
    pub fn job_sender(mut self, sender: impl JobSender) -> Self {
        self.sender = Some(Arc::new(sender));
        self
    }

    /// Calls `callback` before and after each durable step, as [`RunOptions::on_step`] does.
    #[cfg(feature = "test-hooks")]
    #[doc(hidden)]
    pub fn on_step<F>(mut self, callback: impl Fn(String) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.run = self.run.on_step(callback);
        self
    }
}
