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
use crate::engine::http::{Http, HttpSettings};
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
use crate::wire::Kling;

/// The environment variable for another server that speaks the same API.
const BASE_URL_VARIABLE: &str = "KLING_OMNI_BASE_URL";

/// Settings of a [`Client`]. Everything but the key has a default.
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
    /// Takes key, host and base URL from the environment, as [`Client::from_env`] does.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if no variable holds a usable key.
    pub fn from_env() -> Result<Self> {
        for host in Host::ALL {
            if let Some(builder) = Self::from_env_for(*host)? {
                return Ok(builder);
            }
        }
        let variables: Vec<_> = Host::ALL.iter().map(|host| host.key_variable()).collect();
        Err(Error::uncharged(
            ErrorKind::Configuration,
            "there is no API key in the environment",
        )
        .with_help(format!("set {}", variables.join(" or "))))
    }

    /// Takes the key of one host, and the base URL, from the environment; `None` if there is no such key.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if the variable holds something that is no key.
    pub fn from_env_for(host: Host) -> Result<Option<Self>> {
        let variable = host.key_variable();
        let Some(key) = environment::variable(variable) else {
            return Ok(None);
        };
        let key = key
            .into_string()
            .map_err(|_| Error::uncharged(ErrorKind::Configuration, "the API key is no text"))
            .and_then(ApiKey::new)
            .map_err(|error| {
                let advice = error
                    .help()
                    .unwrap_or("set it to the key as the developer dashboard shows it");
                let summary = format!("{variable}: {}", error.summary());
                Error::uncharged(ErrorKind::Configuration, summary).with_help(advice)
            })?;
        let builder = Self::default().api_key(key).host(host);
        match environment::variable(BASE_URL_VARIABLE).map(OsString::into_string) {
            Some(Ok(url)) => Ok(Some(builder.base_url(url))),
            // Passing over it would send a request meant for a sandbox to the service.
            Some(Err(_)) => Err(Error::uncharged(
                ErrorKind::Configuration,
                format!("{BASE_URL_VARIABLE} is not UTF-8 text"),
            )),
            None => Ok(Some(builder)),
        }
    }

    /// The API key. Required.
    pub fn api_key(mut self, key: ApiKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Which of the service's hosts to use, and with it the name of the header that carries the key. Default:
    /// [`Host::Freepik`].
    pub fn host(mut self, host: Host) -> Self {
        self.host = host;
        self
    }

    /// Another server that speaks the same API, such as a sandbox or a proxy. The key goes there, too.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Which family of routes creates and reads tasks. Default: [`Route::Auto`].
    pub fn route(mut self, route: Route) -> Self {
        self.route = route;
        self
    }

    /// How often a request is tried again after its first attempt. Default: 3.
    ///
    /// Reads are tried again on lost connections, timeouts, 429 and 5xx; a create only where it certainly made no task.
    /// All calls together have a [budget](Self::retry_budget). For a download, the count starts again after each MiB.
    pub fn max_retries(mut self, max: u32) -> Self {
        self.max_retries = max;
        self
    }

    /// How long a connection may take to come about. Default: 10 s. Not used with `http_client`.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long one attempt may take, from connecting to the last byte of the answer. Default: 60 s. Downloads are
    /// not attempts: see [`read_timeout`](Self::read_timeout).
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = timeout;
        self
    }

    /// How long a call may take with all its attempts and the waits between them. Default: as long as
    /// [`max_retries`](Self::max_retries) and the other limits let it.
    ///
    /// An attempt under way then is cut off, and none begins later: the call ends with what its last attempt came to. A
    /// wait for a task is many calls, and has a timeout of its own; downloads are not calls.
    pub fn operation_timeout(mut self, timeout: Duration) -> Self {
        self.operation_timeout = Some(timeout);
        self
    }

    /// How many retries all calls of this client and its clones have in common. Default: [`RetryBudget::default`].
    /// Downloads are not part of it.
    pub fn retry_budget(mut self, budget: RetryBudget) -> Self {
        self.retry_budget = budget;
        self
    }

    /// The most requests per second that this client and its clones send to the service together, evenly spaced; less
    /// than one is fine. Default: no limit but the service's own.
    ///
    /// A request waits for its turn, except that a create with [`fail_fast`](crate::Create::fail_fast) ends, and that a
    /// wait for a task does not go beyond its own deadline. With or without this setting, requests are held back while
    /// the service says that its limit is used up: until the reset that it names beside `x-ratelimit-remaining: 0`, and
    /// for what it asks for with a 429, each as far as it is within [`max_retry_delay`](Self::max_retry_delay).
    pub fn requests_per_second(mut self, rate: f64) -> Self {
        self.requests_per_second = Some(rate);
        self
    }

    /// The most tasks that this client and its clones have in flight at once. Default: no limit but the service's own.
    ///
    /// A task is in flight from its create until the client hears that it has ended, through the [`Task`](crate::Task)
    /// that the create returned or a clone of it, or until the last of these is dropped. A create beyond the limit waits for
    /// a place, first come, first served, unless it [fails fast](crate::Create::fail_fast) or the
    /// [`operation_timeout`](Self::operation_timeout) runs out. So let something wait for the tasks while others are created: a loop
    /// that keeps every task and waits for none comes to a stop. Tasks that are taken up by their ids do not count, and
    /// neither do creates whose end is unknown.
    pub fn max_in_flight_tasks(mut self, most: usize) -> Self {
        self.max_in_flight_tasks = Some(most);
        self
    }

    /// How long a download may go without a byte before its connection counts as broken. Default: 30 s.
    ///
    /// A connection that brings less than 64 KiB in a minute counts as broken, too; in this time instead, if it is longer.
    pub fn read_timeout(mut self, timeout: Duration) -> Self {
        self.read_timeout = timeout;
        self
    }

    /// The largest video that is downloaded, in bytes. Default: 4 GiB. A host that announces more is refused at once, and
    /// one that sends more without a length as soon as it has.
    pub fn max_download_size(mut self, bytes: u64) -> Self {
        self.max_download_size = bytes;
        self
    }

    /// The longest wait that the service may ask for between attempts. Default: 120 s. If it asks for more, the call
    /// ends with an error that says how long.
    pub fn max_retry_delay(mut self, wait: Duration) -> Self {
        self.max_retry_delay = wait;
        self
    }

    /// The largest answer that is read, in bytes. Default: 1 MiB. Results are not answers and have no such limit.
    pub fn max_response_size(mut self, bytes: usize) -> Self {
        self.max_response_size = bytes;
        self
    }

    /// The `user-agent` header. Default: `kling-omni/` and the version. Not used with
    /// `http_client`.
    pub fn user_agent(mut self, agent: impl Into<String>) -> Self {
        self.user_agent = Some(agent.into());
        self
    }

    /// A ready HTTP client for requests to the service, with its own proxy, TLS and pool settings.
    ///
    /// Build it with `redirect(reqwest::redirect::Policy::none())` and `retry(reqwest::retry::never())`. A client that
    /// follows redirects takes the API key along to wherever it is sent, and one that repeats requests by itself may pay
    /// twice. With `http1_ignore_invalid_headers_in_responses`, `http1_allow_obsolete_multiline_headers_in_responses` and
    /// `http1_allow_spaces_after_header_name_in_responses`, an answer behind a broken header is not lost: it may name a paid
    /// task. Answers that came by a redirect are refused, except by `Client::raw`, and since nobody can tell what such a client has
    /// sent before a connection failed, a create that ends so is never repeated and counts as
    /// [`Charged::Unknown`](crate::Charged::Unknown).
    #[cfg(feature = "reqwest-client")]
    pub fn http_client(mut self, client: reqwest::Client) -> Self {
        self.http = Some(client);
        self
    }

    /// A ready HTTP client for fetching results, which live on other hosts. It must not have the API key among its
    /// default headers. Default: one of our own, which follows five redirects at the most, and none from https to http;
    /// it is made at the first download.
    #[cfg(feature = "reqwest-client")]
    pub fn download_client(mut self, client: reqwest::Client) -> Self {
        self.downloads = Some(client);
        self
    }

    /// A ready HTTP client for bringing files to the service's storage host, which takes exactly the headers that the
    /// service gave out. It must not have the API key among its default headers. Default: one of our own, which has none and
    /// follows no redirects; it is made at the first upload.
    #[cfg(feature = "reqwest-client")]
    pub fn upload_client(mut self, client: reqwest::Client) -> Self {
        self.uploads = Some(client);
        self
    }

    /// What brings local files to where the service can read them. Default: [`ServiceUploader`](crate::upload::ServiceUploader),
    /// the service's own uploads.
    pub fn uploader(mut self, uploader: impl Uploader) -> Self {
        self.uploader = Some(Arc::new(uploader));
        self
    }

    /// How long tasks are known to take, such as an earlier client has learnt it. Default: nothing but what is known of the
    /// service.
    pub fn task_durations(mut self, times: TaskDurations) -> Self {
        self.task_durations = times;
        self
    }

    /// The clock that polls, backoff, deadlines and expiry follow. Default: [`SystemClock`].
    ///
    /// Tests can give a [`ManualClock`](crate::clock::ManualClock), and a clone of it to the sandbox.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Makes the client. Nothing is sent.
    ///
    /// HTTP clients of its own use the proxies in `HTTPS_PROXY`, `HTTP_PROXY` and `ALL_PROXY`, in upper or lower case,
    /// except for the hosts in `NO_PROXY`. The schemes are http, https, socks4, socks4a, socks5 and socks5h.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if there is no key, if the base URL is no absolute http or https URL, if the rate is
    /// none, if no task may be in flight, if the proxy for the service cannot be used, or if
    /// the HTTP stack refuses the settings.
    pub fn build(self) -> Result<Client> {
        let key = self.key.clone().ok_or_else(|| {
            Error::uncharged(ErrorKind::Configuration, "the client has no API key")
                .with_help("give one to `api_key`, or use `Client::from_env`")
        })?;
        let base_url = self.base_url.as_deref().map(checked_base_url).transpose()?;
        let upload_host = match base_url {
            // What stands in for the service does so for all of it.
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
                "with no task in flight, none can be created",
            )
            .with_help("give `max_in_flight_tasks` a number above zero"));
        }
        let is_own_client = self.http.is_none();
        let user_agent = self.named()?;
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
            poller: Arc::new(Poller::new(Arc::clone(&http), &Kling, durations)),
            in_flight: InFlightLimit::new(self.max_in_flight_tasks),
            attribution: Arc::default(),
            downloads: Arc::new(downloads),
            uploads: Arc::new(Uploads::new(Arc::clone(&http), &Kling, uploads)),
            http,
        };
        Ok(Client {
            context: Arc::new(Context::new(Arc::new(inner), self.route)),
            uploader: self.uploader,
        })
    }

    /// The time from one request to the next.
    fn interval(&self) -> Result<Duration> {
        let Some(rate) = self.requests_per_second else {
            return Ok(Duration::ZERO);
        };
        let interval = Duration::try_from_secs_f64(rate.recip());
        interval.map_err(|_| {
            Error::uncharged(
                ErrorKind::Configuration,
                format!("{rate} requests per second are no rate"),
            )
            .with_help("give a number above zero, such as 5 or 0.5")
        })
    }

    /// Who asks, for the HTTP stacks of our making.
    fn named(&self) -> Result<HeaderValue> {
        let agent = self
            .user_agent
            .clone()
            .unwrap_or_else(|| format!("kling-omni/{}", env!("CARGO_PKG_VERSION")));
        HeaderValue::from_str(&agent).map_err(|_| {
            Error::uncharged(ErrorKind::Configuration, "the user agent fits no header")
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
    let refuse = |reason: &str| {
        Error::uncharged(ErrorKind::Configuration, format!("the base URL {reason}"))
            .with_help("give an http or https URL such as http://127.0.0.1:8080")
    };
    let url =
        Url::parse(text.trim()).map_err(|error| refuse(&format!("cannot be read: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(refuse("is neither http nor https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("carries a user name or a password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("has a query or a fragment"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}
