mod builder;
mod host;
mod key;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use serde_json::Value;

pub use builder::ClientBuilder;
pub use host::Host;
pub use key::ApiKey;

use crate::clock::Clock;
use crate::create::Create;
use crate::error::Result;
use crate::list::List;
use crate::request::{Tier, VideoReference};
use crate::route::Route;
use crate::task::Task;
use crate::transport::{Exchange, Options};

/// The service, seen from here: creates tasks, finds them again, lists them.
///
/// Cheap to clone; clones share connections and what the client has learnt.
///
/// ```no_run
/// use kling_omni::{Client, VideoReference};
///
/// # async fn example() -> kling_omni::Result<()> {
/// let client = Client::from_env()?;
/// let request = VideoReference::builder()
///     .prompt("The dancer of @Video1 as a paper puppet")
///     .reference_video("https://example.com/dance.mp4")
///     .build()?;
/// let task = client.create(request).await?;
/// let video = task.wait().await?;
/// video.save("puppet.mp4").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

/// What all clones of a client have in common.
pub(crate) struct Shared {
    pub(crate) base_url: String,
    pub(crate) key: ApiKey,
    pub(crate) key_header: HeaderName,
    pub(crate) key_value: HeaderValue,
    pub(crate) http: reqwest::Client,
    /// Fetches results, which live on other hosts: never carries the key, and follows redirects.
    pub(crate) downloads: reqwest::Client,
    pub(crate) route: Route,
    pub(crate) retries: u32,
    pub(crate) attempt_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) longest_retry_wait: Duration,
    pub(crate) largest_body: usize,
    pub(crate) clock: Arc<dyn Clock>,
    /// Set once the successor route has answered in place of the older one.
    pub(crate) successor_only: AtomicBool,
}

impl Client {
    /// A client for the key in `FREEPIK_API_KEY`, or else for the key in `MAGNIFIC_API_KEY` on the other host.
    ///
    /// `KLING_OMNI_BASE_URL`, if set, sends everything to another server that speaks the same API, such as a sandbox.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if neither variable holds a usable key, or if the
    /// base URL is none.
    pub fn from_env() -> Result<Self> {
        ClientBuilder::from_env()?.build()
    }

    /// Starts a client with settings of your own.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// Creates a paid task.
    ///
    /// Await the answer, or set options on it first. The request is held against the rules of the route before it is
    /// sent. It is sent again only when it certainly made no task: no connection came about, or the service refused it
    /// with 429.
    ///
    /// # Errors
    ///
    /// [`Error::charged`](crate::Error::charged) says what an error means for your money: `No` when nothing was sent or
    /// the service refused, `Unknown` when the request went out and no readable answer came back.
    pub fn create(&self, request: VideoReference) -> Create {
        Create::checked(self.clone(), request)
    }

    /// Creates a paid task from a body that nobody checks: for the day the service's rules move before ours.
    ///
    /// The JSON goes out as it is. [`VideoReferenceBuilder::to_unchecked_body`](crate::VideoReferenceBuilder::to_unchecked_body)
    /// makes one to start from.
    ///
    /// ```no_run
    /// use kling_omni::{Client, Tier, VideoReference};
    ///
    /// # async fn example(client: Client) -> kling_omni::Result<()> {
    /// let mut body = VideoReference::builder().prompt("A slow river").to_unchecked_body();
    /// body["duration"] = "20".into();
    /// let task = client.create_unchecked(Tier::Pro, body).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn create_unchecked(&self, tier: Tier, body: Value) -> Create {
        Create::unchecked(self.clone(), tier, body)
    }

    /// Takes up a task by its id, to look at it or to go on waiting for it. Nothing is sent yet.
    pub fn task(&self, id: impl Into<String>) -> Task {
        Task::attach(self.clone(), id.into())
    }

    /// Lists the account's tasks, a page at a time.
    pub fn list(&self) -> List {
        List::new(self.clone())
    }

    /// The generated client underneath, with this client's key, timeouts and attempts.
    ///
    /// It knows no validation, and its types follow the API's document from release to release.
    ///
    /// ```no_run
    /// # async fn example(client: kling_omni::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let page = client.raw().list_reference_to_video_tasks().page_size(5).send().await?;
    /// println!("{} tasks", page.data.len());
    /// # Ok(())
    /// # }
    /// ```
    pub fn raw(&self) -> crate::raw::Client {
        self.exchange(Options::default()).api()
    }

    pub(crate) fn exchange(&self, options: Options) -> Arc<Exchange> {
        Exchange::new(Arc::clone(&self.shared), options)
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.shared.clock
    }

    pub(crate) fn is_successor_only(&self) -> bool {
        self.shared.successor_only.load(Ordering::Relaxed)
    }

    pub(crate) fn remember_successor_only(&self) {
        self.shared.successor_only.store(true, Ordering::Relaxed);
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field(
                "base_url",
                &crate::redact::BareUrl(&self.shared.base_url).to_string(),
            )
            .field("key", &self.shared.key)
            .field("route", &self.shared.route)
            .finish_non_exhaustive()
    }
}
