//! A running sandbox: its records and controls, and its shutdown.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::builder::SandboxBuilder;
use crate::fault::FaultRule;
use crate::record::{Delivery, ReceivedRequest, TaskRecord, UploadRecord};
use crate::script::TaskScript;
use crate::service::Service;
use crate::webhook::sequence;

/// How long a shutdown waits for open connections.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// A running sandbox: the API, the result host and the storage host, on three local ports.
///
/// It runs in the tokio runtime that started it, until it is dropped or [shut down](Self::shutdown).
pub struct Sandbox {
    pub(crate) service: Arc<Service>,
    pub(crate) base_url: String,
    #[cfg(feature = "console")]
    pub(crate) console_url: Option<String>,
    pub(crate) seed: u64,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) servers: Vec<JoinHandle<()>>,
}

impl Sandbox {
    /// Returns a builder with default settings.
    pub fn builder() -> SandboxBuilder {
        SandboxBuilder::new()
    }

    /// Returns the base URL of the API, without a trailing slash.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Returns the base URL of the result host, without a trailing slash. It needs no key.
    pub fn result_base_url(&self) -> &str {
        self.service.results.base_url()
    }

    /// Returns the base URL of the storage host, which receives uploads, without a trailing slash. It rejects keys.
    pub fn storage_base_url(&self) -> &str {
        self.service.uploads.base_url()
    }

    /// Returns the URL of the console, if it is [served](SandboxBuilder::console).
    #[cfg(feature = "console")]
    pub fn console_url(&self) -> Option<&str> {
        self.console_url.as_deref()
    }

    /// Returns the first accepted API key.
    pub fn api_key(&self) -> &str {
        &self.service.config.api_keys[0]
    }

    /// Returns the secret that webhooks are signed with, as it was set.
    pub fn webhook_secret(&self) -> &str {
        &self.service.config.webhook_secret
    }

    /// Returns the seed. See [`SandboxBuilder::seed`].
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns the number of created tasks. The service would have charged each.
    pub fn charges(&self) -> usize {
        self.service.tasks.count()
    }

    /// Returns the number of created tasks by the `operationId` of their route.
    pub fn charges_by_route(&self) -> BTreeMap<String, usize> {
        let mut charges = BTreeMap::new();
        for task in self.service.tasks.all() {
            *charges.entry(task.operation_id.clone()).or_default() += 1;
        }
        charges
    }

    /// Returns all tasks, oldest first, with their current status.
    pub fn tasks(&self) -> Vec<TaskRecord> {
        self.service.task_records()
    }

    /// Returns all upload slots, oldest first, with their files.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let sandbox = kling_omni_sandbox::Sandbox::builder().start().await?;
    /// reqwest::Client::new()
    ///     .post(format!("{}/v1/ai/uploads/request-url", sandbox.base_url()))
    ///     .header("x-magnific-api-key", sandbox.api_key())
    ///     .json(&serde_json::json!({"files": [{"content_type": "image/png"}]}))
    ///     .send()
    ///     .await?;
    ///
    /// let upload = &sandbox.uploads()[0];
    /// assert_eq!(upload.content_type(), "image/png");
    /// assert_eq!(upload.length(), None);
    /// # Ok(()) }
    /// ```
    pub fn uploads(&self) -> Vec<UploadRecord> {
        self.service.uploads.records()
    }

    /// Returns the requests to all hosts, in the order of arrival, up to the
    /// [record limit](SandboxBuilder::record_limit).
    ///
    /// ```
    /// use kling_omni_sandbox::Host;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let sandbox = kling_omni_sandbox::Sandbox::builder().start().await?;
    /// reqwest::get(format!("{}/v1/ai/nothing?page=1", sandbox.base_url())).await?;
    ///
    /// let request = &sandbox.requests()[0];
    /// assert_eq!(request.host(), Host::Api);
    /// assert_eq!((request.path(), request.query()), ("/v1/ai/nothing", Some("page=1")));
    /// assert_eq!(request.operation_id(), None);
    /// assert_eq!(request.status().map(|status| status.as_u16()), Some(404));
    /// # Ok(()) }
    /// ```
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.service.requests.all()
    }

    /// Returns the requests with a [number](ReceivedRequest::number) greater than `number`, in the order of arrival, up to
    /// the [record limit](SandboxBuilder::record_limit).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let sandbox = kling_omni_sandbox::Sandbox::builder().start().await?;
    /// for path in ["/a", "/b", "/c"] {
    ///     reqwest::get(format!("{}{path}", sandbox.base_url())).await?;
    /// }
    /// let requests = sandbox.requests_after(1);
    /// assert_eq!(requests.iter().map(|request| request.path()).collect::<Vec<_>>(), ["/b", "/c"]);
    /// # Ok(()) }
    /// ```
    pub fn requests_after(&self, number: u64) -> Vec<ReceivedRequest> {
        self.service.requests.after(number)
    }

    /// Returns the webhook deliveries with an outcome, including skipped ones, up to the
    /// [record limit](SandboxBuilder::record_limit).
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.service.webhooks.deliveries.all()
    }

    /// Returns the deliveries with a [number](Delivery::number) greater than `number`, up to the
    /// [record limit](SandboxBuilder::record_limit).
    pub fn deliveries_after(&self, number: u64) -> Vec<Delivery> {
        self.service.webhooks.deliveries.after(number)
    }

    /// Waits until `count` deliveries since the start have an outcome, and returns [`deliveries`](Self::deliveries).
    ///
    /// ```
    /// use std::time::Duration;
    /// use kling_omni_sandbox::{DeliveryOutcome, Sandbox};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let sandbox = Sandbox::builder().task_time(Duration::ZERO).start().await?;
    /// let body = serde_json::json!({"prompt": "a cat", "webhook_url": "https://example.com/hook"});
    /// reqwest::Client::new()
    ///     .post(format!("{}/v1/ai/video/kling-v3-omni-pro/video-reference", sandbox.base_url()))
    ///     .header("x-freepik-api-key", sandbox.api_key())
    ///     .json(&body)
    ///     .send()
    ///     .await?;
    ///
    /// let deliveries = sandbox.wait_for_deliveries(2).await;
    /// assert_eq!(deliveries[1].status().as_str(), "COMPLETED");
    /// // The host is another machine, so nothing was sent.
    /// assert!(matches!(deliveries[1].outcome(), DeliveryOutcome::Skipped(_)));
    /// # Ok(()) }
    /// ```
    pub async fn wait_for_deliveries(&self, count: usize) -> Vec<Delivery> {
        let deliveries = &self.service.webhooks.deliveries;
        deliveries.wait_for_total(count as u64).await;
        deliveries.all()
    }

    /// Sends a delivery again: with the same id and body, signed at the time it is sent, and with the faults that apply
    /// then. It is recorded like any other. Returns `false`, and sends nothing, if this sandbox has no such task.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = kling_omni_sandbox::Sandbox::builder().task_time(Duration::ZERO).start().await?;
    /// # let body = serde_json::json!({"prompt": "a cat", "webhook_url": "http://127.0.0.1:1/hook"});
    /// # reqwest::Client::new()
    /// #     .post(format!("{}/v1/ai/video/kling-v3-omni-pro", sandbox.base_url()))
    /// #     .header("x-freepik-api-key", sandbox.api_key())
    /// #     .json(&body)
    /// #     .send()
    /// #     .await?;
    /// let deliveries = sandbox.wait_for_deliveries(2).await;
    /// assert!(sandbox.redeliver(&deliveries[1]));
    /// let deliveries = sandbox.wait_for_deliveries(3).await;
    /// assert_eq!(deliveries[2].id(), deliveries[1].id());
    /// # Ok(()) }
    /// ```
    pub fn redeliver(&self, delivery: &Delivery) -> bool {
        sequence::redeliver(&self.service, delivery)
    }

    /// Makes the next `count` tasks fail. They are still charged.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), kling_omni_sandbox::StartError> {
    /// let sandbox = kling_omni_sandbox::Sandbox::builder().start().await?;
    /// sandbox.fail_next(1);
    /// # Ok(()) }
    /// ```
    pub fn fail_next(&self, count: usize) {
        for _ in 0..count {
            self.script_next(TaskScript::failed());
        }
    }

    /// Sets the script of the next task that has no script yet and no directive in its prompt.
    ///
    /// ```
    /// use kling_omni_sandbox::{TaskOutcome, Sandbox, TaskScript};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), kling_omni_sandbox::StartError> {
    /// let sandbox = Sandbox::builder().start().await?;
    /// sandbox.script_next(TaskScript::new(TaskOutcome::CompletedEmpty));
    /// sandbox.script_next(TaskScript::default().via("QUEUED".into()));
    /// # Ok(()) }
    /// ```
    pub fn script_next(&self, script: TaskScript) {
        self.service.tasks.script_next(script);
    }

    /// Adds a fault, after those of the [builder](SandboxBuilder::fault). It counts requests from now on.
    pub fn inject(&self, rule: FaultRule) {
        self.service.faults.add(rule);
    }

    /// Removes all faults. Responses that a fault delays already stay delayed.
    pub fn clear_faults(&self) {
        self.service.faults.clear();
    }

    /// Stops listening, drops pending webhooks, and waits for requests in flight.
    pub async fn shutdown(mut self) {
        self.stop();
        for mut server in std::mem::take(&mut self.servers) {
            if tokio::time::timeout(SHUTDOWN_TIMEOUT, &mut server)
                .await
                .is_err()
            {
                server.abort();
            }
        }
    }

    fn stop(&self) {
        self.stop.send_replace(true);
        self.service.webhooks.stop();
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox")
            .field("base_url", &self.base_url)
            .field("result_base_url", &self.result_base_url())
            .field("storage_base_url", &self.storage_base_url())
            .field("seed", &self.seed)
            .field("charges", &self.charges())
            .finish_non_exhaustive()
    }
}
