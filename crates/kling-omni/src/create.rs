//! Submission: the one call that costs money.

mod local_media;
mod payload;

use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::engine::create::CreateOutcome;

use crate::context::Context;
use crate::engine::attribution::Attribution;
use crate::engine::create::{self, BeforeSend, Submission};
use crate::engine::error::{Charged, Error, ErrorKind, Result};
use crate::engine::http::call::{Options, RateLimitWait};
use crate::engine::limits::in_flight::InFlightPermit;
use crate::engine::recovery::full_list::FullList;
use crate::engine::task::Task;
use crate::engine::unconfirmed::{Snapshot, UnconfirmedCreate};
use crate::engine::upload::Uploader;
use crate::fingerprint::RequestFingerprint;
use crate::preflight::{MediaChecks, PreflightReport};
use crate::request::Request;
use crate::route::{CreateRoute, Mode, Route, Tier};
use crate::task_kind::kind_of;
use local_media::LocalMedia;
use payload::Payload;

/// A task about to be created. Await it to send the request.
///
/// Dropping its future cancels nothing at the service: a request that was sent may have made a paid task whose id is
/// lost. Where the caller may go away, as a web server's handler does when its client hangs up, let the create run to its
/// end in a task of its own, such as `tokio::spawn(create.into_future())`.
#[must_use = "nothing is sent until it is awaited"]
pub struct Create {
    context: Arc<Context>,
    payload: Payload,
    mode: Mode,
    route: Route,
    is_reconcilable: bool,
    fails_fast: bool,
    before_send: Option<BeforeSend>,
    media: LocalMedia,
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
            is_reconcilable: false,
            fails_fast: false,
            before_send: None,
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
            is_reconcilable: false,
            fails_fast: false,
            before_send: None,
            media: LocalMedia::new(uploader),
        }
    }

    /// Sends a body that nobody has checked to the routes of another mode than [`Mode::Reference`]. A checked request
    /// knows its own, and setting another is an error.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Takes another route than the client's own setting, for this task alone. Of the modes, [`Mode::Reference`] alone
    /// has a choice.
    pub fn route(mut self, route: Route) -> Self {
        self.route = route;
        self
    }

    /// Reads the account's list of tasks first, so that [`Client::reconcile`](crate::Client::reconcile) can tell a new
    /// task from an old one should the end of this create stay unknown.
    ///
    /// It costs reads, which are free: one request for each page of the list and one more, all of it twice where there
    /// are several pages, and the lists of two families on the older route. If the list cannot be read, nothing is sent.
    ///
    /// An answer that names a task of that list, or one of another create of this client, leaves the end unknown.
    pub fn with_list_snapshot(mut self) -> Self {
        self.is_reconcilable = true;
        self
    }

    /// Hands out what is needed to find the task, before anything is sent: for a journal that survives the end of the
    /// process. If the closure fails, nothing is sent. It is called once for each route that is tried, on a thread that
    /// may wait for the disk.
    ///
    /// For a journal in a file, [`Journal`](crate::journal::Journal) does this and all that comes after it. For one of
    /// your own, such as a row of a database:
    ///
    /// ```no_run
    /// # fn insert(row: Vec<u8>) -> std::io::Result<()> { Ok(()) }
    /// # async fn example(client: kling_omni::Client, request: kling_omni::VideoReference) -> kling_omni::Result<()> {
    /// let task = client
    ///     .create(request)
    ///     .with_list_snapshot()
    ///     .before_send(|unconfirmed| insert(serde_json::to_vec(unconfirmed)?))
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn before_send(
        mut self,
        record: impl FnMut(&UnconfirmedCreate) -> io::Result<()> + Send + 'static,
    ) -> Self {
        self.before_send = Some(Box::new(record));
        self
    }

    /// The same, before whatever is done already.
    pub(crate) fn before_send_first(
        mut self,
        mut record: impl FnMut(&UnconfirmedCreate) -> io::Result<()> + Send + 'static,
    ) -> Self {
        let mut later = self.before_send.take();
        self.before_send(move |unconfirmed| {
            record(unconfirmed)?;
            later.as_mut().map_or(Ok(()), |later| later(unconfirmed))
        })
    }

    /// What a journal keeps of it: where it goes, in which mode and tier, and a hash of the request.
    pub fn fingerprint(&self) -> RequestFingerprint {
        let base_url = &self.context.inner.http.server.base_url;
        let tier = self.payload.tier();
        RequestFingerprint::new(base_url, self.mode, tier, self.payload.body())
    }

    pub(crate) fn attribution(&self) -> Arc<Mutex<Attribution>> {
        Arc::clone(&self.context.inner.attribution)
    }

    /// Which images and videos of the request are looked at before anything is uploaded or sent. Default:
    /// [`MediaChecks::Local`]. What the service would certainly refuse ends the create as
    /// [`ErrorKind::Validation`]; warnings are logged.
    pub fn media_checks(mut self, checks: MediaChecks) -> Self {
        self.media.checks = checks;
        self
    }

    /// Takes over what a [`Preflight`](crate::preflight::Preflight) has found out about the images and videos of this request, so
    /// that they are not looked at twice. What is uploaded is still what was looked at: a file that has changed since is
    /// looked at again, and so is what the report does not have. The rules are checked again in any case.
    pub fn preflight_report(mut self, report: PreflightReport) -> Self {
        self.media.files = report.into_files();
        self
    }

    /// Lets [`MediaChecks::All`] look at URLs that lead to this machine or its own network, too; see
    /// [`Preflight::allow_private_networks`](crate::preflight::Preflight::allow_private_networks).
    pub fn allow_private_networks(mut self, allow: bool) -> Self {
        self.media.allows_private = allow;
        self
    }

    /// Uploads local images and videos with this instead of the client's own
    /// [uploader](crate::ClientBuilder::uploader).
    pub fn uploader(mut self, uploader: impl Uploader) -> Self {
        self.media.uploader = Arc::new(uploader);
        self
    }

    /// Calls `callback` with the bytes of local images and videos that were uploaded so far and in all; see
    /// [`Upload::on_progress`](crate::upload::Upload::on_progress).
    pub fn on_upload_progress(mut self, callback: impl FnMut(u64, u64) + Send + 'static) -> Self {
        self.media.on_progress = Some(Box::new(callback));
        self
    }

    /// Ends at once, with nothing sent, where the client would hold the request back: as [`ErrorKind::RateLimited`].
    ///
    /// Where that is for the sake of the rate
    /// ([`ClientBuilder::requests_per_second`](crate::ClientBuilder::requests_per_second)), [`Error::retry_after`] has the
    /// time to wait. When one of the [tasks in flight](crate::ClientBuilder::max_in_flight_tasks) will end, nobody knows. A request
    /// that was sent, certainly made no task, and would have to wait before it is repeated ends with its own error.
    pub fn fail_fast(mut self) -> Self {
        self.fails_fast = true;
        self
    }

    /// Sends the request, and says which of three ends it came to.
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
    ///         Reconciled::NotCreated => println!("no task was made: it can be created again"),
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

    /// Does everything that comes before the request.
    async fn prepare(&mut self) -> Result<Prepared> {
        if let Payload::Checked(request) = &self.payload {
            if request.mode() != self.mode {
                return Err(Error::uncharged(
                    ErrorKind::InvalidState,
                    format!(
                        "the request is of the mode {}, and cannot be sent in the mode {}",
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
        let routes = self.route.plan(self.mode, self.payload.tier(), &replaced);
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
        let known = match routes.first() {
            Some(first) if self.is_reconcilable => {
                let lists = first.operation().lists;
                let known = FullList::snapshot(&self.context.inner, lists).await;
                Some(known.map_err(|error| {
                    error.with_context("could not read the list of tasks, so nothing was created")
                })?)
            }
            _ => None,
        };
        Ok(Prepared {
            routes,
            permit,
            known,
        })
    }

    /// Sends the request by the first route, and by the next one only if a route does not exist.
    async fn send(&mut self, prepared: Prepared) -> CreateOutcome {
        let mut routes = prepared.routes.into_iter().peekable();
        let mut gone: Vec<(CreateRoute, Error)> = Vec::new();
        while let Some(route) = routes.next() {
            match self.send_by(route, prepared.known.clone()).await {
                // A route that does not exist has made no task, so the next one may be asked.
                CreateOutcome::Rejected(error)
                    if error.kind() == ErrorKind::NotFound
                        && error.charged() == Charged::No
                        && routes.peek().is_some() =>
                {
                    tracing::info!(%route, %error, "route not found, using its successor");
                    gone.push((route, error));
                }
                CreateOutcome::Rejected(error) => {
                    return CreateOutcome::failed(after(gone.pop(), error));
                }
                outcome => {
                    if let CreateOutcome::Created(task) = &outcome {
                        task.hold_permit(prepared.permit);
                        for (older, _) in gone {
                            self.context.remember_replaced(older);
                        }
                    }
                    return outcome;
                }
            }
        }
        CreateOutcome::failed(Error::uncharged(
            ErrorKind::Configuration,
            "there is no route to try",
        ))
    }

    async fn send_by(&mut self, route: CreateRoute, known: Option<Snapshot>) -> CreateOutcome {
        if let Err(error) = self.check_for(route) {
            return CreateOutcome::failed(error);
        }
        let body = match self.payload.to_body() {
            Ok(body) => body,
            Err(error) => return CreateOutcome::failed(error),
        };
        let submission = Submission {
            operation: route.operation(),
            body,
            options: Options {
                rate_limit_wait: if self.fails_fast {
                    RateLimitWait::Never
                } else {
                    RateLimitWait::Unbounded
                },
                ..Options::default()
            },
            kind: kind_of(route, self.payload.body()),
            correlation: self.payload.correlation(),
            snapshot: known,
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

/// What is ready once a create can be sent.
struct Prepared {
    /// The routes to try, in order.
    routes: Vec<CreateRoute>,
    permit: InFlightPermit,
    /// The tasks that are listed already.
    known: Option<Snapshot>,
}

/// An error of the successor that came about only because the older route is gone.
fn after(gone: Option<(CreateRoute, Error)>, error: Error) -> Error {
    match gone {
        Some((_, gone)) if error.kind() == ErrorKind::Validation => error
            .with_status_of(&gone)
            .with_context("the older route was removed, and the rules of its successor apply"),
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
            .field("is_reconcilable", &self.is_reconcilable)
            .finish_non_exhaustive()
    }
}
