//! The client: settings in, tasks out.

mod builder;

use std::fmt;
use std::sync::{Arc, Mutex};

use serde_json::Value;

pub use crate::client::builder::ClientBuilder;
pub use crate::engine::limits::retry_budget::{CircuitState, Health, RetryBudget};

use crate::clock::Clock;
use crate::context::Context;
use crate::create::Create;
use crate::engine::attribution::Attribution;
use crate::engine::client::ClientInner;
use crate::engine::download::Video;
use crate::engine::error::Result;
use crate::engine::polling::durations::TaskDurations;
use crate::engine::recovery::Reconcile;
use crate::engine::task::Task;
use crate::engine::task::watch::{AsCompleted, TaskRef, Watch};
use crate::engine::unconfirmed::UnconfirmedCreate;
use crate::engine::upload::{FileSource, ServiceUploader, Upload, UploadAll, Uploader};
use crate::list::List;
use crate::preflight::Preflight;
use crate::request::IntoRequest;
use crate::route::{Mode, Tier};
#[cfg(feature = "raw")]
use crate::transport;

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
    context: Arc<Context>,
    uploader: Option<Arc<dyn Uploader>>,
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

    /// Creates a paid task: from a [`VideoReference`](crate::VideoReference) or a [`TextToVideo`](crate::TextToVideo).
    ///
    /// Await the answer, or set options on it first. The request is held against the rules of the route before it is
    /// sent. Images and videos on this machine are looked at and uploaded before that, which is free, and the request has
    /// their URLs then. It is sent again only when it certainly made no task: no connection came about, or the service refused it
    /// with 429. Dropping the future while it runs leaves open whether a task was made, and loses its id: let it finish.
    ///
    /// # Errors
    ///
    /// [`Error::charged`](crate::Error::charged) says what an error means for your money: `No` when nothing was sent or
    /// the service refused, `Unknown` when the request went out and no readable answer came back.
    pub fn create(&self, request: impl IntoRequest) -> Create {
        Create::checked(
            Arc::clone(&self.context),
            self.uploader(),
            request.into_request(),
        )
    }

    /// Creates a paid task from a body that nobody checks: for the day the service's rules move before ours.
    ///
    /// The JSON goes out as it is. [`VideoReferenceBuilder::to_unchecked_body`](crate::request::VideoReferenceBuilder::to_unchecked_body)
    /// makes one to start from. It goes to the routes for a reference video, unless [`Create::mode`] says otherwise.
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

    /// Looks at the images and videos of a request, and says what about them the service would refuse. Nothing is created.
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
        Preflight::of_client(
            Arc::clone(&self.context.remote),
            self.context.route,
            self.context.replaced(),
            request.into_request(),
        )
    }

    /// Takes up a task by its id, to look at it or to go on waiting for it. Nothing is sent yet.
    ///
    /// The id does not say where the task is read. The first read requests one path after another, until one knows the
    /// task; [`task_of_mode`](Self::task_of_mode) takes those of one mode only.
    pub fn task(&self, id: impl Into<String>) -> Task {
        let inner = self.inner();
        Task::attach(Arc::clone(inner), id.into(), inner.service.reads())
    }

    /// As [`task`](Self::task), for a task whose mode is known: it is read where tasks of this mode are, and nowhere else.
    pub fn task_of_mode(&self, id: impl Into<String>, mode: Mode) -> Task {
        Task::attach(Arc::clone(self.inner()), id.into(), mode.reads())
    }

    /// Follows any number of tasks, or ids of tasks, as a stream of their updates. Nothing is sent until it is read.
    ///
    /// Options for all of them can be set first, and it has other ends than a stream: [`Watch::wait_all`] and
    /// [`Watch::as_completed`].
    pub fn watch(&self, tasks: impl IntoIterator<Item = impl Into<TaskRef>>) -> Watch {
        Watch::new(self.inner(), tasks)
    }

    /// Waits for all of the tasks, and answers what became of each, in their order.
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

    /// The tasks with their videos, or what became of them instead, each as soon as it has ended; see
    /// [`Watch::as_completed`].
    pub fn as_completed(&self, tasks: impl IntoIterator<Item = impl Into<TaskRef>>) -> AsCompleted {
        self.watch(tasks).as_completed()
    }

    /// Looks for the task of a create whose end is unknown. Await the answer, or set options on it first.
    ///
    /// The client has to be of the same account and service as the one that sent the create.
    pub fn reconcile(&self, unconfirmed: &UnconfirmedCreate) -> Reconcile {
        Reconcile::new(Arc::clone(self.inner()), unconfirmed.clone())
    }

    /// Lists the account's tasks, a page at a time.
    pub fn list(&self) -> List {
        List::new(Arc::clone(self.inner()))
    }

    /// Brings a local file to where the service can read it, at no cost. Await the answer, or set options on it first.
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
    /// [`ErrorKind::File`](crate::ErrorKind::File) if the file cannot be read, changes while it is sent, is too long or of
    /// no kind that can be uploaded; [`ErrorKind::Permission`](crate::ErrorKind::Permission) if the key cannot use uploads;
    /// [`ErrorKind::Upload`](crate::ErrorKind::Upload) if the storage refuses the file or an uploader of yours gave up; and
    /// what can go wrong with any request. None of them has cost anything.
    pub fn upload(&self, file: impl Into<FileSource>) -> Upload {
        Upload::new(self.uploader(), file.into())
    }

    /// Brings several local files to where the service can read them, at the same time. Await the answer, or set options
    /// on it first; it has the files in the order in which they are given here.
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
    /// As [`upload`](Self::upload), for the first file that fails; the others are broken off then.
    pub fn upload_all(&self, files: impl IntoIterator<Item = impl Into<FileSource>>) -> UploadAll {
        let files = files.into_iter().map(Into::into).collect();
        UploadAll::new(self.uploader(), files)
    }

    /// The service's own uploads, for an [`Uploader`] that falls back on them or adds to them.
    pub fn service_uploader(&self) -> ServiceUploader {
        ServiceUploader::new(Arc::clone(&self.inner().uploads))
    }

    fn uploader(&self) -> Arc<dyn Uploader> {
        match &self.uploader {
            Some(uploader) => Arc::clone(uploader),
            None => Arc::new(self.service_uploader()),
        }
    }

    /// How this client, its clones and the service get on. Nothing is sent.
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

    /// How long tasks take, as far as this client and its clones have learnt it. Nothing is sent.
    pub fn task_durations(&self) -> TaskDurations {
        self.inner().poller.durations().times().clone()
    }

    fn inner(&self) -> &Arc<ClientInner> {
        &self.context.inner
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.inner().http.server.base_url
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.inner().clock()
    }

    pub(crate) fn attribution(&self) -> Arc<Mutex<Attribution>> {
        Arc::clone(&self.inner().attribution)
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
    #[cfg(feature = "raw")]
    pub fn raw(&self) -> kling_omni_api::Client {
        transport::raw_client(&self.inner().http)
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
