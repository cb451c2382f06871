//! The settings of a client.

use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use reqwest::redirect;
use url::Url;

use crate::client::Client;
use crate::clock::{Clock, SystemClock};
use crate::context::Context;
use crate::engine::client::ClientInner;
use crate::engine::download::Downloads;
use crate::engine::error::{Error, ErrorKind, Result};
use crate::engine::http::client::{LazyClient, build_call_client};
use crate::engine::http::key::ApiKey;
use crate::engine::http::proxy::Proxies;
use crate::engine::http::request_counts::RequestCounts;
use crate::engine::http::{Http, HttpSettings};
use crate::engine::known_tasks::KnownTasks;
use crate::engine::limits::in_flight::InFlightLimit;
use crate::engine::limits::rate_limiter::RateLimiter;
use crate::engine::limits::retry_budget::{RetryBudget, RetryThrottle};
use crate::engine::polling::Poller;
use crate::engine::polling::durations::{DurationModel, TaskDurations};
use crate::engine::upload::{Uploader, Uploads};
use crate::environment;
use crate::host::Host;
use crate::redact::RedactedUrl;
use crate::route::Route;
use crate::spend::SpendGuard;
use crate::wire::Kling;

/// The environment variable with the base URL of another server with the same API.
const BASE_URL_VARIABLE: &str = "KLING_OMNI_BASE_URL";

/// Settings of a [`Client`]. Only the key is required.
///
/// ```
/// use std::time::Duration;
/// use kling_omni::request::Route;
/// use kling_omni::{ApiKey, Client, Host};
///
/// let client = Client::builder()
///     .api_key(ApiKey::new("FPSX-secret")?)
///     .host(Host::Magnific)
///     .route(Route::ReferenceToVideo)
///     .attempt_timeout(Duration::from_secs(20))
///     .build()?;
/// # Ok::<(), kling_omni::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until `build`"]
pub struct ClientBuilder {
    key: Option<ApiKey>,
    host: Host,
    base_url: Option<String>,
    route: Route,
    max_retries: u32,
    connect_timeout: Duration,
    attempt_timeout: Duration,
    operation_timeout: Option<Duration>,
    retry_budget: RetryBudget,
    requests_per_second: Option<f64>,
    max_in_flight_tasks: Option<usize>,
    max_list_pages: u32,
    known_tasks: Option<KnownTasks>,
    spend_guard: Option<SpendGuard>,
    read_timeout: Duration,
    max_download_size: u64,
    max_retry_delay: Duration,
    max_response_size: usize,
    user_agent: Option<String>,
    http: Option<reqwest::Client>,
    downloads: Option<reqwest::Client>,
    uploads: Option<reqwest::Client>,
    uploader: Option<Arc<dyn Uploader>>,
    task_durations: TaskDurations,
    clock: Arc<dyn Clock>,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self {
            key: None,
            host: Host::default(),
            base_url: None,
            route: Route::default(),
            max_retries: 3,
            connect_timeout: Duration::from_secs(10),
            attempt_timeout: Duration::from_secs(60),
            operation_timeout: None,
            retry_budget: RetryBudget::default(),
            requests_per_second: None,
            max_in_flight_tasks: None,
            max_list_pages: 1000,
            known_tasks: None,
            spend_guard: None,
            read_timeout: Duration::from_secs(30),
            max_download_size: 4 * 1024 * 1024 * 1024,
            max_retry_delay: Duration::from_secs(120),
            max_response_size: 1024 * 1024,
            user_agent: None,
            http: None,
            downloads: None,
            uploads: None,
            uploader: None,
            task_durations: TaskDurations::default(),
            clock: Arc::new(SystemClock),
        }
    }
}

impl ClientBuilder {
    /// Reads key, host and base URL from the environment, as [`Client::from_env`] does.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if no variable contains a valid key.
    pub fn from_env() -> Result<Self> {
        for host in Host::ALL {
            if let Some(builder) = Self::from_env_for(*host)? {
                return Ok(builder);
            }
        }
        let variables: Vec<_> = Host::ALL.iter().map(|host| host.key_variable()).collect();
        Err(
            Error::uncharged(ErrorKind::Configuration, "the environment has no API key")
                .with_help(format!("set {}", variables.join(" or "))),
        )
    }

    /// Reads the key of one host, and the base URL, from the environment. Returns `None` if the key is not set.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if the variable does not contain a valid key.
    pub fn from_env_for(host: Host) -> Result<Option<Self>> {
        let variable = host.key_variable();
        let Some(key) = environment::variable(variable) else {
            return Ok(None);
        };
        let key = key
            .into_string()
            .map_err(|_| {
                Error::uncharged(ErrorKind::Configuration, "the API key is not valid UTF-8")
            })
            .and_then(ApiKey::new)
            .map_err(|error| {
                let help = error
                    .help()
                    .unwrap_or("set it to the key from the developer dashboard");
                let summary = format!("{variable}: {}", error.summary());
                Error::uncharged(ErrorKind::Configuration, summary).with_help(help)
            })?;
        let builder = Self::default().api_key(key).host(host);
        match environment::variable(BASE_URL_VARIABLE).map(OsString::into_string) {
            Some(Ok(url)) => Ok(Some(builder.base_url(url))),
            // Ignoring it would send a request that is meant for a sandbox to the service.
            Some(Err(_)) => Err(Error::uncharged(
                ErrorKind::Configuration,
                format!("{BASE_URL_VARIABLE} is not valid UTF-8"),
            )),
            None => Ok(Some(builder)),
        }
    }

    /// Sets the API key. Required.
    pub fn api_key(mut self, key: ApiKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Sets the host of the service, and with it the name of the header for the key. Default: [`Host::Freepik`].
    pub fn host(mut self, host: Host) -> Self {
        self.host = host;
        self
    }

    /// Sends all requests, including the key, to another server with the same API, such as a sandbox or a gateway.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Sets the routes on which tasks are created and read. Default: [`Route::Auto`].
    pub fn route(mut self, route: Route) -> Self {
        self.route = route;
        self
    }

    /// Sets the maximum number of retries of a request. Default: 3.
    ///
    /// Reads are retried after lost connections, timeouts, 429 and 5xx; a create is retried only when it certainly made
    /// no task. All calls share one [budget](Self::retry_budget). For a download, the count restarts after each MiB.
    pub fn max_retries(mut self, max: u32) -> Self {
        self.max_retries = max;
        self
    }

    /// Sets the timeout for establishing a connection. Default: 10 s. Ignored with `http_client`.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets the timeout of one attempt, from connecting to the last byte of the response. Default: 60 s. It does not
    /// apply to downloads: see [`read_timeout`](Self::read_timeout).
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = timeout;
        self
    }

    /// Sets the timeout of a call, including all attempts and the backoff between them. Default: none;
    /// [`max_retries`](Self::max_retries) and the other limits still apply.
    ///
    /// When it expires, the current attempt is cancelled and no further one starts: the call returns the result of its
    /// last attempt. A wait for a task consists of many calls and has its own timeout. The setting does not apply to
    /// downloads.
    pub fn operation_timeout(mut self, timeout: Duration) -> Self {
        self.operation_timeout = Some(timeout);
        self
    }

    /// Sets the retry budget that all calls of this client and its clones share. Default: [`RetryBudget::default`].
    /// Downloads do not use it.
    pub fn retry_budget(mut self, budget: RetryBudget) -> Self {
        self.retry_budget = budget;
        self
    }

    /// Sets the maximum rate of requests to the service, for this client and its clones together. Values below one are
    /// allowed. Default: no limit other than the service's own.
    ///
    /// Requests are evenly spaced. A request waits for its slot, with two exceptions: a create with
    /// [`fail_fast`](crate::Create::fail_fast) returns an error, and a wait for a task does not exceed its deadline.
    /// With or without this setting, requests are throttled while the service reports that its rate limit is used up:
    /// until the reset that accompanies `x-ratelimit-remaining: 0`, and for the delay of a 429 response, each up to
    /// [`max_retry_delay`](Self::max_retry_delay).
    pub fn requests_per_second(mut self, rate: f64) -> Self {
        self.requests_per_second = Some(rate);
        self
    }

    /// Sets the maximum number of tasks that this client and its clones have in flight at once. Default: no limit other
    /// than the service's own.
    ///
    /// A task is in flight from its create until the client learns that it has completed or failed, through the
    /// [`Task`](crate::Task) that the create returned or a clone of it, or until the last of these is dropped. A create
    /// beyond the limit waits for a permit, in FIFO order, unless it [fails fast](crate::Create::fail_fast) or the
    /// [`operation_timeout`](Self::operation_timeout) expires. Await tasks concurrently: a loop that creates tasks and
    /// awaits none of them deadlocks once the limit is reached. Tasks that are opened by id and creates whose outcome
    /// is unknown do not count.
    pub fn max_in_flight_tasks(mut self, max: usize) -> Self {
        self.max_in_flight_tasks = Some(max);
        self
    }

    /// Sets the maximum number of pages of a list that are read to tell new tasks from old ones: for
    /// [`with_list_snapshot`](crate::Create::with_list_snapshot), for
    /// [`KnownTasks::refresh`](crate::recovery::KnownTasks::refresh) and for [`Client::reconcile`]. A page has up to 100 tasks.
    /// Default: 1,000 pages. A longer list is incomplete, and no create is settled with it.
    pub fn max_list_pages(mut self, pages: u32) -> Self {
        self.max_list_pages = pages;
        self
    }

    /// Adds the tasks that this client reads in lists, for [`Client::list`] and for polls, to a set of known tasks. The set is
    /// then more recent than its last refresh. Default: none.
    pub fn known_tasks(mut self, known: &KnownTasks) -> Self {
        self.known_tasks = Some(known.clone());
        self
    }

    /// Limits what this client and its clones may spend. Default: no limit. See [`SpendGuard`].
    ///
    /// ```
    /// use kling_omni::spend::SpendGuard;
    /// use kling_omni::{ApiKey, Client};
    ///
    /// let client = Client::builder()
    ///     .api_key(ApiKey::new("FPSX-secret")?)
    ///     .spend_guard(SpendGuard::new().max_tasks(500).max_seconds(4000))
    ///     .build()?;
    /// # Ok::<(), kling_omni::Error>(())
    /// ```
    pub fn spend_guard(mut self, guard: SpendGuard) -> Self {
        self.spend_guard = Some(guard);
        self
    }

    /// Sets the maximum time in which a download receives no bytes before its connection is considered lost. Default:
    /// 30 s.
    ///
    /// A connection that delivers less than 64 KiB per minute is considered lost, too. If this timeout is longer than a
    /// minute, it replaces the minute.
    pub fn read_timeout(mut self, timeout: Duration) -> Self {
        self.read_timeout = timeout;
        self
    }

    /// Sets the maximum size of a downloaded video, in bytes. Default: 4 GiB. A response with a larger `Content-Length`
    /// is rejected at once, and one without a length as soon as it exceeds the limit.
    pub fn max_download_size(mut self, bytes: u64) -> Self {
        self.max_download_size = bytes;
        self
    }

    /// Sets the maximum delay between attempts that the service may request. Default: 120 s. If the service requests a
    /// longer delay, the call fails with an error that contains it.
    pub fn max_retry_delay(mut self, wait: Duration) -> Self {
        self.max_retry_delay = wait;
        self
    }

    /// Sets the maximum size of a response, in bytes. Default: 1 MiB. It does not apply to downloads.
    pub fn max_response_size(mut self, bytes: usize) -> Self {
        self.max_response_size = bytes;
        self
    }

    /// Sets the `user-agent` header. Default: `kling-omni/` and the version. Ignored with `http_client`.
    pub fn user_agent(mut self, agent: impl Into<String>) -> Self {
        self.user_agent = Some(agent.into());
        self
    }

    /// Sets the HTTP client for requests to the service, with its own proxy, TLS and pool settings.
    ///
    /// Build it with `redirect(reqwest::redirect::Policy::none())` and `retry(reqwest::retry::never())`. A client that
    /// follows redirects sends the API key to their targets, and one that retries on its own may pay twice. Also set
    /// `http1_ignore_invalid_headers_in_responses`, `http1_allow_obsolete_multiline_headers_in_responses` and
    /// `http1_allow_spaces_after_header_name_in_responses`: with them, a response with a malformed header is not lost,
    /// and it may name a paid task.
    ///
    /// Responses that followed a redirect are rejected, except by `Client::raw`. The crate cannot determine what a
    /// custom client sent before a connection failed. A create that fails this way is therefore never retried, and is
    /// reported as [`Charged::Unknown`](crate::Charged::Unknown).
    #[cfg(feature = "reqwest-client")]
    pub fn http_client(mut self, client: reqwest::Client) -> Self {
        self.http = Some(client);
        self
    }

    /// Sets the HTTP client for downloads, which come from other hosts. It must not have the API key among its default
    /// headers. Default: a client that follows at most five redirects and none from https to http. It is created on the
    /// first download.
    #[cfg(feature = "reqwest-client")]
    pub fn download_client(mut self, client: reqwest::Client) -> Self {
        self.downloads = Some(client);
        self
    }

    /// Sets the HTTP client for uploads to the service's storage host, which accepts exactly the headers that the
    /// service issued. It must not have the API key among its default headers. Default: a client without default
    /// headers that follows no redirects. It is created on the first upload.
    #[cfg(feature = "reqwest-client")]
    pub fn upload_client(mut self, client: reqwest::Client) -> Self {
        self.uploads = Some(client);
        self
    }

    /// Sets the uploader for local files. Default: [`ServiceUploader`](crate::upload::ServiceUploader), the service's
    /// own storage.
    pub fn uploader(mut self, uploader: impl Uploader) -> Self {
        self.uploader = Some(Arc::new(uploader));
        self
    }

    /// Sets the initial task durations, such as those that an earlier client measured. Default: typical durations of
    /// the service.
    pub fn task_durations(mut self, durations: TaskDurations) -> Self {
        self.task_durations = durations;
        self
    }

    /// Sets the clock for polls, backoff, deadlines and expiry. Default: [`SystemClock`].
    ///
    /// A test can pass a [`ManualClock`](crate::clock::ManualClock), and a clone of it to the sandbox.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Builds the client. Sends nothing.
    ///
    /// The default HTTP clients use the proxies in `HTTPS_PROXY`, `HTTP_PROXY` and `ALL_PROXY`, in upper or lower case,
    /// except for the hosts in `NO_PROXY`. The schemes are http, https, socks4, socks4a, socks5 and socks5h.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if
    ///
    /// * the key is missing
    /// * the base URL is not an absolute http or https URL
    /// * the rate is not a positive number
    /// * the maximum number of tasks in flight or of pages of a list is zero
    /// * the proxy for the service cannot be used
    /// * the HTTP client rejects the settings
    pub fn build(self) -> Result<Client> {
        let key = self.key.clone().ok_or_else(|| {
            Error::uncharged(ErrorKind::Configuration, "the client has no API key")
                .with_help("set it with `ClientBuilder::api_key`, or use `Client::from_env`")
        })?;
        let base_url = self.base_url.as_deref().map(checked_base_url).transpose()?;
        let upload_host = match base_url {
            // A custom base URL replaces all hosts of the service.
            Some(_) => self.host,
            None => Host::Magnific,
        };
        let server = self.host.server(base_url.clone());
        let upload_server = upload_host.server(base_url);
        if server.base_url.starts_with("http:") && !is_loopback(&server.base_url) {
            tracing::warn!("API key is sent unencrypted because the base URL is http");
        }
        let interval = self.interval()?;
        if self.max_in_flight_tasks == Some(0) {
            return Err(Error::uncharged(
                ErrorKind::Configuration,
                "the maximum number of tasks in flight is 0",
            )
            .with_help("pass a number above zero to `max_in_flight_tasks`"));
        }
        if self.max_list_pages == 0 {
            return Err(Error::uncharged(
                ErrorKind::Configuration,
                "the maximum number of pages of a list is 0",
            )
            .with_help("pass a number above zero to `max_list_pages`"));
        }
        let is_own_client = self.http.is_none();
        let user_agent = self.user_agent_header()?;
        let client = match &self.http {
            Some(client) => client.clone(),
            None => {
                for url in [&server.base_url, &upload_server.base_url] {
                    if let Ok(url) = Url::parse(url) {
                        Proxies::from_env().covers(&url)?;
                    }
                }
                build_call_client(
                    reqwest::Client::builder().user_agent(user_agent.clone()),
                    self.connect_timeout,
                )?
            }
        };
        let http = Arc::new(Http {
            server,
            upload_server,
            key_value: key.to_header()?,
            key,
            client,
            is_own_client,
            settings: HttpSettings {
                max_retries: self.max_retries,
                attempt_timeout: self.attempt_timeout,
                operation_timeout: self.operation_timeout,
                read_timeout: self.read_timeout,
                max_retry_delay: self.max_retry_delay,
                max_response_size: self.max_response_size,
            },
            throttle: RetryThrottle::new(self.retry_budget),
            rate_limiter: RateLimiter::new(interval),
            requests: RequestCounts::default(),
            clock: self.clock,
        });
        let connect_timeout = self.connect_timeout;
        let uploads = LazyClient::new(self.uploads, None, connect_timeout, redirect::Policy::none);
        let downloads = Downloads {
            http: Arc::clone(&http),
            client: LazyClient::new(
                self.downloads,
                Some(user_agent),
                connect_timeout,
                crate::engine::download::redirect::policy,
            ),
            max_size: self.max_download_size,
        };
        let durations = DurationModel::new(self.task_durations);
        let inner = ClientInner {
            service: &Kling,
            poller: Arc::new(Poller::new(
                Arc::clone(&http),
                &Kling,
                durations,
                self.known_tasks,
            )),
            in_flight: InFlightLimit::new(self.max_in_flight_tasks),
            attribution: Arc::default(),
            downloads: Arc::new(downloads),
            uploads: Arc::new(Uploads::new(Arc::clone(&http), &Kling, uploads)),
            max_list_pages: self.max_list_pages,
            http,
        };
        Ok(Client {
            context: Arc::new(Context::new(Arc::new(inner), self.route, self.spend_guard)),
            uploader: self.uploader,
        })
    }

    /// The interval between two requests.
    fn interval(&self) -> Result<Duration> {
        let Some(rate) = self.requests_per_second else {
            return Ok(Duration::ZERO);
        };
        let interval = Duration::try_from_secs_f64(rate.recip());
        interval.map_err(|_| {
            Error::uncharged(
                ErrorKind::Configuration,
                format!("invalid rate of {rate} requests per second"),
            )
            .with_help("pass a number above zero, such as 5 or 0.5")
        })
    }

    /// The `user-agent` of the default HTTP clients.
    fn user_agent_header(&self) -> Result<HeaderValue> {
        let agent = self
            .user_agent
            .clone()
            .unwrap_or_else(|| format!("kling-omni/{}", env!("CARGO_PKG_VERSION")));
        HeaderValue::from_str(&agent).map_err(|_| {
            Error::uncharged(
                ErrorKind::Configuration,
                "the user agent is not a valid header value",
            )
        })
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base_url = self
            .base_url
            .as_deref()
            .map(|url| RedactedUrl(url).to_string());
        f.debug_struct("ClientBuilder")
            .field("key", &self.key)
            .field("host", &self.host)
            .field("base_url", &base_url)
            .field("route", &self.route)
            .field("max_retries", &self.max_retries)
            .finish_non_exhaustive()
    }
}

fn is_loopback(url: &str) -> bool {
    match Url::parse(url)
        .ok()
        .and_then(|url| url.host().map(|host| host.to_owned()))
    {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn checked_base_url(text: &str) -> Result<String> {
    let invalid = |reason: &str| {
        Error::uncharged(ErrorKind::Configuration, format!("the base URL {reason}"))
            .with_help("use an http or https URL such as http://127.0.0.1:8080")
    };
    let url = Url::parse(text.trim()).map_err(|error| invalid(&format!("is invalid: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(invalid("is neither http nor https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("contains a user name or a password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("has a query or a fragment"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}
