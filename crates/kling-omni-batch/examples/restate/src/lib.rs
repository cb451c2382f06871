//! The steps of a batch under [Restate](https://restate.dev), a workflow engine, instead of the queue in Postgres.
//!
//! A step is a handler of a virtual object that has the id of the item as its key, so the steps of an item are run one after
//! the other. The engine runs a handler again until it succeeds, on any machine. The create is not a handler: an
//! engine repeats what may have been done, and that would be paid twice. The worker that has the lease of the account creates.

use std::time::Duration;

use async_trait::async_trait;
use kling_omni_batch::ledger::{ItemId, Job, Step};
use kling_omni_batch::{JobSender, Worker};
use restate_sdk::prelude::*;

/// The handlers of the steps.
#[derive(Clone, Debug)]
pub struct Steps {
    /// Runs the steps of its account.
    pub worker: Worker,
}

#[object]
impl Steps {
    #[handler]
    async fn prepare(&self, context: ObjectContext<'_>) -> Result<(), HandlerError> {
        self.run(context.key(), Step::Prepare).await
    }

    #[handler]
    async fn fetch(&self, context: ObjectContext<'_>) -> Result<(), HandlerError> {
        self.run(context.key(), Step::Fetch).await
    }
}

impl Steps {
    /// The ledger has what was done, so nothing has to be recorded by Restate, and a repetition changes nothing.
    async fn run(&self, item: &str, step: Step) -> Result<(), HandlerError> {
        let item = item
            .parse()
            .map_err(|_| TerminalError::new("the key is not the id of an item"))?;
        let job = Job {
            item: ItemId(item),
            step,
        };
        self.worker.run_step(job).await?;
        Ok(())
    }
}

/// Sends jobs to the ingress of Restate.
#[derive(Clone, Debug)]
pub struct RestateSender {
    ingress: String,
    http: reqwest::Client,
}

impl RestateSender {
    /// `ingress` is the URL of the ingress, such as `http://127.0.0.1:8080`.
    pub fn new(ingress: impl Into<String>) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(5));
        Ok(Self {
            ingress: ingress.into(),
            http: http.build()?,
        })
    }
}

#[async_trait]
impl JobSender for RestateSender {
    async fn send(&self, jobs: Vec<Job>) {
        for job in jobs {
            let url = format!("{}/Steps/{}/{}/send", self.ingress, job.item.0, job.step);
            let sent = self.http.post(url).send().await;
            // What is not sent now is sent again later.
            if let Err(error) = sent.and_then(reqwest::Response::error_for_status) {
                tracing::warn!(%error, "job not sent");
                return;
            }
        }
    }
}
