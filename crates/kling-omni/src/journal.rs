//! A write-ahead journal: a create that is never paid twice, and a task that is never lost, whenever the process dies.
//!
//! One journal is one file and about one task. It records what is about to be done before it is done, and what came of
//! it before anything else is, each time on disk before it goes on. Whoever opens it later finds in [`State`] what is
//! left to do:
//!
//! ```no_run
//! use kling_omni::journal::{Journal, State};
//! use kling_omni::recovery::Reconciled;
//! use kling_omni::{Client, CreateOutcome, VideoReference};
//!
//! # async fn example(client: Client, request: VideoReference) -> Result<(), Box<dyn std::error::Error>> {
//! let mut journal = Journal::open_or_create("puppet.journal").await?;
//! if let State::Unconfirmed(_) = journal.state() {
//!     match journal.reconcile(&client, |search| search.wait()).await? {
//!         Reconciled::Found { task, .. } => println!("there is a task: {}", task.id()),
//!         Reconciled::NotCreated => println!("there is none, it can be created again"),
//!         doubt => return Err(format!("ask a person, who calls `attach` or `absent`: {doubt:?}").into()),
//!     }
//! }
//! if journal.state().may_create() {
//!     if let CreateOutcome::Rejected(error) | CreateOutcome::Unknown { error, .. } = journal.create(client.create(request)).await? {
//!         return Err(error.into());
//!     }
//! }
//! if journal.verify_saved().await.is_none()
//!     && let Some(id) = journal.state().task_id()
//! {
//!     let task = client.task(id);
//!     let waited = task.wait().await;
//!     if let Some(state) = task.state() {
//!         journal.record_ended(&state).await;
//!     }
//!     journal.save(waited?.save("puppet.mp4")).await?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What is in the file
//!
//! A line that names the format and its version, and then a line for each record: a checksum and a JSON object. The
//! checksum covers all records before it, too. A last line without an end is a record whose writing was cut short: it
//! does not count, and nothing was done that rests on it. Any other line that is not as it was written makes opening the
//! journal an error, and it is left as it is.
//!
//! The names of records and fields are stable from 0.1 on; the version is for what would change the meaning of a journal.
//!
//! There is no secret in it: no key, no URL of a result, no webhook secret, and of the request nothing but a hash
//! ([`RequestFingerprint`]). On Unix it is readable by its owner alone. While it is open it is locked, so that no two processes go on
//! with the same task; the lock ends with the process, however that ends.
//!
//! # What it cannot do
//!
//! Between the record and the answer nobody knows whether there is a task, and that is for [`Journal::reconcile`] to
//! find out, with the limits that [`Reconcile`] tells. One of them concerns journals among themselves: two creates of
//! one account that different processes have unconfirmed at the same time can both take the same new task, unless their
//! webhooks carry correlation tokens or [`Reconcile::exclude`] tells the one of the other. Each journal records how its task was
//! found. Which account it was is not recorded: take a journal up with a key of the same one. Locks work between the
//! processes of one machine; not all network file systems have them.

mod journal_file;
mod record;
mod state;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use crate::fingerprint::RequestFingerprint;
#[cfg(feature = "test-hooks")]
#[doc(hidden)]
pub use crate::journal::journal_file::Step;
pub use crate::journal::state::State;

use crate::client::Client;
use crate::create::Create;
use crate::engine::attribution::{self, Attribution};
use crate::engine::create::CreateOutcome;
use crate::engine::download::{Save, Saved};
use crate::engine::error::{Error, ErrorKind, Result};
use crate::engine::recovery::Reconcile;
use crate::engine::recovery::reconciled::Reconciled;
use crate::engine::state::TaskState;
use crate::engine::task_id::TaskId;
use crate::engine::unconfirmed::UnconfirmedCreate;
use crate::journal::journal_file::{JournalFile, Opening};
use crate::journal::record::{KnownBy, Record};
use crate::redact::printable;

/// The journal of one task. See the [module](self) for how to use it.
pub struct Journal {
    journal_file: Arc<Mutex<JournalFile>>,
    /// Of the client that last created or reconciled.
    attribution: Option<Arc<Mutex<Attribution>>>,
}

impl Journal {
    /// Opens an existing journal.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::File`] if there is none, if another process has it open, or if it cannot be read as what was written.
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self> {
        Self::open_file(path.into(), Opening::Existing).await
    }

    /// Starts a new journal.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::File`] if there is a file of the name, or none can be made there.
    pub async fn create_new(path: impl Into<PathBuf>) -> Result<Self> {
        Self::open_file(path.into(), Opening::New).await
    }

    /// Opens the journal that is there, or starts a new one.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open) and [`create_new`](Self::create_new), but for whether the file is there.
    pub async fn open_or_create(path: impl Into<PathBuf>) -> Result<Self> {
        Self::open_file(path.into(), Opening::Either).await
    }

    async fn open_file(path: PathBuf, opening: Opening) -> Result<Self> {
        let journal_file = blocking(move || JournalFile::open(&path, opening)).await?;
        Ok(Self {
            journal_file: Arc::new(Mutex::new(journal_file)),
            attribution: None,
        })
    }

    /// Calls `callback` before and after each record, on the thread that writes it: for tests that end the process at
    /// each of these moments, and see what the next one makes of it.
    #[cfg(feature = "test-hooks")]
    #[doc(hidden)]
    pub fn on_step(self, callback: impl Fn(Step<'_>) + Send + 'static) -> Self {
        lock(&self.journal_file).on_step = Some(Box::new(callback));
        self
    }

    /// The path of the file.
    pub fn path(&self) -> PathBuf {
        lock(&self.journal_file).path.clone()
    }

    /// The current state.
    pub fn state(&self) -> State {
        lock(&self.journal_file).contents.state.clone()
    }

    /// What the journal is about, once that is recorded.
    pub fn fingerprint(&self) -> Option<RequestFingerprint> {
        lock(&self.journal_file).contents.plan.clone()
    }

    /// What kept a record from being written, if something did. The file stays as it was before: what is done once a
    /// task is paid for continues without it, and a later process may have to reconcile.
    pub fn write_error(&self) -> Option<String> {
        lock(&self.journal_file).write_error.clone()
    }

    /// Records what is to be created. If that is recorded already, it has to be the same.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidState`] if the journal is about something else, and [`ErrorKind::File`] if it cannot be
    /// written.
    pub async fn begin(&mut self, fingerprint: RequestFingerprint) -> Result<()> {
        match self.fingerprint() {
            None => self.record(Record::Prepared(fingerprint)).await,
            Some(recorded) => match recorded.differs_from(&fingerprint) {
                None => Ok(()),
                Some(reason) => Err(self
                    .error(
                        ErrorKind::InvalidState,
                        format!(
                            "the journal {} is about another create: {reason}",
                            self.path().display()
                        ),
                    )
                    .with_help("give the same as before, or another journal to another create")),
            },
        }
    }

    /// Creates the task, with a record before it is sent and one of its end. The create is made
    /// [with_list_snapshot](Create::with_list_snapshot).
    ///
    /// That the last record cannot be written is no error, since there may be a task by then:
    /// [`write_error`](Self::write_error) tells it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidState`] if the journal is about another create or says that there is, or may be, a task
    /// already, and [`ErrorKind::File`] if it cannot be written. Nothing was sent then.
    pub async fn create(&mut self, create: Create) -> Result<CreateOutcome> {
        let state = self.state();
        if !state.may_create() {
            let what = match state.task_id() {
                Some(id) => format!("the journal has a task already: {}", printable(id)),
                None => "the create in the journal may have made a task".to_owned(),
            };
            return Err(self
                .error(ErrorKind::InvalidState, what)
                .with_help("go on from the journal's state"));
        }
        self.begin(create.fingerprint()).await?;
        self.attribution = Some(create.attribution());
        let journal_file = Arc::clone(&self.journal_file);
        let outcome = create
            .with_list_snapshot()
            .before_send_first(move |unconfirmed| {
                lock(&journal_file).record(&Record::Sending {
                    create: unconfirmed.clone(),
                })
            })
            .outcome()
            .await;
        self.note(match &outcome {
            CreateOutcome::Created(task) => Record::Created {
                task_id: task.id().to_owned(),
                known_by: KnownBy::Response,
            },
            CreateOutcome::Rejected(error) => Record::Rejected {
                reason: error.summary().to_owned(),
            },
            CreateOutcome::Unknown { unconfirmed, error } => Record::Unconfirmed {
                create: unconfirmed.clone(),
                reason: error.summary().to_owned(),
            },
        })
        .await;
        Ok(outcome)
    }

    /// Looks for the task of a create whose end is unknown, and records what comes of it: a task that is found, and that
    /// there certainly is none. `settings` are those of the search.
    ///
    /// The time of [`Reconcile::settle_time`] begins now if the process that sent the create has died, since nothing is
    /// sent any more, and if the machine was restarted since.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidState`] if the journal is at another point or was written for another service,
    /// [`ErrorKind::File`] if it cannot be written, and those of [`Reconcile`].
    pub async fn reconcile(
        &mut self,
        client: &Client,
        settings: impl FnOnce(Reconcile) -> Reconcile,
    ) -> Result<Reconciled> {
        let mut unconfirmed = self.unconfirmed_create()?;
        self.check_service(client)?;
        let is_inherited = lock(&self.journal_file).contents.is_sending;
        let clock = client.clock();
        let is_of_this_boot = unconfirmed.ended_in_boot_of(&clock.boot_time()).is_some();
        if is_inherited || !is_of_this_boot {
            unconfirmed = unconfirmed.ended_now(clock);
            self.record(Record::Unconfirmed {
                create: unconfirmed.clone(),
                reason: match is_inherited {
                    true => "no answer was recorded".to_owned(),
                    false => "it was sent in another boot of the machine".to_owned(),
                },
            })
            .await?;
        }
        self.attribution = Some(client.attribution());
        let reconciled = settings(client.reconcile(&unconfirmed)).await?;
        match &reconciled {
            Reconciled::Found { task, matched_by } => {
                self.note(Record::Created {
                    task_id: task.id().to_owned(),
                    known_by: (*matched_by).into(),
                })
                .await;
            }
            Reconciled::NotCreated => {
                let known_by = KnownBy::List;
                self.record(Record::NotCreated { known_by }).await?;
            }
            Reconciled::Ambiguous { .. } => {}
        }
        Ok(reconciled)
    }

    /// Settles by a person's word that the task of a create whose end is unknown is this one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidState`] if the journal is at another point, or the task was listed before the create, and
    /// [`ErrorKind::File`] if it cannot be written.
    pub async fn resolve_as(&mut self, id: &str) -> Result<()> {
        let unconfirmed = self.unconfirmed_create()?;
        if let Err(invalid) = TaskId::parse(id) {
            return Err(self.error(ErrorKind::Validation, invalid.to_string()));
        }
        if unconfirmed
            .known_ids()
            .is_some_and(|mut known| known.any(|known| known == id))
        {
            return Err(self
                .error(
                    ErrorKind::InvalidState,
                    format!(
                        "task {} was there before the create, and cannot be its task",
                        printable(id)
                    ),
                )
                .with_help("look for a newer one"));
        }
        self.record(Record::Created {
            task_id: id.to_owned(),
            known_by: KnownBy::Operator,
        })
        .await?;
        self.settle(&unconfirmed);
        Ok(())
    }

    /// Settles by a person's word that a create whose end is unknown has made no task, so that it may be created again.
    ///
    /// # Errors
    ///
    /// As [`resolve_as`](Self::resolve_as).
    pub async fn resolve_not_created(&mut self) -> Result<()> {
        let unconfirmed = self.unconfirmed_create()?;
        let known_by = KnownBy::Operator;
        self.record(Record::NotCreated { known_by }).await?;
        self.settle(&unconfirmed);
        Ok(())
    }

    /// Closes a create that was settled manually: it no longer competes for new tasks.
    fn settle(&self, unconfirmed: &UnconfirmedCreate) {
        if let (Some(attribution), Some(create)) = (&self.attribution, unconfirmed.nonce()) {
            attribution::lock(attribution).close(create);
        }
    }

    /// Records that the task has ended, if it has. What keeps it from being written, [`write_error`](Self::write_error) tells.
    pub async fn record_ended(&mut self, state: &TaskState) {
        let is_its_own = self.state().task_id() == Some(state.id());
        if is_its_own && state.status().is_terminal() {
            let status = state.status().clone();
            self.note(Record::Ended { status }).await;
        }
    }

    /// Saves the video, with a record before the file gets its name and one after that. A file of the name that is the
    /// journal's own, by its hash, is replaced.
    ///
    /// What keeps a record from being written does not keep the video from being saved: [`write_error`](Self::write_error)
    /// tells it.
    ///
    /// # Errors
    ///
    /// Those of [`Video::save`](crate::Video::save).
    pub async fn save(&mut self, mut save: Save) -> Result<Saved> {
        if let State::Publishing { file, .. } | State::Saved { file, .. } = self.state()
            && std::path::absolute(save.path()).is_ok_and(|path| path == file.path)
            && is_in_place(file).await
        {
            save = save.overwrite(true);
        }
        let journal_file = Arc::clone(&self.journal_file);
        let saved = save
            .before_publish(move |saved| {
                let file = absolute(saved);
                note(&journal_file, &Record::Publishing { file });
            })
            .await?;
        let file = absolute(&saved);
        self.note(Record::Saved { file }).await;
        Ok(saved)
    }

    /// The video, if it was saved and is in its place unchanged, with its sidecar if it has one. Where the process died
    /// between giving the file its name and recording that, it is recorded now.
    pub async fn verify_saved(&mut self) -> Option<Saved> {
        let state = self.state();
        let (State::Publishing { file, .. } | State::Saved { file, .. }) = &state else {
            return None;
        };
        let has_sidecar = file.sidecar.as_deref().is_none_or(Path::exists);
        if !has_sidecar || !is_in_place(file.clone()).await {
            return None;
        }
        if matches!(state, State::Publishing { .. }) {
            let file = file.clone();
            self.note(Record::Saved { file }).await;
        }
        Some(file.clone())
    }

    fn unconfirmed_create(&self) -> Result<UnconfirmedCreate> {
        match self.state() {
            State::Unconfirmed(unconfirmed) => Ok(unconfirmed),
            _ => Err(self.error(
                ErrorKind::InvalidState,
                format!(
                    "nothing is unconfirmed in the journal {}",
                    self.path().display()
                ),
            )),
        }
    }

    /// Whether the client is one of the service that the journal was written for; another one does not know its task.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidState`], with both services, if it is not.
    pub fn check_service(&self, client: &Client) -> Result<()> {
        let service = crate::redact::RedactedUrl(client.base_url()).to_string();
        match self.fingerprint() {
            Some(plan) if plan.base_url() != service => Err(self
                .error(
                    ErrorKind::InvalidState,
                    format!(
                        "the journal is for {}, and this is {service}",
                        plan.base_url()
                    ),
                )
                .with_help("use the client of the service that it was written for")),
            _ => Ok(()),
        }
    }

    /// An error with the charge and the task that the journal knows.
    fn error(&self, kind: ErrorKind, summary: impl Into<String>) -> Error {
        let state = self.state();
        let error = Error::new(kind, state.charged(), summary);
        match state.task_id() {
            Some(id) => error.with_task_id(id),
            None => error,
        }
    }

    async fn record(&self, record: Record) -> Result<()> {
        let journal_file = Arc::clone(&self.journal_file);
        let recorded = blocking(move || lock(&journal_file).record(&record)).await;
        recorded.map_err(|error| {
            let summary = format!("the journal {} could not be written", self.path().display());
            self.error(ErrorKind::File, summary).with_source(error)
        })
    }

    /// Records a fact that cannot be undone. A write error is logged and kept, not returned.
    async fn note(&self, record: Record) {
        let journal_file = Arc::clone(&self.journal_file);
        blocking(move || note(&journal_file, &record)).await;
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("path", &self.path())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

fn note(journal_file: &Mutex<JournalFile>, record: &Record) {
    let mut journal_file = lock(journal_file);
    if let Err(error) = journal_file.record(record) {
        tracing::warn!(record = record.name(), %error, "journal write failed");
        journal_file
            .write_error
            .get_or_insert_with(|| error.to_string());
    }
}

fn lock(journal_file: &Mutex<JournalFile>) -> MutexGuard<'_, JournalFile> {
    journal_file.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the paths absolute, because a later process may have another current directory.
fn absolute(saved: &Saved) -> Saved {
    let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    Saved {
        path: whole(&saved.path),
        sidecar: saved.sidecar.as_deref().map(whole),
        ..saved.clone()
    }
}

async fn is_in_place(file: Saved) -> bool {
    blocking(move || file.is_in_place().unwrap_or(false)).await
}

/// Runs blocking work on a blocking thread.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}
