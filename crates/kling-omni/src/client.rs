//! The client: the entry point of the crate.

mod builder;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

pub use crate::client::builder::ClientBuilder;
pub use crate::engine::http::request_counts::RequestCount;
pub use crate::engine::limits::retry_budget::{CircuitState, Health, RetryBudget};

use crate::clock::Clock;
use crate::context::Context;
use crate::create::Create;
use crate::digest::hex;
use crate::engine::attribution::Attribution;
use crate::engine::client::ClientInner;
use crate::engine::download::Video;
use crate::engine::error::Result;
use crate::engine::polling::durations::TaskDurations;
use crate::engine::recovery::{Reconcile, ReconcileAll};
use crate::engine::task::Task;
use crate::engine::task::watch::{AsCompleted, TaskRef, Watch};
use crate::engine::unconfirmed::UnconfirmedCreate;
use crate::engine::upload::{FileSource, ServiceUploader, Upload, UploadAll, Uploader};
use crate::list::List;
use crate::preflight::Preflight;
use crate::request::IntoRequest;
use crate::route::{Mode, Tier};
use crate::spend::SpendGuard;
#[cfg(feature = "raw")]
use crate::transport;

/// A client of the service: creates tasks, reads them and lists them.
///
/// Cheap to clone. Clones share connections, limits and measured task durations.
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
    context: Arc<Context>,
    uploader: Option<Arc<dyn Uploader>>,
}

impl Client {
    /// Creates a client with the key from `FREEPIK_API_KEY`, or else with the key from `MAGNIFIC_API_KEY` and the other
    /// host.
    ///
    /// `KLING_OMNI_BASE_URL`, if set, sends all requests to another server with the same API, such as a sandbox.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if neither variable contains a valid key, or if
    /// the base URL is invalid.
    pub fn from_env() -> Result<Self> {
        ClientBuilder::from_env()?.build()
    }

    /// Returns a builder for a client with custom settings.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// Creates a paid task from a [`VideoReference`](crate::VideoReference), a [`TextToVideo`](crate::TextToVideo) or
    /// another [`Request`](crate::request::Request).
    ///
    /// Await the returned [`Create`], or set options on it first. The request is validated against the rules of its
    /// route before it is sent. Local images and videos are inspected and uploaded first, which is free; the request is
    /// then sent with their URLs. A create is retried only when it certainly made no task: no connection was
    /// established, or the service answered 429. Do not drop the future while it runs: a task may have been made, and
    /// its id would be lost.
    ///
    /// # Errors
    ///
    /// [`Error::charged`](crate::Error::charged) reports whether money was spent: `No` when nothing was sent or the
    /// service rejected the request, `Unknown` when the request was sent and no readable response arrived.
    pub fn create(&self, request: impl IntoRequest) -> Create {
        Create::checked(
            Arc::clone(&self.context),
            self.uploader(),
            request.into_request(),
        )
    }

    /// Creates a paid task from a body that is not validated, for cases in which the service's rules change before this
    /// crate does.
    ///
    /// The JSON is sent unchanged.
    /// [`VideoReferenceBuilder::to_unchecked_body`](crate::request::VideoReferenceBuilder::to_unchecked_body) returns a
    /// body to start from. The request is sent to the routes for a reference video, unless [`Create::mode`] is set.
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
        Create::unchecked(Arc::clone(&self.context), self.uploader(), tier, body)
    }

    /// Inspects the images and videos of a request, and reports what the service would reject. Creates nothing.
    ///
    /// ```no_run
    /// # async fn example(client: kling_omni::Client, request: kling_omni::VideoReference) {
    /// let report = client.preflight(request).await;
    /// for finding in report.findings() {
    ///     println!("{finding}");
    /// }
    /// # }
    /// ```
    pub fn preflight(&self, request: impl IntoRequest) -> Preflight {
        Preflight::for_client(
            Arc::clone(&self.context.remote),
            self.context.route,
            self.context.replaced(),
            request.into_request(),
        )
    }

    /// Returns a handle to an existing task, to read it or to wait for it. Sends nothing.
    ///
    /// The id does not contain the path at which the task is read. The first read tries one path after another until
    /// one has the task; [`task_of_mode`](Self::task_of_mode) tries the paths of one mode only.
    pub fn task(&self, id: impl Into<String>) -> Task {
        let inner = self.inner();
        Task::attach(Arc::clone(inner), id.into(), inner.service.reads())
    }

    /// Like [`task`](Self::task), for a task whose mode is known: only the paths of this mode are tried.
    pub fn task_of_mode(&self, id: impl Into<String>, mode: Mode) -> Task {
        Task::attach(Arc::clone(self.inner()), id.into(), mode.reads())
    }

    /// Watches any number of tasks, or ids of tasks, as a stream of their updates. Sends nothing until the stream is
    /// polled.
    ///
    /// Options for all tasks can be set first. [`Watch::wait_all`] and [`Watch::as_completed`] are alternatives to the
    /// stream.
    pub fn watch(&self, tasks: impl IntoIterator<Item = impl Into<TaskRef>>) -> Watch {
        Watch::new(self.inner(), tasks)
    }

    /// Waits for all of the tasks, and returns the result of each, in the given order.
    ///
    /// ```no_run
    /// # async fn example(client: kling_omni::Client, tasks: Vec<kling_omni::Task>) {
    /// for (task, video) in tasks.iter().zip(client.wait_all(&tasks).await) {
    ///     match video {
    ///         Ok(video) => println!("{} can be fetched until {:?}", task.id(), video.expires_at()),
    ///         Err(error) => eprintln!("{}: {error}", task.id()),
    ///     }
    /// }
    /// # }
    /// ```
    pub async fn wait_all(
        &self,
        tasks: impl IntoIterator<Item = impl Into<TaskRef>>,
    ) -> Vec<Result<Video>> {
        self.watch(tasks).wait_all().await
    }

    /// Returns a stream of tasks with their results, in order of completion; see [`Watch::as_completed`].
    pub fn as_completed(&self, tasks: impl IntoIterator<Item = impl Into<TaskRef>>) -> AsCompleted {
        self.watch(tasks).as_completed()
    }

    /// Finds the task of a create whose outcome is unknown. Await the returned [`Reconcile`], or set options on it
    /// first.
    ///
    /// The client must belong to the account and the service to which the create was sent.
    pub fn reconcile(&self, unconfirmed: &UnconfirmedCreate) -> Reconcile {
        Reconcile::new(Arc::clone(self.inner()), unconfirmed.clone())
    }

    /// Finds the tasks of several creates whose outcomes are unknown, with one reading of the lists for all of them. Await
    /// the returned [`ReconcileAll`], or set options on it first. Its results are in the order of the creates.
    ///
    /// Creates that were unconfirmed at the same time can only be told apart together: a task that may belong to two of them
    /// is not given to the first one that searches.
    ///
    /// ```no_run
    /// use kling_omni::recovery::{Reconciled, UnconfirmedCreate};
    ///
    /// # async fn example(client: kling_omni::Client, open: Vec<UnconfirmedCreate>) -> kling_omni::Result<()> {
    /// for (create, result) in open.iter().zip(client.reconcile_all(&open).until_settled().await?) {
    ///     match result {
    ///         Reconciled::Found { task, .. } => println!("{create}: task {}", task.id()),
    ///         Reconciled::NotCreated => println!("{create}: no task was made"),
    ///         other => println!("{create}: {other:?}"),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn reconcile_all<'a>(
        &self,
        creates: impl IntoIterator<Item = &'a UnconfirmedCreate>,
    ) -> ReconcileAll {
        let creates = creates.into_iter().cloned().collect();
        ReconcileAll::new(Arc::clone(self.inner()), creates)
    }

    /// Lists the tasks of the account, one page at a time.
    pub fn list(&self) -> List {
        List::new(Arc::clone(self.inner()))
    }

    /// Uploads a local file to storage that the service can read, at no cost. Await the returned [`Upload`], or set
    /// options on it first.
    ///
    /// ```no_run
    /// use kling_omni::VideoReference;
    ///
    /// # async fn example(client: kling_omni::Client) -> kling_omni::Result<()> {
    /// let clip = client.upload("dance.mp4").await?;
    /// let request = VideoReference::builder()
    ///     .prompt("The dancer of @Video1 as a paper puppet")
    ///     .reference_video(clip.url)
    ///     .build()?;
    /// let task = client.create(request).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// * [`ErrorKind::File`](crate::ErrorKind::File) if the file cannot be read, changes during the upload, is too
    ///   large, or has a type that cannot be uploaded
    /// * [`ErrorKind::Permission`](crate::ErrorKind::Permission) if the key is not allowed to upload
    /// * [`ErrorKind::Upload`](crate::ErrorKind::Upload) if the storage host rejects the file, or a custom [`Uploader`]
    ///   fails
    /// * the errors of any request
    ///
    /// None of them costs money.
    pub fn upload(&self, file: impl Into<FileSource>) -> Upload {
        Upload::new(self.uploader(), file.into())
    }

    /// Uploads several local files concurrently. Await the returned [`UploadAll`], or set options on it first; its
    /// output has the files in the given order.
    ///
    /// ```no_run
    /// # async fn example(client: kling_omni::Client) -> kling_omni::Result<()> {
    /// let files = client
    ///     .upload_all(["dance.mp4", "stage.png"])
    ///     .on_progress(|sent, total| eprintln!("{sent} of {total} bytes"))
    ///     .await?;
    /// println!("{} files can be read by the service", files.len());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`upload`](Self::upload), for the first file that fails; the other uploads are cancelled.
    pub fn upload_all(&self, files: impl IntoIterator<Item = impl Into<FileSource>>) -> UploadAll {
        let files = files.into_iter().map(Into::into).collect();
        UploadAll::new(self.uploader(), files)
    }

    /// Returns an uploader to the service's own storage, for a custom [`Uploader`] that falls back to it or extends it.
    pub fn service_uploader(&self) -> ServiceUploader {
        ServiceUploader::new(Arc::clone(&self.inner().uploads))
    }

    fn uploader(&self) -> Arc<dyn Uploader> {
        match &self.uploader {
            Some(uploader) => Arc::clone(uploader),
            None => Arc::new(self.service_uploader()),
        }
    }

    /// Returns the state of the retry budget and the limits that this client shares with its clones. Sends nothing.
    ///
    /// ```
    /// use kling_omni::client::CircuitState;
    /// use kling_omni::{ApiKey, Client};
    ///
    /// let client = Client::builder().api_key(ApiKey::new("FPSX-secret")?).build()?;
    /// assert_eq!(client.health().circuit, CircuitState::Closed);
    /// # Ok::<(), kling_omni::Error>(())
    /// ```
    pub fn health(&self) -> Health {
        self.inner().health()
    }

    /// Returns how many requests this client and its clones have sent to the service, by operation, such as
    /// `create_video_pro`. Uploads to a storage and downloads are not among them. Sends nothing.
    ///
    /// ```
    /// # let client = kling_omni::Client::builder().api_key(kling_omni::ApiKey::new("key")?).build()?;
    /// assert!(client.request_counts().is_empty());
    /// # Ok::<(), kling_omni::Error>(())
    /// ```
    pub fn request_counts(&self) -> BTreeMap<&'static str, RequestCount> {
        self.inner().http.requests.read()
    }

    /// Returns the task durations that this client and its clones have measured. Sends nothing.
    pub fn task_durations(&self) -> TaskDurations {
        self.inner().poller.durations().times().clone()
    }

    fn inner(&self) -> &Arc<ClientInner> {
        &self.context.inner
    }

    pub(crate) fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// The base URL of the service.
    pub fn base_url(&self) -> &str {
        &self.inner().http.server.base_url
    }

    /// The clock of this client.
    pub fn clock(&self) -> &dyn Clock {
        self.inner().clock()
    }

    /// Returns a SHA-256 of the key and `salt`, as 64 hexadecimal digits. A program that stores it can later tell whether
    /// it has the key of the same account, without storing the key. Use a random salt of at least 16 bytes.
    pub fn key_fingerprint(&self, salt: &[u8]) -> String {
        let digest = Sha256::new_with_prefix(salt);
        hex(digest.chain_update(self.inner().http.key.expose()))
    }

    /// Returns this client with another spend guard. Connections, limits and polling are shared with it.
    ///
    /// ```
    /// use kling_omni::Client;
    /// use kling_omni::spend::SpendGuard;
    ///
    /// # let client = Client::builder().api_key(kling_omni::ApiKey::new("key")?).build()?;
    /// let guard = SpendGuard::new().max_tasks(10);
    /// let limited = client.with_spend_guard(guard);
    /// # Ok::<(), kling_omni::Error>(())
    /// ```
    #[must_use]
    pub fn with_spend_guard(&self, guard: SpendGuard) -> Self {
        Self {
            context: Arc::new(self.context.with_spend(guard)),
            uploader: self.uploader.clone(),
        }
    }

    pub(crate) fn attribution(&self) -> Arc<Mutex<Attribution>> {
        Arc::clone(&self.inner().attribution)
    }

    /// Returns the generated client, with this client's key, timeouts and retries.
    ///
    /// It does not validate requests, and its types follow the API's document from release to release.
    ///
    /// ```no_run
    /// # async fn example(client: kling_omni::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let page = client.raw().list_reference_to_video_tasks().page_size(5).send().await?;
    /// println!("{} tasks", page.data.len());
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "raw")]
    pub fn raw(&self) -> kling_omni_api::Client {
        transport::raw_client(&self.inner().http)
    }
}

impl UnconfirmedCreate {
    /// Records that the process that sent the create is dead, so its [settle time](Reconcile::settle_time) begins now instead
    /// of after the latest possible end of its last attempt. `client` has the clock.
    ///
    /// Say this only if the sender can certainly send nothing more, for example because you hold a lock that it held and that
    /// is released when a process exits. A lease that has expired is not enough: its holder may only be stopped, and send the
    /// request when it continues. For that case, limit the create with [`Create::not_after`] and keep the recorded time.
    ///
    /// ```no_run
    /// # use kling_omni::recovery::UnconfirmedCreate;
    /// # async fn example(client: kling_omni::Client, row: UnconfirmedCreate) -> kling_omni::Result<()> {
    /// // This process holds the lock of the process that sent the create of this row.
    /// let reconciled = client.reconcile(&row.with_sender_ended(&client)).until_settled().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_sender_ended(self, client: &Client) -> Self {
        self.sender_ended_now(client.clock())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field(
                "base_url",
                &crate::redact::RedactedUrl(&self.inner().http.server.base_url).to_string(),
            )
            .field("key", &self.inner().http.key)
            .field("route", &self.context.route)
            .finish_non_exhaustive()
    }
}
