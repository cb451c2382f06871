//! The create: the one call that costs money.

mod local_media;
mod payload;

use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::engine::create::CreateOutcome;

use crate::blocking_thread::run_blocking;
use crate::clock::BootTime;
use crate::context::Context;
use crate::engine::attribution::Attribution;
use crate::engine::create::{self, BeforeSend, Submission};
use crate::engine::error::{Charged, Error, ErrorKind, Result};
use crate::engine::expected_video::ExpectedVideo;
use crate::engine::http::call::{Options, RateLimitWait};
use crate::engine::known_tasks::{KnownTasks, TasksBefore};
use crate::engine::limits::in_flight::InFlightPermit;
use crate::engine::operations::ListOperation;
use crate::engine::recovery::full_list::FullList;
use crate::engine::task::Task;
use crate::engine::unconfirmed::UnconfirmedCreate;
use crate::engine::upload::Uploader;
use crate::fingerprint::RequestFingerprint;
use crate::preflight::{MediaChecks, PreflightReport};
use crate::request::Request;
use crate::request::expected_video::expected_video;
use crate::route::{CreateRoute, Mode, Route, Tier};
use crate::task_kind::kind_of;
use local_media::LocalMedia;
use payload::Payload;

/// A create. Await it to send the request.
///
/// Dropping its future cancels nothing at the service: a request that was sent may have made a paid task whose id is
/// lost. Where the caller may be dropped, as a web server's handler is when its client disconnects, spawn the create, and it
/// outlives its caller:
///
/// ```no_run
/// # async fn example(create: kling_omni::Create) -> Result<(), Box<dyn std::error::Error>> {
/// use std::future::IntoFuture;
///
/// let task = tokio::spawn(create.into_future()).await??;
/// # Ok(())
/// # }
/// ```
///
/// To outlive the process, too, run it in a [`Journal`](crate::journal::Journal).
#[must_use = "nothing is sent until it is awaited"]
pub struct Create {
    context: Arc<Context>,
    payload: Payload,
    mode: Mode,
    route: Route,
    comparison: Comparison,
    not_after: Option<BootTime>,
    fails_fast: bool,
    before_send: Vec<BeforeSend>,
    media: LocalMedia,
}

/// How the tasks before the create are known, to distinguish its task from them.
enum Comparison {
    None,
    ListSnapshot,
    KnownTasks(KnownTasks),
}

impl Create {
    pub(crate) fn checked(
        context: Arc<Context>,
        uploader: Arc<dyn Uploader>,
        request: Request,
    ) -> Self {
        Self {
            mode: request.mode(),
            route: context.route,
            context,
            payload: Payload::Checked(Box::new(request)),
            comparison: Comparison::None,
            not_after: None,
            fails_fast: false,
            before_send: Vec::new(),
            media: LocalMedia::new(uploader),
        }
    }

    pub(crate) fn unchecked(
        context: Arc<Context>,
        uploader: Arc<dyn Uploader>,
        tier: Tier,
        body: Value,
    ) -> Self {
        Self {
            mode: Mode::default(),
            route: context.route,
            context,
            payload: Payload::Unchecked { tier, body },
            comparison: Comparison::None,
            not_after: None,
            fails_fast: false,
            before_send: Vec::new(),
            media: LocalMedia::new(uploader),
        }
    }

    /// Sets the mode whose routes receive an unchecked body. Default: [`Mode::Reference`]. The mode of a checked
    /// request is fixed, and setting another one is an error.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets the route of this create. Default: the route of the client. Only [`Mode::Reference`] has several routes.
    pub fn route(mut self, route: Route) -> Self {
        self.route = route;
        self
    }

    /// Reads the account's list of tasks before the create. With this snapshot,
    /// [`Client::reconcile`](crate::Client::reconcile) can distinguish a new task from an old one if the outcome of
    /// this create is unknown.
    ///
    /// The snapshot costs reads, which are free: one request for each page of the list and one more. A list of several
    /// pages is read twice, and on the older route the lists of two families are read. If a list cannot be read,
    /// nothing is sent. [`with_known_tasks`](Self::with_known_tasks) avoids these reads for many creates.
    ///
    /// If the response names a task that the snapshot has, or that belongs to another create of this client, the outcome is
    /// unknown.
    pub fn with_list_snapshot(mut self) -> Self {
        self.comparison = Comparison::ListSnapshot;
        self
    }

    /// Compares with a set of known tasks instead of a list snapshot. Reads nothing:
    /// [`refresh`](KnownTasks::refresh) the set first. Tasks of other clients that were created since the last refresh count
    /// as new.
    ///
    /// The unconfirmed create records how many entries the set has. The task of a successful create is added to the set. If
    /// the response names a task that existed before the create according to the set, or that belongs to another create, the
    /// outcome is unknown.
    ///
    /// # Errors
    ///
    /// The create fails with [`ErrorKind::InvalidState`] if a list that may have its task was never read for the set.
    pub fn with_known_tasks(mut self, known: &KnownTasks) -> Self {
        self.comparison = Comparison::KnownTasks(known.clone());
        self
    }

    /// Uses a list snapshot unless there is something else to compare with.
    pub(crate) fn with_comparison(self) -> Self {
        match self.comparison {
            Comparison::None => self.with_list_snapshot(),
            Comparison::ListSnapshot | Comparison::KnownTasks(_) => self,
        }
    }

    /// Sends nothing after `time`, which is a reading of [`Clock::boot_time`](crate::clock::Clock::boot_time): it counts
    /// suspension, and steps of the wall clock do not change it. The create makes a single attempt on each route that it tries.
    ///
    /// The time is checked last, immediately before the request is passed to the HTTP client: after all waits and after
    /// [`before_send`](Self::before_send). A create that is too late is rejected with [`ErrorKind::Timeout`] and not charged.
    /// A time of another boot has passed.
    ///
    /// If the process dies, the attempt is known to have ended at the latest twice the
    /// [`attempt_timeout`](crate::ClientBuilder::attempt_timeout) after this time (a timeout of a stopped process is extended up
    /// to twice its length), instead of after the sum of all attempts and waits. This does not hold for a process that is stopped
    /// between the check and the first byte.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use kling_omni::clock::{Clock, SystemClock};
    ///
    /// # async fn example(client: kling_omni::Client, request: kling_omni::VideoReference) -> kling_omni::Result<()> {
    /// let limit = SystemClock.boot_time().saturating_add(Duration::from_secs(10));
    /// let task = client.create(request).not_after(limit).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn not_after(mut self, time: BootTime) -> Self {
        self.not_after = Some(time);
        self
    }

    /// Calls `record` with the data for a later recovery before anything is sent. If `record` fails, nothing is sent. It is
    /// called once for each route that is tried, on a thread that may block.
    ///
    /// A [`Journal`](crate::journal::Journal) does this with a file or with a store of yours, such as a table of your
    /// database, and records all later steps.
    ///
    /// ```no_run
    /// # async fn example(client: kling_omni::Client, request: kling_omni::VideoReference) -> kling_omni::Result<()> {
    /// let task = client
    ///     .create(request)
    ///     .with_list_snapshot()
    ///     .before_send(|unconfirmed| std::fs::write("unconfirmed.json", serde_json::to_vec(unconfirmed)?))
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn before_send(
        self,
        record: impl FnMut(&UnconfirmedCreate) -> io::Result<()> + Send + 'static,
    ) -> Self {
        let record = Arc::new(Mutex::new(record));
        self.before_send_async(move |unconfirmed| {
            let record = Arc::clone(&record);
            async move {
                run_blocking(move || {
                    record.lock().unwrap_or_else(PoisonError::into_inner)(&unconfirmed)
                })
                .await
            }
        })
    }

    /// Like [`before_send`](Self::before_send), which it replaces, with an asynchronous callback.
    pub fn before_send_async<F>(
        mut self,
        record: impl FnMut(UnconfirmedCreate) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        self.before_send = vec![boxed(record)];
        self
    }

    /// Like [`before_send_async`](Self::before_send_async), but calls `record` before the existing callback.
    pub(crate) fn prepend_before_send<F>(
        mut self,
        record: impl FnMut(UnconfirmedCreate) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        self.before_send.insert(0, boxed(record));
        self
    }

    /// Returns the fingerprint that a journal records: target, mode and tier of the create, and a hash of its request.
    pub fn fingerprint(&self) -> RequestFingerprint {
        let base_url = &self.context.inner.http.server.base_url;
        let tier = self.payload.tier();
        RequestFingerprint::new(base_url, self.mode, tier, self.payload.body())
    }

    /// The JSON body of the request.
    pub(crate) fn body(&self) -> &Value {
        self.payload.body()
    }

    /// What the request asks of its video.
    pub(crate) fn expected_video(&self) -> ExpectedVideo {
        expected_video(self.mode, self.payload.body())
    }

    pub(crate) fn attribution(&self) -> Arc<Mutex<Attribution>> {
        Arc::clone(&self.context.inner.attribution)
    }

    /// Sets which images and videos of the request are inspected before any upload. Default: [`MediaChecks::Local`]. A
    /// file that the service would certainly reject fails the create with [`ErrorKind::Validation`]; warnings are
    /// logged.
    pub fn media_checks(mut self, checks: MediaChecks) -> Self {
        self.media.checks = checks;
        self
    }

    /// Reuses the inspections of a [`Preflight`](crate::preflight::Preflight) of this request. A file that has changed
    /// since, or that the report does not contain, is inspected again before it is uploaded. The rules are always
    /// checked again.
    pub fn preflight_report(mut self, report: PreflightReport) -> Self {
        self.media.files = report.into_files();
        self
    }

    /// Lets [`MediaChecks::All`] inspect URLs with private addresses; see
    /// [`Preflight::allow_private_networks`](crate::preflight::Preflight::allow_private_networks).
    pub fn allow_private_networks(mut self, allow: bool) -> Self {
        self.media.allows_private = allow;
        self
    }

    /// Sets the uploader for local images and videos. Default: the [uploader](crate::ClientBuilder::uploader) of the
    /// client.
    pub fn uploader(mut self, uploader: impl Uploader) -> Self {
        self.media.uploader = Arc::new(uploader);
        self
    }

    /// Calls `callback` with the uploaded and the total number of bytes of local images and videos; see
    /// [`Upload::on_progress`](crate::upload::Upload::on_progress).
    pub fn on_upload_progress(mut self, callback: impl FnMut(u64, u64) + Send + 'static) -> Self {
        self.media.on_progress = Some(Box::new(callback));
        self
    }

    /// Fails with [`ErrorKind::RateLimited`] where the client would have to wait before sending. Nothing is sent then.
    ///
    /// If the client waits for its rate limiter
    /// ([`ClientBuilder::requests_per_second`](crate::ClientBuilder::requests_per_second)), [`Error::retry_after`]
    /// returns the time to wait. If it waits for a [task in flight](crate::ClientBuilder::max_in_flight_tasks), the
    /// time is unknown. If a request was sent, certainly made no task, and would have to wait before a retry, the
    /// create fails with the error of that request.
    pub fn fail_fast(mut self) -> Self {
        self.fails_fast = true;
        self
    }

    /// Sends the request and returns one of three outcomes.
    ///
    /// ```no_run
    /// use kling_omni::recovery::Reconciled;
    /// use kling_omni::CreateOutcome;
    ///
    /// # async fn example(client: kling_omni::Client, request: kling_omni::VideoReference) -> kling_omni::Result<()> {
    /// match client.create(request).with_list_snapshot().outcome().await {
    ///     CreateOutcome::Created(task) => println!("task {}", task.id()),
    ///     CreateOutcome::Rejected(error) => println!("not charged: {error}"),
    ///     CreateOutcome::Unknown { unconfirmed, .. } => match client.reconcile(&unconfirmed).until_settled().await? {
    ///         Reconciled::Found { task, matched_by: by } => println!("task {}, {by}", task.id()),
    ///         Reconciled::NotCreated => println!("no task was made: it is safe to create again"),
    ///         Reconciled::Ambiguous { candidates, reason, .. } => println!("{reason}: {candidates:?}"),
    ///         _ => {}
    ///     },
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn outcome(self) -> CreateOutcome {
        self.run().await
    }

    async fn run(mut self) -> CreateOutcome {
        match self.prepare().await {
            Ok(prepared) => self.send(prepared).await,
            Err(error) => CreateOutcome::failed(error),
        }
    }

    /// Runs all steps before the request is sent.
    async fn prepare(&mut self) -> Result<Prepared> {
        if let Payload::Checked(request) = &self.payload {
            if request.mode() != self.mode {
                return Err(Error::uncharged(
                    ErrorKind::InvalidState,
                    format!(
                        "a request of the mode {} cannot be sent in the mode {}",
                        request.mode(),
                        self.mode
                    ),
                ));
            }
            for warning in request.warnings() {
                tracing::warn!(code = %warning.code(), %warning, "request has a warning");
            }
        }
        let replaced = self.context.replaced();
        let routes = self
            .route
            .routes_to_try(self.mode, self.payload.tier(), &replaced);
        if let Some(first) = routes.first() {
            self.payload.check(*first)?;
        }
        if let Payload::Checked(request) = &self.payload {
            let remote = &self.context.remote;
            self.media.inspect(remote, request, &routes).await?;
        }
        let permit = create::acquire_permit(&self.context.inner, self.fails_fast).await?;
        if let Payload::Checked(request) = &mut self.payload {
            self.media.upload(request).await?;
        }
        let lists = routes
            .first()
            .map_or(&[][..], |first| first.operation().lists);
        let before = self.tasks_before(lists).await?;
        Ok(Prepared {
            routes,
            permit,
            before,
        })
    }

    /// The tasks that are known before the create.
    async fn tasks_before(&mut self, lists: &[&'static ListOperation]) -> Result<TasksBefore> {
        match &self.comparison {
            Comparison::None => Ok(TasksBefore::Unknown),
            Comparison::ListSnapshot => {
                let snapshot = FullList::snapshot(&self.context.inner, lists).await;
                snapshot.map(TasksBefore::Snapshot).map_err(|error| {
                    error.with_context(
                        "nothing was created because the list of tasks could not be read",
                    )
                })
            }
            Comparison::KnownTasks(known) => match known.mark(lists) {
                Some(mark) => Ok(TasksBefore::Known(known.clone(), mark)),
                None => Err(Error::uncharged(
                    ErrorKind::InvalidState,
                    "a list that may have the task was never read for the set of known tasks",
                )
                .with_help("call `KnownTasks::refresh` for the mode and the route of the create")),
            },
        }
    }

    /// Sends the request on the first route, and on the next one only if a route does not exist.
    async fn send(&mut self, prepared: Prepared) -> CreateOutcome {
        let mut routes = prepared.routes.into_iter().peekable();
        let mut gone: Vec<(CreateRoute, Error)> = Vec::new();
        while let Some(route) = routes.next() {
            match self.send_on(route, prepared.before.clone()).await {
                // A route that does not exist made no task, so trying the next one is safe.
                CreateOutcome::Rejected(error)
                    if error.kind() == ErrorKind::NotFound
                        && error.charged() == Charged::No
                        && routes.peek().is_some() =>
                {
                    tracing::info!(%route, %error, "route not found, using its successor");
                    gone.push((route, error));
                }
                CreateOutcome::Rejected(error) => {
                    return CreateOutcome::failed(with_missing_route(gone.pop(), error));
                }
                outcome => {
                    if let CreateOutcome::Created(task) = &outcome {
                        task.hold_permit(prepared.permit);
                        for (older, _) in gone {
                            self.context.add_replaced(older);
                        }
                    }
                    return outcome;
                }
            }
        }
        CreateOutcome::failed(Error::uncharged(
            ErrorKind::Configuration,
            "no route of this mode and tier exists",
        ))
    }

    async fn send_on(&mut self, route: CreateRoute, before: TasksBefore) -> CreateOutcome {
        if let Err(error) = self.check_for(route) {
            return CreateOutcome::failed(error);
        }
        let body = match self.payload.to_body() {
            Ok(body) => body,
            Err(error) => return CreateOutcome::failed(error),
        };
        let reserve = self
            .context
            .spend
            .as_ref()
            .map(|guard| guard.reserve(self.mode, self.payload.tier(), self.payload.body()));
        let submission = Submission {
            operation: route.operation(),
            body,
            options: Options {
                rate_limit_wait: if self.fails_fast {
                    RateLimitWait::Never
                } else {
                    RateLimitWait::Unbounded
                },
                not_after: self.not_after.clone(),
                ..Options::default()
            },
            kind: kind_of(route, self.payload.body()),
            expected: self.expected_video(),
            correlation: self.payload.correlation(),
            before,
            reserve,
        };
        create::submit(&self.context.inner, submission, &mut self.before_send).await
    }

    fn check_for(&self, route: CreateRoute) -> Result<()> {
        self.payload.check(route)?;
        match &self.payload {
            Payload::Checked(request) => self.media.check(request, route),
            Payload::Unchecked { .. } => Ok(()),
        }
    }
}

fn boxed<F>(mut record: impl FnMut(UnconfirmedCreate) -> F + Send + 'static) -> BeforeSend
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    Box::new(move |unconfirmed| Box::pin(record(unconfirmed)))
}

/// The state of a create before the request is sent.
struct Prepared {
    /// The routes to try, in order.
    routes: Vec<CreateRoute>,
    permit: InFlightPermit,
    before: TasksBefore,
}

/// Adds context to an error of the successor route that occurs only because the older route does not exist.
fn with_missing_route(gone: Option<(CreateRoute, Error)>, error: Error) -> Error {
    match gone {
        Some((_, gone)) if error.kind() == ErrorKind::Validation => error
            .with_status_of(&gone)
            .with_context("the older route no longer exists, and the rules of its successor apply"),
        _ => error,
    }
}

impl IntoFuture for Create {
    type Output = Result<Task>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Task>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.run().await.into_result() })
    }
}

impl fmt::Debug for Create {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Create")
            .field("mode", &self.mode)
            .field("route", &self.route)
            .finish_non_exhaustive()
    }
}
