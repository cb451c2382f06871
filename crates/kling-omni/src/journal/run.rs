//! Runs a journal: from any state to a saved video, or to a question for a person.

pub(super) mod event;

use std::fmt;
use std::future::{Future, IntoFuture};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use serde_json::Value;

use crate::client::Client;
use crate::create::Create;
use crate::engine::create::CreateOutcome;
use crate::engine::download::{Destination, Save, Video};
use crate::engine::error::{Charged, Error, ErrorKind, Result};
use crate::engine::expected_video::ExpectedVideo;
use crate::engine::known_tasks::KnownTasks;
use crate::engine::polling::schedule::PollSchedule;
use crate::engine::recovery::Reconcile;
use crate::engine::recovery::reconciled::{AmbiguityReason, Reconciled};
use crate::engine::task::Task;
use crate::engine::unconfirmed::UnconfirmedCreate;
#[cfg(feature = "webhook")]
use crate::engine::webhook::WebhookReceiver;
use crate::journal::Journal;
use crate::journal::run::event::{JournalEvent, JournalOutcome};
use crate::journal::state::State;

/// The delay between two searches for a task that another create of this client may have made.
const CONTESTED_DELAY: Duration = Duration::from_secs(5);

type OnEvent = Arc<Mutex<dyn FnMut(JournalEvent) + Send>>;
type NextCreate = Box<dyn FnMut() -> Create + Send>;
type PathOf = Box<dyn FnOnce(&str) -> PathBuf + Send>;

impl Journal {
    /// Continues from the current state until the video is saved at `destination`. Await the returned [`JournalRun`], or set
    /// options first.
    ///
    /// Depending on the state, the run sends `create`, searches for the task of a create whose outcome is unknown, waits for
    /// the task, and downloads the video. A process that was killed at any point does the same call again and continues. A
    /// create is needed only while no task exists, and is sent at most once.
    ///
    /// Dropping the run stops it, and a later one continues. A request that was sent may have made a task by then, which the
    /// later run has to search for, so do not tie a run to a caller that may disappear, such as the handler of an HTTP
    /// request: use `tokio::spawn(async move { journal.run(..).await })`.
    ///
    /// # Errors
    ///
    /// Each says whether there was a charge, and names the task if there is one. After any of them, the journal can be run
    /// again.
    ///
    /// * Those of the create, if it was rejected. A create that was lost and made no task is [`ErrorKind::Transport`],
    ///   charged no; a further run sends it again, and so does [`JournalRun::recreate`].
    /// * Those of [`Task::wait`] and [`Video::save`].
    /// * [`ErrorKind::InvalidState`] if a create is needed and not given, or is not the one of the journal, or if the journal
    ///   belongs to another service.
    /// * [`ErrorKind::File`] if the journal cannot be written before the create is sent, or if the destination cannot be
    ///   written, which is tried before the create.
    pub fn run(
        &mut self,
        client: &Client,
        create: impl Into<Option<Create>>,
        destination: impl Into<Destination>,
    ) -> JournalRun<'_> {
        JournalRun {
            journal: self,
            client: client.clone(),
            create: create.into(),
            recreate: None,
            has_sent: false,
            destination: destination.into(),
            path_of: None,
            checks_destination: true,
            expected: None,
            request: None,
            settle_time: None,
            known_tasks: None,
            #[cfg(feature = "webhook")]
            receiver: None,
            schedule: None,
            timeout: None,
            on_event: None,
            reported_write_error: false,
        }
    }

    /// The handle of the task of this journal.
    fn task(&self, client: &Client, id: &str) -> Task {
        match self.fingerprint() {
            Some(fingerprint) => client.task_of_mode(id, fingerprint.mode()),
            None => client.task(id),
        }
    }
}

/// A run of a journal. Returned by [`Journal::run`].
#[must_use = "nothing happens until it is awaited"]
pub struct JournalRun<'a> {
    journal: &'a mut Journal,
    client: Client,
    create: Option<Create>,
    recreate: Option<NextCreate>,
    has_sent: bool,
    destination: Destination,
    path_of: Option<PathOf>,
    checks_destination: bool,
    /// What the create asks of the video, if there is one.
    expected: Option<ExpectedVideo>,
    /// The request, for the sidecar.
    request: Option<Value>,
    settle_time: Option<Duration>,
    known_tasks: Option<KnownTasks>,
    #[cfg(feature = "webhook")]
    receiver: Option<WebhookReceiver>,
    schedule: Option<PollSchedule>,
    timeout: Option<Duration>,
    on_event: Option<OnEvent>,
    reported_write_error: bool,
}

impl JournalRun<'_> {
    /// Sends another create if the first one was lost and certainly made no task, and repeats that until there is a response.
    /// Default: the run ends with an error.
    pub fn recreate(mut self, create: impl FnMut() -> Create + Send + 'static) -> Self {
        self.recreate = Some(Box::new(create));
        self
    }

    /// Computes the path of the video from the id of its task. Replaces the path of the destination.
    pub fn path_by_task(mut self, path: impl FnOnce(&str) -> PathBuf + Send + 'static) -> Self {
        self.path_of = Some(Box::new(path));
        self
    }

    /// Sets whether to call [`Destination::check`] before a create. Default: true.
    pub fn check_destination(mut self, check: bool) -> Self {
        self.checks_destination = check;
        self
    }

    /// Sets how long the task of a lost create may be missing from the list. Default:
    /// [`Reconcile::DEFAULT_SETTLE_TIME`]. With a shorter time you may pay
    /// twice; see [`Reconcile::settle_time`].
    pub fn settle_time(mut self, settle_time: Duration) -> Self {
        self.settle_time = Some(settle_time);
        self
    }

    /// Compares with a set of known tasks instead of a list snapshot: calls [`Create::with_known_tasks`] and
    /// [`Reconcile::known_tasks`]. [Refresh](KnownTasks::refresh) the set before.
    pub fn known_tasks(mut self, known: &KnownTasks) -> Self {
        self.known_tasks = Some(known.clone());
        self
    }

    /// Receives deliveries, too: to find the task of a lost create, and to wait for it. See
    /// [`Reconcile::webhook`] and [`Wait::webhook`](crate::polling::Wait::webhook).
    #[cfg(feature = "webhook")]
    pub fn webhook(mut self, receiver: &WebhookReceiver) -> Self {
        self.receiver = Some(receiver.clone());
        self
    }

    /// Sets when to poll. Default: [`PollSchedule::adaptive`].
    pub fn schedule(mut self, schedule: PollSchedule) -> Self {
        self.schedule = Some(schedule);
        self
    }

    /// Sets how long the wait for the task and the download may take together. Default: [`Wait::DEFAULT_TIMEOUT`](crate::polling::Wait::DEFAULT_TIMEOUT) for the wait
    /// and [`Save::DEFAULT_TIMEOUT`] for the download. The search for a task is not limited by it.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Calls `callback` for each event. After each event except [`JournalEvent::Received`] and [`JournalEvent::Recovered`],
    /// the run yields to the executor, so it can be dropped there.
    pub fn on_event(mut self, callback: impl FnMut(JournalEvent) + Send + 'static) -> Self {
        self.on_event = Some(Arc::new(Mutex::new(callback)));
        self
    }

    async fn run(mut self) -> Result<JournalOutcome> {
        self.journal.check_service(&self.client)?;
        let fingerprint = self.create.as_ref().map(Create::fingerprint);
        if let Some(fingerprint) = fingerprint {
            self.journal.begin(fingerprint).await?;
        }
        self.expected = self.create.as_ref().map(Create::expected_video);
        if self.destination.sidecar_path().is_some() {
            self.request = self.create.as_ref().map(|create| create.body().clone());
        }
        let task = loop {
            let state = self.journal.state();
            match (state, self.journal.state().task_id()) {
                (State::Unconfirmed(unconfirmed), _) => match self.reconcile(&unconfirmed).await? {
                    Reconciled::Found { task, matched_by } => {
                        let found = task.clone();
                        self.report(JournalEvent::Found { task, matched_by }).await;
                        break found;
                    }
                    Reconciled::NotCreated => self.report(JournalEvent::NotCreated).await,
                    Reconciled::Ambiguous { candidates, reason } => {
                        return Ok(JournalOutcome::NeedsDecision {
                            candidates,
                            reason,
                            unconfirmed,
                        });
                    }
                },
                (_, Some(id)) => break self.journal.task(&self.client, id),
                (_, None) => {
                    // A task is continued even if it could not be recorded.
                    if let Some(task) = self.create().await? {
                        break task;
                    }
                }
            }
        };
        let id = task.id().to_owned();
        self.wait_and_save(task).await.map_err(|error| {
            // Whether a failed task is refunded is not known.
            let is_final = matches!(error.kind(), ErrorKind::TaskFailed | ErrorKind::EmptyResult);
            match error.charged() {
                Charged::Unknown if !is_final => error.with_task(&id),
                _ => error,
            }
        })
    }

    /// Creates the task. Returns `None` if the outcome is unknown.
    async fn create(&mut self) -> Result<Option<Task>> {
        let create = match (self.create.take(), &mut self.recreate) {
            (Some(create), _) => create,
            (None, Some(recreate)) if self.has_sent => recreate(),
            (None, _) if self.has_sent => {
                return Err(Error::uncharged(
                    ErrorKind::Transport,
                    "the request was lost and created no task",
                )
                .with_retryable(true)
                .with_help("run the journal again with the create"));
            }
            (None, _) => {
                return Err(self
                    .journal
                    .error(
                        ErrorKind::InvalidState,
                        "the journal has no task, and no create was given",
                    )
                    .with_help("run the journal with the create"));
            }
        };
        let create = match &self.known_tasks {
            Some(known) => create.with_known_tasks(known),
            None => create,
        };
        if self.checks_destination {
            self.destination.check().await?;
        }
        self.report(JournalEvent::Sending).await;
        self.has_sent = true;
        match self.journal.create(create).await? {
            CreateOutcome::Created(task) => {
                let created = task.clone();
                self.report(JournalEvent::Created { task }).await;
                Ok(Some(created))
            }
            CreateOutcome::Rejected(error) => Err(error),
            CreateOutcome::Unknown { error, .. } => {
                if !matches!(self.journal.state(), State::Unconfirmed(_)) {
                    // The create of an uploader, which this journal does not have.
                    return Err(error);
                }
                self.report(JournalEvent::Unanswered { error }).await;
                Ok(None)
            }
        }
    }

    /// Searches for the task of an unconfirmed create. Another create of this client that is in flight may have made the new
    /// task, so the search is repeated until that one has its own, for the settle time at most.
    async fn reconcile(&mut self, unconfirmed: &UnconfirmedCreate) -> Result<Reconciled> {
        let mut event = Some(unconfirmed.clone());
        let settle_time = self.settle_time.unwrap_or(Reconcile::DEFAULT_SETTLE_TIME);
        let mut waited = Duration::ZERO;
        loop {
            let reconciled = self.search(&mut event, settle_time).await?;
            let is_contested = matches!(
                reconciled,
                Reconciled::Ambiguous {
                    reason: AmbiguityReason::OtherCreates,
                    ..
                }
            );
            if !is_contested || waited >= settle_time {
                return Ok(reconciled);
            }
            self.client.clock().sleep(CONTESTED_DELAY).await;
            waited += CONTESTED_DELAY;
        }
    }

    /// Searches once, and reports the first search.
    async fn search(
        &mut self,
        event: &mut Option<UnconfirmedCreate>,
        settle_time: Duration,
    ) -> Result<Reconciled> {
        self.journal
            .reconcile(&self.client, |search| {
                let mut search = search.settle_time(settle_time).until_settled();
                if let Some(known) = &self.known_tasks {
                    search = search.known_tasks(known);
                }
                #[cfg(feature = "webhook")]
                if let Some(receiver) = &self.receiver {
                    search = search.webhook(receiver);
                }
                if let Some(unconfirmed) = event.take() {
                    let time_left = search.time_left();
                    call(
                        &self.on_event,
                        JournalEvent::Searching {
                            unconfirmed,
                            time_left,
                        },
                    );
                }
                search
            })
            .await
    }

    async fn wait_and_save(mut self, task: Task) -> Result<JournalOutcome> {
        if let Some(saved) = self.journal.verify_saved_at(&self.destination).await {
            self.report(JournalEvent::AlreadySaved(saved.clone())).await;
            return Ok(JournalOutcome::Saved(saved));
        }
        if let State::Saved { file, .. } = self.journal.state() {
            let path = file.path;
            self.report(JournalEvent::SavedFileChanged { path }).await;
        }
        self.report(JournalEvent::Waiting { task: task.clone() })
            .await;
        // The timeout covers the wait and the download.
        let now = self.client.clock().now();
        let deadline = self.timeout.and_then(|timeout| now.checked_add(timeout));
        let waited = self.wait(&task).await;
        if let Some(state) = task.state() {
            self.journal.record_ended(&state).await;
        }
        let video = waited?;
        self.report(JournalEvent::Downloading {
            video: video.clone(),
        })
        .await;
        let save = self.save(&video, deadline);
        let saved = self.journal.save(save).await?;
        self.report(JournalEvent::Saved(saved.clone())).await;
        Ok(JournalOutcome::Saved(saved))
    }

    async fn wait(&mut self, task: &Task) -> Result<Video> {
        let mut wait = task.wait();
        if let Some(timeout) = self.timeout {
            wait = wait.timeout(timeout);
        }
        if let Some(schedule) = self.schedule.take() {
            wait = wait.schedule(schedule);
        }
        #[cfg(feature = "webhook")]
        if let Some(receiver) = &self.receiver {
            wait = wait.webhook(receiver);
        }
        let mut updates = wait.updates();
        while let Some(update) = updates.next().await {
            self.report(JournalEvent::Updated(update?)).await;
        }
        task.video()
    }

    fn save(&mut self, video: &Video, deadline: Option<Instant>) -> Save {
        let destination = match self.path_of.take() {
            Some(path_of) => self.destination.clone().with_path(path_of(video.task_id())),
            None => self.destination.clone(),
        };
        let (received, recovered) = (self.on_event.clone(), self.on_event.clone());
        let mut save = video
            .save(destination)
            .on_progress(move |bytes, total| {
                call(&received, JournalEvent::Received { bytes, total });
            })
            .on_event(move |event| call(&recovered, JournalEvent::Recovered(event.clone())));
        if let Some(deadline) = deadline {
            let now = self.client.clock().now();
            save = save.timeout(deadline.saturating_duration_since(now));
        }
        if let Some(expected) = self.expected {
            save = save.expected(expected);
        }
        if let Some(request) = self.request.take() {
            save = save.request(request);
        }
        save
    }

    /// Calls the callback, and yields. A caller can drop the run there.
    async fn report(&mut self, event: JournalEvent) {
        if self.on_event.is_none() {
            return;
        }
        if !self.reported_write_error
            && let Some(reason) = self.journal.write_error()
        {
            self.reported_write_error = true;
            call(&self.on_event, JournalEvent::WriteFailed { reason });
        }
        call(&self.on_event, event);
        tokio::task::yield_now().await;
    }
}

fn call(on_event: &Option<OnEvent>, event: JournalEvent) {
    if let Some(on_event) = on_event {
        on_event.lock().unwrap_or_else(PoisonError::into_inner)(event);
    }
}

impl<'a> IntoFuture for JournalRun<'a> {
    type Output = Result<JournalOutcome>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for JournalRun<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JournalRun")
            .field("journal", &self.journal)
            .field("destination", &self.destination)
            .field("settle_time", &self.settle_time)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
