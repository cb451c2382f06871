//! The settings of a sandbox, one method each.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, ServiceClock, SystemClock};
use crate::config::{Config, ProblemForm, StartError, StatusRoute, VideoReferenceRoute};
use crate::fault::FaultRule;
use crate::sandbox::Sandbox;
use crate::spec::Spec;
use crate::start;

/// Builds a [`Sandbox`]. Created by [`Sandbox::builder`].
///
/// ```
/// use std::time::Duration;
/// use kling_omni_sandbox::Sandbox;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), kling_omni_sandbox::StartError> {
/// let sandbox = Sandbox::builder()
///     .task_time(Duration::from_secs(30))
///     .jitter(0.5)
///     .seed(7)
///     .start()
///     .await?;
/// assert!(sandbox.base_url().starts_with("http://127.0.0.1:"));
/// sandbox.shutdown().await;
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until `start` is called"]
pub struct SandboxBuilder {
    pub(crate) config: Config,
    clock: Arc<dyn Clock>,
    seed: Option<u64>,
    faults: Vec<FaultRule>,
}

impl SandboxBuilder {
    pub(crate) fn new() -> Self {
        Self {
            config: Config::default(),
            clock: Arc::new(SystemClock),
            seed: None,
            faults: Vec::new(),
        }
    }

    /// Sets the address that all three hosts listen on. Default: 127.0.0.1. On any other address, a client with the key
    /// can make the sandbox send webhooks.
    pub fn address(mut self, address: IpAddr) -> Self {
        self.config.address = address;
        self
    }

    /// Sets the port of the API. Default: 0, which chooses a free one.
    pub fn port(mut self, port: u16) -> Self {
        self.config.port = port;
        self
    }

    /// Sets the port of the result host. Default: 0, which chooses a free one.
    pub fn result_port(mut self, port: u16) -> Self {
        self.config.result_port = port;
        self
    }

    /// Sets the port of the storage host, which receives uploads. Default: 0, which chooses a free one.
    pub fn storage_port(mut self, port: u16) -> Self {
        self.config.storage_port = port;
        self
    }

    /// Serves the console, a web page that shows what a program did, on this port of the loopback interface; 0 chooses a
    /// free one. Default: no console.
    ///
    /// It shows tasks, charges, requests with their responses, and deliveries, and arms faults. Keys, secrets and the
    /// queries of URLs are masked. It rejects requests from other sites, and what it does is not recorded as requests.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let sandbox = kling_omni_sandbox::Sandbox::builder().console(0).start().await?;
    /// let page = reqwest::get(sandbox.console_url().unwrap()).await?.text().await?;
    /// assert!(page.contains(sandbox.base_url()));
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "console")]
    pub fn console(mut self, port: u16) -> Self {
        self.config.console_port = Some(port);
        self
    }

    /// Sets the only accepted API key. Default: [`DEFAULT_API_KEY`](crate::DEFAULT_API_KEY).
    pub fn api_key(self, key: impl Into<String>) -> Self {
        self.api_keys([key])
    }

    /// Sets the accepted API keys. Each has its own rate limit. All belong to one account unless
    /// [`account_per_key`](Self::account_per_key) is set.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), kling_omni_sandbox::StartError> {
    /// let sandbox = kling_omni_sandbox::Sandbox::builder().api_keys(["blue", "green"]).start().await?;
    /// assert_eq!(sandbox.api_key(), "blue");
    /// # Ok(()) }
    /// ```
    pub fn api_keys(mut self, keys: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.config.api_keys = keys.into_iter().map(Into::into).collect();
        self
    }

    /// Sets whether each key has its own account, whose tasks other keys cannot list, and get a 404 for. Default: `false`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use kling_omni_sandbox::Sandbox;
    /// let sandbox = Sandbox::builder().api_keys(["mine", "yours"]).account_per_key(true).start().await?;
    /// let url = format!("{}/v1/ai/video/kling-v3-omni", sandbox.base_url());
    /// let http = reqwest::Client::new();
    /// let create = http.post(format!("{url}-pro")).header("x-freepik-api-key", "mine");
    /// create.json(&serde_json::json!({"prompt": "a cat"})).send().await?;
    /// for (key, status) in [("mine", 200), ("yours", 404)] {
    ///     let list = http.get(&url).header("x-freepik-api-key", key).send().await?;
    ///     assert_eq!(list.status().as_u16(), status);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn account_per_key(mut self, yes: bool) -> Self {
        self.config.account_per_key = yes;
        self
    }

    /// Sets the duration of a task, before jitter. Default: 4 seconds. With zero, the response to a create has the status
    /// `CREATED`, and the first read returns the final status.
    pub fn task_time(mut self, time: Duration) -> Self {
        self.config.task_time = time;
        self
    }

    /// Sets the maximum deviation from [`task_time`](Self::task_time), as a fraction from 0 to 1. Default: 0.25. The
    /// durations of tasks are uniformly distributed in this range.
    pub fn jitter(mut self, fraction: f64) -> Self {
        self.config.jitter = fraction;
        self
    }

    /// Sets the seed of task ids, task durations, request ids and URL tokens. The same requests in the same order give the
    /// same values. Default: random.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Sets the clock. Default: [`SystemClock`]. Its wall clock is read once, at the start.
    ///
    /// Tests can pass a [`ManualClock`](crate::ManualClock), and a clone of it to the client.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Sets how many requests a key may send per window. Default: 300. Further requests get a 429.
    pub fn rate_limit(mut self, requests: u32) -> Self {
        self.config.rate_limit = requests;
        self
    }

    /// Sets the length of a rate limit window, which starts at the first request of a key. Default: 60 seconds.
    pub fn rate_window(mut self, window: Duration) -> Self {
        self.config.rate_window = window;
        self
    }

    /// Sets whether a 429 has a `Retry-After`. Default: `false`, because none was observed from the service.
    pub fn retry_after(mut self, yes: bool) -> Self {
        self.config.retry_after = yes;
        self
    }

    /// Sets whether responses about a task have `Retry-After: 1` while it runs, if it takes less than 20 seconds. None was
    /// observed from the service, whose tasks take longer. Default: `true`.
    pub fn poll_hints(mut self, yes: bool) -> Self {
        self.config.poll_hints = yes;
        self
    }

    /// Sets the form of the 400 for an invalid request.
    pub fn problem_form(mut self, form: ProblemForm) -> Self {
        self.config.problem_form = form;
        self
    }

    /// Sets whether the older creating route is available.
    ///
    /// ```
    /// use kling_omni_sandbox::{Sandbox, VideoReferenceRoute};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let sandbox = Sandbox::builder().video_reference(VideoReferenceRoute::Gone).start().await?;
    /// let url = format!("{}/v1/ai/video/kling-v3-omni-pro/video-reference", sandbox.base_url());
    /// let response = reqwest::Client::new().post(url).send().await?;
    /// assert_eq!(response.status().as_u16(), 410);
    /// # Ok(()) }
    /// ```
    pub fn video_reference(mut self, route: VideoReferenceRoute) -> Self {
        self.config.video_reference = route;
        self
    }

    /// Sets the route on which the tasks of the older creating route are read.
    pub fn video_reference_status(mut self, route: StatusRoute) -> Self {
        self.config.video_reference_status = route;
        self
    }

    /// Sets the delay after which a new task is listed. Default: zero. Its status can be read immediately.
    pub fn list_delay(mut self, delay: Duration) -> Self {
        self.config.list_delay = delay;
        self
    }

    /// Sets the lifetime of a result URL, from the completion of its task. Default: 1 hour.
    pub fn result_lifetime(mut self, lifetime: Duration) -> Self {
        self.config.result_lifetime = lifetime;
        self
    }

    /// Sets how long after the request for an upload slot the storage host accepts its file. Default: 2 minutes.
    pub fn upload_lifetime(mut self, lifetime: Duration) -> Self {
        self.config.upload_lifetime = lifetime;
        self
    }

    /// Sets the lifetime of the URL of an uploaded file, from the response that contains it. Default: 1 day.
    pub fn asset_lifetime(mut self, lifetime: Duration) -> Self {
        self.config.asset_lifetime = lifetime;
        self
    }

    /// Sets how long an uploaded file is kept, independently of its URL. Default: 1 week.
    pub fn file_lifetime(mut self, lifetime: Duration) -> Self {
        self.config.file_lifetime = lifetime;
        self
    }

    /// Sets the maximum size of an uploaded file, in bytes. Default: 1 GiB.
    pub fn max_upload_size(mut self, bytes: u64) -> Self {
        self.config.max_upload_size = bytes;
        self
    }

    /// Sets the secret that webhooks are signed with: base64 after `whsec_`, hexadecimal after `hex:`, else UTF-8 text.
    /// Default: [`DEFAULT_WEBHOOK_SECRET`](crate::DEFAULT_WEBHOOK_SECRET).
    pub fn webhook_secret(mut self, secret: impl Into<String>) -> Self {
        self.config.webhook_secret = secret.into();
        self
    }

    /// Sets the time limit for a delivery, in real time with any clock. Default: 10 seconds.
    pub fn webhook_timeout(mut self, timeout: Duration) -> Self {
        self.config.webhook_timeout = timeout;
        self
    }

    /// Sets whether webhooks are sent to other machines. Default: `false`, and such deliveries are recorded as skipped.
    pub fn remote_webhooks(mut self, yes: bool) -> Self {
        self.config.remote_webhooks = yes;
        self
    }

    /// Sets how many requests, and how many deliveries, are kept as records. Older ones are evicted. Default: 10,000. They are
    /// also evicted when the bodies of either take more than 256 MiB.
    pub fn record_limit(mut self, entries: usize) -> Self {
        self.config.record_limit = entries;
        self
    }

    /// Adds a fault. Several may apply to the same request.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let sandbox = kling_omni_sandbox::Sandbox::builder().fault("create:drop@1".parse()?).start().await?;
    /// let url = format!("{}/v1/ai/video/kling-v3-omni-pro", sandbox.base_url());
    /// let create = reqwest::Client::new().post(url).header("x-freepik-api-key", sandbox.api_key());
    /// assert!(create.json(&serde_json::json!({"prompt": "a cat"})).send().await.is_err());
    /// assert_eq!(sandbox.charges(), 1);
    /// # Ok(()) }
    /// ```
    pub fn fault(mut self, rule: FaultRule) -> Self {
        self.faults.push(rule);
        self
    }

    /// Starts all hosts in the current tokio runtime.
    ///
    /// # Errors
    ///
    /// Fails if a port is in use, a setting is out of range, or the document has a route that the sandbox cannot serve.
    pub async fn start(self) -> Result<Sandbox, StartError> {
        let spec = Spec::load().map_err(|error| StartError::Spec(error.to_string()))?;
        self.serve(spec).await
    }

    /// Starts a sandbox for any document.
    pub(crate) async fn serve(self, spec: Arc<Spec>) -> Result<Sandbox, StartError> {
        let secret = self.config.check()?;
        let clock = ServiceClock::new(self.clock);
        let seed = self.seed.unwrap_or_else(|| fastrand::u64(..));
        start::start(spec, self.config, secret, clock, seed, self.faults).await
    }
}

impl fmt::Debug for SandboxBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SandboxBuilder")
            .field("address", &self.config.address)
            .field("port", &self.config.port)
            .field("result_port", &self.config.result_port)
            .field("storage_port", &self.config.storage_port)
            .field("task_time", &self.config.task_time)
            .field("jitter", &self.config.jitter)
            .field("seed", &self.seed)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}
