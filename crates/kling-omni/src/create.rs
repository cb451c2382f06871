//! Submission: the one call that costs money.

mod local_media;
mod payload;

use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use serde_json::Value;

pub use crate::engine::create::outcome::Outcome;

use crate::create::local_media::LocalMedia;
use crate::create::payload::Payload;
use crate::engine::attribution::unconfirmed::{CreateNonce, Snapshot, Unresolved};
use crate::engine::attribution::{Attribution, CreatedTask};
use crate::engine::client::ClientInner;
use crate::engine::fingerprint::Plan;
use crate::engine::http::call::{self, Call, Options, RateLimitWait};
use crate::engine::limits::in_flight::InFlightPermit;
use crate::engine::polling::durations::kind::TaskKind;
use crate::engine::polling::durations::kind::TaskOrigin;
use crate::engine::recovery::full_list::FullList;
use crate::engine::task::Task;
use crate::engine::upload::Uploader;
use crate::error::{Charged, Error, ErrorKind, Result};
use crate::preflight::{MediaChecks, PreflightReport};
use crate::redact::printable;
use crate::request::Request;
use crate::route::{CreateRoute, Mode, Route, Tier};
use crate::wire;

/// A task about to be created. Await it to send the request.
///
/// Dropping its future cancels nothing at the service: a request that was sent may have made a paid task whose id is
/// lost. Where the caller may go away, as a web server's handler does when its client hangs up, let the create run to its
/// end in a task of its own, such as `tokio::spawn(create.into_future())`.
#[must_use = "nothing is sent until it is awaited"]
pub struct Create {
    session: Arc<ClientInner>,
    payload: Payload,
    mode: Mode,
    route: Route,
    is_reconcilable: bool,
    fails_fast: bool,
    before_send: Option<BeforeSend>,
    media: LocalMedia,
}

type BeforeSend = Box<dyn FnMut(&Unresolved) -> io::Result<()> + Send>;

impl Create {
    pub(crate) fn checked(
        session: Arc<ClientInner>,
        uploader: Arc<dyn Uploader>,
        request: Request,
    ) -> Self {
        Self {
            mode: request.mode(),
            route: session.route,
            session,
            payload: Payload::Checked(Box::new(request)),
            is_reconcilable: false,
            fails_fast: false,
            before_send: None,
            media: LocalMedia::new(uploader),
        }
    }

    pub(crate) fn unchecked(
        session: Arc<ClientInner>,
        uploader: Arc<dyn Uploader>,
        tier: Tier,
        body: Value,
    ) -> Self {
        Self {
            mode: Mode::default(),
            route: session.route,
            session,
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
    /// are several pages, and both modes' lists on the older route. If the list cannot be read, nothing is sent.
    ///
    /// An answer that names a task of that list, or one of another create of this client, leaves the end unknown.
    pub fn reconcilable(mut self) -> Self {
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
    ///     .reconcilable()
    ///     .before_send(|unresolved| insert(serde_json::to_vec(unresolved)?))
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn before_send(
        mut self,
        record: impl FnMut(&Unresolved) -> io::Result<()> + Send + 'static,
    ) -> Self {
        self.before_send = Some(Box::new(record));
        self
    }

    /// The same, before whatever is done already.
    pub(crate) fn before_send_first(
        mut self,
        mut record: impl FnMut(&Unresolved) -> io::Result<()> + Send + 'static,
    ) -> Self {
        let mut later = self.before_send.take();
        self.before_send(move |unresolved| {
            record(unresolved)?;
            later.as_mut().map_or(Ok(()), |later| later(unresolved))
        })
    }

    /// What a journal keeps of it: where it goes, in which mode and tier, and a hash of the request.
    pub fn plan(&self) -> Plan {
        let base_url = &self.session.server.base_url;
        let tier = self.payload.tier();
        Plan::new(base_url, self.mode, tier, self.payload.body())
    }

    pub(crate) fn attribution(&self) -> Arc<Mutex<Attribution>> {
        Arc::clone(&self.session.attribution)
    }

    /// Which images and videos of the request are looked at before anything is uploaded or sent. Default:
    /// [`MediaChecks::Local`]. What the service would certainly refuse ends the create as
    /// [`ErrorKind::Validation`]; warnings are logged.
    pub fn check_media(mut self, checks: MediaChecks) -> Self {
        self.media.checks = checks;
        self
    }

    /// Takes over what a [`Preflight`](crate::Preflight) has found out about the images and videos of this request, so
    /// that they are not looked at twice. What is uploaded is still what was looked at: a file that has changed since is
    /// looked at again, and so is what the report does not have. The rules are checked again in any case.
    pub fn preflight_report(mut self, report: PreflightReport) -> Self {
        self.media.looked = report.into_looked();
        self
    }

    /// Lets [`MediaChecks::All`] look at URLs that lead to this machine or its own network, too; see
    /// [`Preflight::allow_private`](crate::Preflight::allow_private).
    pub fn allow_private(mut self, allow: bool) -> Self {
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
    /// [`Upload::on_progress`](crate::Upload::on_progress).
    pub fn on_upload(mut self, callback: impl FnMut(u64, u64) + Send + 'static) -> Self {
        self.media.on_progress = Some(Box::new(callback));
        self
    }

    /// Ends at once, with nothing sent, where the client would hold the request back: as [`ErrorKind::RateLimited`].
    ///
    /// Where that is for the sake of the rate
    /// ([`ClientBuilder::requests_per_second`](crate::ClientBuilder::requests_per_second)), [`Error::retry_after`] has the
    /// time to wait. When one of the [tasks in flight](crate::ClientBuilder::tasks_in_flight) will end, nobody knows.
    pub fn fail_fast(mut self) -> Self {
        self.fails_fast = true;
        self
    }

    /// Sends the request, and says which of three ends it came to.
    ///
    /// ```no_run
    /// use kling_omni::{Outcome, Reconciled};
    ///
    /// # async fn example(client: kling_omni::Client, request: kling_omni::VideoReference) -> kling_omni::Result<()> {
    /// match client.create(request).reconcilable().outcome().await {
    ///     Outcome::Created(task) => println!("task {}", task.id()),
    ///     Outcome::Rejected(error) => println!("not charged: {error}"),
    ///     Outcome::Unknown { unresolved, .. } => match client.reconcile(&unresolved).wait().await? {
    ///         Reconciled::Found { task, by } => println!("task {}, {by}", task.id()),
    ///         Reconciled::CertainlyAbsent => println!("no task was made: it can be created again"),
    ///         Reconciled::Ambiguous { candidates, why, .. } => println!("{why}: {candidates:?}"),
    ///         _ => {}
    ///     },
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn outcome(self) -> Outcome {
        Outcome::of(self.run().await)
    }

    async fn run(mut self) -> Result<Task> {
        if let Payload::Checked(request) = &self.payload {
            if request.mode() != self.mode {
                return Err(Error::new(
                    ErrorKind::Configuration,
                    format!(
                        "the request is of the mode {}, and cannot be sent in the mode {}",
                        request.mode(),
                        self.mode
                    ),
                ));
            }
            for warning in request.warnings() {
                tracing::warn!(code = %warning.code(), "{warning}");
            }
        }
        let plan = self.route.plan(
            self.mode,
            self.payload.tier(),
            self.session.is_successor_only(),
        );
        if let Some(first) = plan.first() {
            self.payload.check(*first)?;
        }
        if let Payload::Checked(request) = &self.payload {
            self.media.look(&self.session, request, plan).await?;
        }
        let place = take_place(&self.session, self.fails_fast).await?;
        if let Payload::Checked(request) = &mut self.payload {
            self.media.upload(request).await?;
        }
        let known = match plan.first() {
            Some(first) if self.is_reconcilable => {
                let known = FullList::snapshot(&self.session, first.lists()).await;
                Some(known.map_err(|error| {
                    error.after("the list of tasks could not be read, and so nothing was created")
                })?)
            }
            _ => None,
        };
        let mut routes = plan.iter().copied().peekable();
        let mut gone: Option<Error> = None;
        while let Some(route) = routes.next() {
            match self.send(route, known.clone()).await {
                Ok(task) => {
                    task.hold_permit(place);
                    if gone.is_some() {
                        self.session.remember_successor_only();
                    }
                    return Ok(task);
                }
                // A route that does not exist has made no task, so the next one may be asked.
                Err(error)
                    if error.kind() == ErrorKind::NotFound
                        && error.charged() == Charged::No
                        && routes.peek().is_some() =>
                {
                    tracing::info!(%route, %error, "the route is gone, trying its successor");
                    gone = Some(error);
                }
                Err(error) => return Err(after(gone, error)),
            }
        }
        Err(Error::new(
            ErrorKind::Configuration,
            "there is no route to try",
        ))
    }

    async fn send(&mut self, route: CreateRoute, known: Option<Snapshot>) -> Result<Task> {
        self.payload.check(route)?;
        if let Payload::Checked(request) = &self.payload {
            self.media.check(request, route)?;
        }
        let session = Arc::clone(&self.session);
        let (body, replacement) = match &self.payload {
            Payload::Checked(request) => (Some(request.body()), None),
            Payload::Unchecked { body, .. } => (None, Some(Bytes::from(body.to_string()))),
        };
        let options = Options {
            body: replacement,
            hold: if self.fails_fast {
                RateLimitWait::Never
            } else {
                RateLimitWait::Unbounded
            },
            ..Options::default()
        };
        let exchange = Call::new(Arc::clone(&session), options);
        // What is recorded of the time would be wrong if the request were then held back.
        exchange.take_first_turn().await?;
        let by = CreateNonce::new();
        let origin = TaskOrigin {
            kind: TaskKind::of(route, &self.payload.body()),
            created: session.clock.now(),
        };
        let correlation = self.payload.correlation();
        let unresolved = Unresolved::new(
            route,
            by.clone(),
            &*session.clock,
            call::longest_call(&session),
            correlation,
            known,
        );
        self.record(&unresolved).await?;
        session.attribution().open(by.clone(), route);
        match wire::create(&exchange, route, body).await {
            Ok(wire::Created { id, .. }) if is_taken(&session, &id, &unresolved) => {
                let why = format!(
                    "the service answered with the task {}, which was there before",
                    printable(&id)
                );
                let error = Error::new(ErrorKind::UnexpectedResponse, why)
                    .with_request_id(exchange.request_id())
                    .with_charged(Charged::Unknown);
                Err(give_up(&session, &by, error, unresolved))
            }
            Ok(wire::Created { id, state }) => {
                let id: Arc<str> = id.into();
                let made = CreatedTask {
                    route,
                    by,
                    origin: Some(origin),
                };
                session.attribution().answered(&id, made);
                Ok(Task::created(session, id, route, origin, state, &exchange))
            }
            Err(error) if error.charged() == Charged::Unknown => {
                Err(give_up(&session, &by, error, unresolved))
            }
            Err(error) => {
                session.attribution().close(&by);
                Err(error)
            }
        }
    }

    /// Hands out what is needed to find the task, where waiting for the disk holds nobody up.
    async fn record(&mut self, unresolved: &Unresolved) -> Result<()> {
        let Some(mut record) = self.before_send.take() else {
            return Ok(());
        };
        let unresolved = unresolved.clone();
        let recording = tokio::task::spawn_blocking(move || {
            let recorded = record(&unresolved);
            (record, recorded)
        });
        let (record, recorded) = recording
            .await
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        self.before_send = Some(record);
        recorded.map_err(|error| {
            Error::new(
                ErrorKind::File,
                "what would be needed to find the task could not be recorded, and so nothing was created",
            )
            .with_source(error)
        })
    }
}

/// Whether a task that an answer names cannot be the new one of a create that can be reconciled: it was listed before, or
/// is that of another create. An answer that was kept on the way, or belongs to another request, looks like this.
fn is_taken(session: &ClientInner, id: &str, unresolved: &Unresolved) -> bool {
    unresolved.known().is_some_and(|known| {
        let attribution = session.attribution();
        known.ids.contains(id) || attribution.is_of_another(id, unresolved.create())
    })
}

/// The error of a create whose outcome is unknown.
fn give_up(session: &ClientInner, by: &CreateNonce, error: Error, unresolved: Unresolved) -> Error {
    let request_id = error.request_id().map(str::to_owned);
    let candidates = error.candidates().to_vec();
    let unresolved = unresolved
        .given_up(&*session.clock, request_id)
        .with_candidates(candidates);
    session.attribution().give_up(by, session.clock.boot_time());
    error.with_unresolved(unresolved)
}

/// A place among the tasks in flight, within the time for the call.
async fn take_place(session: &ClientInner, fails_fast: bool) -> Result<InFlightPermit> {
    if let Some(place) = session.places.try_take() {
        return Ok(place);
    }
    if fails_fast {
        return Err(crowded(session));
    }
    tracing::debug!(most = session.places.most(), "waiting for a task to end");
    let Some(timeout) = session.call_timeout else {
        return Ok(session.places.take().await);
    };
    tokio::select! {
        biased;
        place = session.places.take() => Ok(place),
        () = session.clock.sleep(timeout) => Err(crowded(session)),
    }
}

fn crowded(session: &ClientInner) -> Error {
    let most = session.places.most();
    Error::new(
        ErrorKind::RateLimited,
        format!(
            "as many tasks are in flight as this client may have ({most}), and so nothing was created"
        ),
    )
    .with_retryable(true)
    .with_help("create it once one of them has ended, or raise `tasks_in_flight`")
}

/// An error of the successor that came about only because the older route is gone.
fn after(gone: Option<Error>, error: Error) -> Error {
    match gone {
        Some(gone) if error.kind() == ErrorKind::Validation => error
            .with_status_of(&gone)
            .after("the older route does not exist any more, and the rules of its successor count"),
        _ => error,
    }
}

impl IntoFuture for Create {
    type Output = Result<Task>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Task>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
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
