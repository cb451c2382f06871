//! The settings of a sandbox, one method each.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, ServiceClock, SystemClock};
use crate::config::{Config, ProblemForm, StartError, StatusRoute, VideoReferenceRoute};
use crate::fault::FaultRule;
use crate::sandbox::{self, Sandbox};
use crate::spec::Spec;

/// Settings of a [`Sandbox`], made by [`Sandbox::builder`].
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

    /// The address that all three servers listen on; 127.0.0.1 by default. Whoever reaches another one and knows the key
    /// can make the sandbox send webhooks.
    pub fn address(mut self, address: IpAddr) -> Self {
        self.config.address = address;
        self
    }

    /// The port of the API; 0, the default, takes a free one.
    pub fn port(mut self, port: u16) -> Self {
        self.config.port = port;
        self
    }

    /// The port of the results; 0, the default, takes a free one.
    pub fn result_port(mut self, port: u16) -> Self {
        self.config.result_port = port;
        self
    }

    /// The port of the storage host, which takes uploads; 0, the default, takes a free one.
    pub fn storage_port(mut self, port: u16) -> Self {
        self.config.storage_port = port;
        self
    }

    /// The one key that is right, in place of [`DEFAULT_API_KEY`](crate::DEFAULT_API_KEY).
    pub fn api_key(self, key: impl Into<String>) -> Self {
        self.api_keys([key])
    }

    /// The keys that are right. All belong to one account unless [`account_per_key`](Self::account_per_key) is set, and each has a rate limit of its own.
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

    /// Whether each key has an account of its own: its tasks are not listed for another key, and reading one with another
    /// key fails with 404. Default: no.
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

    /// The time from the creation of a task to its end, before jitter; 4 seconds by default. With zero, tasks are
    /// answered as `CREATED` and have ended when they are read.
    pub fn task_time(mut self, time: Duration) -> Self {
        self.config.task_time = time;
        self
    }

    /// How far the time of a task may be off, as a part of [`task_time`](Self::task_time): 0 to 1, a quarter by
    /// default. Each task's time is evenly distributed within these bounds.
    pub fn jitter(mut self, part: f64) -> Self {
        self.config.jitter = part;
        self
    }

    /// Makes task ids, task times, request ids and URL tokens repeatable, given the same requests in the same order.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Where the time comes from; [`SystemClock`] by default. Its wall clock is read once, at the start.
    ///
    /// Tests can give a [`ManualClock`](crate::ManualClock), and a clone of it to the client.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Requests that a key may send in a window; 300 by default. More are answered with 429, with zero all are.
    pub fn rate_limit(mut self, requests: u32) -> Self {
        self.config.rate_limit = requests;
        self
    }

    /// The length of a rate limit window, which starts at a key's first request; 60 seconds by default.
    pub fn rate_window(mut self, window: Duration) -> Self {
        self.config.rate_window = window;
        self
    }

    /// Whether a 429 has a `Retry-After`; the service has not been seen to send one, so that the default is no.
    pub fn retry_after(mut self, yes: bool) -> Self {
        self.config.retry_after = yes;
        self
    }

    /// Whether answers about a task that takes less than twenty seconds, and has not ended, say in `Retry-After` to come
    /// back after one. The service was never seen to send it, and its tasks take longer. Default: yes.
    pub fn poll_hints(mut self, yes: bool) -> Self {
        self.config.poll_hints = yes;
        self
    }

    /// The form of a 400 answer to a request that breaks the schema.
    pub fn problem_form(mut self, form: ProblemForm) -> Self {
        self.config.problem_form = form;
        self
    }

    /// Whether the older creating route is there.
    ///
    /// ```
    /// use kling_omni_sandbox::{Sandbox, VideoReferenceRoute};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let sandbox = Sandbox::builder().video_reference(VideoReferenceRoute::Gone).start().await?;
    /// let url = format!("{}/v1/ai/video/kling-v3-omni-pro/video-reference", sandbox.base_url());
    /// let answer = reqwest::Client::new().post(url).send().await?;
    /// assert_eq!(answer.status().as_u16(), 410);
    /// # Ok(()) }
    /// ```
    pub fn video_reference(mut self, route: VideoReferenceRoute) -> Self {
        self.config.video_reference = route;
        self
    }

    /// Where the tasks of the older creating route are read.
    pub fn video_reference_status(mut self, route: StatusRoute) -> Self {
        self.config.video_reference_status = route;
        self
    }

    /// How long after its creation a task appears on the list; at once by default. Its status can be read from the start.
    pub fn list_delay(mut self, delay: Duration) -> Self {
        self.config.list_delay = delay;
        self
    }

    /// How long a result URL works, counted from the completion of its task; an hour by default.
    pub fn result_lifetime(mut self, lifetime: Duration) -> Self {
        self.config.result_lifetime = lifetime;
        self
    }

    /// How long the storage host takes a file after its slot was asked for; 2 minutes by default.
    pub fn upload_lifetime(mut self, lifetime: Duration) -> Self {
        self.config.upload_lifetime = lifetime;
        self
    }

    /// How long the URL of an uploaded file works after it was given out; a day by default.
    pub fn asset_lifetime(mut self, lifetime: Duration) -> Self {
        self.config.asset_lifetime = lifetime;
        self
    }

    /// How long an uploaded file is kept, whatever its URL says; a week by default.
    pub fn file_lifetime(mut self, lifetime: Duration) -> Self {
        self.config.file_lifetime = lifetime;
        self
    }

    /// The most bytes that an uploaded file may have; 1 GiB by default.
    pub fn largest_upload(mut self, bytes: u64) -> Self {
        self.config.largest_upload = bytes;
        self
    }

    /// The secret that webhooks are signed with, in place of [`DEFAULT_WEBHOOK_SECRET`](crate::DEFAULT_WEBHOOK_SECRET): its UTF-8 bytes are the key,
    /// or, after a `whsec_`, the bytes that the rest encodes in base64, or after a `hex:` in hexadecimal.
    pub fn webhook_secret(mut self, secret: impl Into<String>) -> Self {
        self.config.webhook_secret = secret.into();
        self
    }

    /// How long a receiver may take for a delivery; 10 seconds by default. Measured in real time on any clock.
    pub fn webhook_timeout(mut self, timeout: Duration) -> Self {
        self.config.webhook_timeout = timeout;
        self
    }

    /// Whether webhooks go to hosts other than this machine. By default such deliveries are recorded as skipped.
    pub fn remote_webhooks(mut self, yes: bool) -> Self {
        self.config.remote_webhooks = yes;
        self
    }

    /// How many requests, and how many deliveries, are kept for reading; the oldest beyond that are forgotten. 10,000
    /// by default.
    pub fn record_limit(mut self, entries: usize) -> Self {
        self.config.record_limit = entries;
        self
    }

    /// Adds a fault; several may strike the same request.
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

    /// Starts all servers within the current tokio runtime.
    ///
    /// # Errors
    ///
    /// A port cannot be listened on, a setting is out of its range, or the spec has a route that the sandbox cannot
    /// serve.
    pub async fn start(self) -> Result<Sandbox, StartError> {
        let spec = Spec::load().map_err(|error| StartError::Spec(error.to_string()))?;
        self.serve(spec).await
    }

    /// Starts a sandbox for another document than the real one.
    pub(crate) async fn serve(self, spec: Arc<Spec>) -> Result<Sandbox, StartError> {
        let secret = self.config.check()?;
        let clock = ServiceClock::new(self.clock);
        let seed = self.seed.unwrap_or_else(|| fastrand::u64(..));
        sandbox::start(spec, self.config, secret, clock, seed, self.faults).await
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
