//! A write-ahead journal: crash recovery for one create and its task. A task is never paid for twice and never lost,
//! whenever the process is killed.
//!
//! A journal belongs to one task. Each step is recorded before it is taken, and its result is recorded before the next
//! step; each record is durable before the journal continues. A later process opens the journal, finds in [`State`] what is
//! left to do, and does it with [`Journal::run`]:
//!
//! ```no_run
//! use kling_omni::journal::{Journal, JournalOutcome};
//! use kling_omni::{Client, VideoReference};
//!
//! # async fn example(client: Client, request: VideoReference) -> kling_omni::Result<()> {
//! let mut journal = Journal::open_or_create("puppet.journal").await?;
//! match journal.run(&client, client.create(request), "puppet.mp4").await? {
//!     JournalOutcome::Saved(saved) => println!("{}  {}", saved.sha256, saved.path.display()),
//!     // A person looks at the account, and decides with `resolve_as` or `resolve_not_created`.
//!     JournalOutcome::NeedsDecision { candidates, reason, .. } => println!("{reason}: {candidates:?}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The program calls this again after a crash, at any point. The task is paid once, and its video is saved. The single steps
//! are public, too: [`create`](Journal::create), [`reconcile`](Journal::reconcile), [`record_ended`](Journal::record_ended),
//! [`save`](Journal::save) and [`verify_saved`](Journal::verify_saved).
//!
//! # Stores
//!
//! [`Journal::open`] and its siblings keep the records in a file. [`Journal::with_store`] keeps them in a [`JournalStore`] of
//! yours, such as a table of your database. With the feature `store-conformance`, `journal::conformance` tests such a store.
//!
//! # File format
//!
//! The first line names the format and its version. Each further line is a record: a checksum and a JSON object. The
//! checksum also covers all earlier records. A last line without a line end is a record whose writing was interrupted;
//! it is ignored, and no step that depends on it was taken. Opening a journal fails if any other line was changed, and
//! leaves the file unchanged.
//!
//! The names of records and fields are stable from 0.1 on. The version changes when the meaning of a journal does.
//!
//! The file contains no secrets: no key, no URL of a result, no webhook secret, and only a hash of the request
//! ([`RequestFingerprint`]). On Unix only its owner can read it. An open journal is locked, so two processes cannot
//! resume the same task. The lock is released when the process exits, however it exits.
//!
//! # Limits
//!
//! Between the record and the response it is unknown whether a task exists. [`Journal::reconcile`] finds out, with the
//! limits that [`Reconcile`] documents. One limit concerns several journals: if two processes have an unconfirmed
//! create of the same account at the same time, both can match the same new task, unless their webhooks carry
//! correlation tokens or [`Reconcile::exclude`] names the task of the other. Each journal records how its task was
//! found. The account is not recorded: resume a journal with a key of the same account. Locks work between processes of
//! one machine; some network file systems do not support them.

#[cfg(feature = "store-conformance")]
pub mod conformance;
mod file_store;
mod record;
mod record_log;
mod run;
mod save;
mod state;
mod store;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

pub use crate::fingerprint::RequestFingerprint;
#[cfg(feature = "test-hooks")]
#[doc(hidden)]
pub use crate::journal::record_log::Step;
pub use crate::journal::run::JournalRun;
pub use crate::journal::run::event::{JournalEvent, JournalOutcome};
pub use crate::journal::state::State;
pub use crate::journal::store::{JournalRecord, JournalStore, StoredRecords};

use crate::client::Client;
use crate::create::Create;
use crate::engine::attribution::{self, Attribution};
use crate::engine::create::CreateOutcome;
use crate::engine::error::{Charged, Error, ErrorKind, Result};
use crate::engine::recovery::Reconcile;
use crate::engine::recovery::reconciled::Reconciled;
use crate::engine::task_id::TaskId;
use crate::engine::unconfirmed::UnconfirmedCreate;
use crate::journal::file_store::{FileStore, HELP_CORRUPT, JournalParseError, Opening};
use crate::journal::record::{KnownBy, Record};
use crate::journal::record_log::{LoadError, RecordLog};
use crate::redact::printable;

/// A journal of one task. See the [module documentation](self).
pub struct Journal {
    records: Arc<RecordLog>,
    /// The path of the file, if the store is one.
    path: Option<PathBuf>,
    /// The attribution of the client that was used last.
    attribution: Option<Arc<Mutex<Attribution>>>,
}

impl Journal {
    /// Opens an existing journal.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::File`] if the file does not exist, is open in another process, or is not an unchanged journal.
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self> {
        Self::open_file(path.into(), Opening::Existing).await
    }

    /// Creates a journal.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::File`] if the file exists or cannot be created.
    pub async fn create_new(path: impl Into<PathBuf>) -> Result<Self> {
        Self::open_file(path.into(), Opening::New).await
    }

    /// Opens the journal if it exists, and creates it otherwise.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open) and [`create_new`](Self::create_new), except for those about whether the file
    /// exists.
    pub async fn open_or_create(path: impl Into<PathBuf>) -> Result<Self> {
        Self::open_file(path.into(), Opening::Either).await
    }

    async fn open_file(path: PathBuf, opening: Opening) -> Result<Self> {
        let (store, path) = FileStore::open(path, opening).await?;
        let records = RecordLog::load(Box::new(store)).await;
        let records = records.map_err(|error| match error {
            LoadError::Corrupt(record) => {
                let error = JournalParseError::Corrupt { record }.into_error(&path);
                error.with_charged(Charged::Unknown)
            }
            LoadError::Unreadable(error) => unreadable(error),
        })?;
        Ok(Self::of(records, Some(path)))
    }

    /// Opens the journal in `store`: an existing one, or a new one if the store has no records.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::File`] if the records cannot be loaded, or are not those of a journal.
    pub async fn with_store(store: impl JournalStore + 'static) -> Result<Self> {
        let records = RecordLog::load(Box::new(store)).await;
        let records = records.map_err(|error| match error {
            LoadError::Corrupt(record) => Error::new(
                ErrorKind::File,
                Charged::Unknown,
                format!("the journal is corrupt in record {record}"),
            )
            .with_help(HELP_CORRUPT),
            LoadError::Unreadable(error) => unreadable(error),
        })?;
        Ok(Self::of(records, None))
    }

    fn of(records: RecordLog, path: Option<PathBuf>) -> Self {
        Self {
            records: Arc::new(records),
            path,
            attribution: None,
        }
    }

    /// Calls `callback` before and after each record. Crash tests kill the process there.
    #[cfg(feature = "test-hooks")]
    #[doc(hidden)]
    pub fn on_step(self, callback: impl Fn(Step<'_>) + Send + Sync + 'static) -> Self {
        // Only the first callback is kept.
        let _ = self.records.on_step.set(Box::new(callback));
        self
    }

    /// The store of a journal in a file, for the conformance suite.
    #[cfg(feature = "test-hooks")]
    #[doc(hidden)]
    pub async fn file_store(path: impl Into<PathBuf>) -> Result<impl JournalStore> {
        let (store, _) = FileStore::open(path.into(), Opening::Either).await?;
        Ok(store)
    }

    /// The path of the file; `None` if the journal is in a store of yours.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The current state.
    pub fn state(&self) -> State {
        self.records.contents().state.clone()
    }

    /// The fingerprint of the create, once it is recorded.
    pub fn fingerprint(&self) -> Option<RequestFingerprint> {
        self.records.contents().fingerprint.clone()
    }

    /// The error that prevented a record from being appended, if there was one. Nothing is appended after it. Steps after a
    /// paid create continue without records, and a later process may have to reconcile.
    pub fn write_error(&self) -> Option<String> {
        self.records.contents().write_error.clone()
    }

    /// Declares that the process that announced the create has ended, so it sends nothing from now on.
    /// [`reconcile`](Self::reconcile) then starts the settle time now instead of at the latest end that was announced. Call
    /// it if you know more than the store, which says the same with [`StoredRecords::sender_ended`].
    ///
    /// **If the process is still running, you may pay twice**: for the task that it creates, and for the one that you create
    /// after [`Reconciled::NotCreated`].
    pub fn declare_sender_ended(&mut self) {
        self.records.contents().sender_ended = true;
    }

    /// Records the fingerprint of the create. If one is recorded already, it must be the same.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidState`] if the journal has another create, and [`ErrorKind::File`] if it cannot be written.
    pub async fn begin(&mut self, fingerprint: RequestFingerprint) -> Result<()> {
        match self.fingerprint() {
            None => self.record(Record::Prepared(fingerprint)).await,
            Some(recorded) => match recorded.differs_from(&fingerprint) {
                None => Ok(()),
                Some(reason) => Err(self
                    .error(
                        ErrorKind::InvalidState,
                        format!("{} belongs to another create: {reason}", self.name()),
                    )
                    .with_help(
                        "use the same request as before, or a new journal for another create",
                    )),
            },
        }
    }

    /// Creates the task. Writes a record before the request is sent, and one of the outcome. Calls
    /// [`with_list_snapshot`](Create::with_list_snapshot) on the create, unless it has
    /// [known tasks](Create::with_known_tasks).
    ///
    /// A failure to write the last record is not an error, because there may be a task by then:
    /// [`write_error`](Self::write_error) returns it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidState`] if the journal belongs to another create or its state is that there is, or may be, a
    /// task; [`ErrorKind::File`] if the journal cannot be written. Nothing was sent then.
    pub async fn create(&mut self, create: Create) -> Result<CreateOutcome> {
        let state = self.state();
        if !state.may_create() {
            let summary = match state.task_id() {
                Some(id) => format!("the journal already has task {}", printable(id)),
                None => "the create in the journal may have made a task".to_owned(),
            };
            return Err(self
                .error(ErrorKind::InvalidState, summary)
                .with_help("continue from the state of the journal"));
        }
        self.begin(create.fingerprint()).await?;
        self.attribution = Some(create.attribution());
        let records = Arc::clone(&self.records);
        let outcome = create
            .with_comparison()
            .prepend_before_send(move |create| {
                let records = Arc::clone(&records);
                async move { records.record(Record::Sending { create }).await }
            })
            .outcome()
            .await;
        self.records
            .record_or_log(match &outcome {
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

    /// Finds the task of a create whose outcome is unknown, and records the result unless it is ambiguous. `settings`
    /// configures the [`Reconcile`].
    ///
    /// If the process that sent the create was killed, or the machine was restarted since, [`Reconcile::settle_time`]
    /// starts now. If the process may still be running ([`StoredRecords::sender_ended`]), it starts at the latest time at
    /// which the create can end.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidState`] if the journal is in another state or belongs to another service,
    /// [`ErrorKind::File`] if it cannot be written, and those of [`Reconcile`].
    pub async fn reconcile(
        &mut self,
        client: &Client,
        settings: impl FnOnce(Reconcile) -> Reconcile,
    ) -> Result<Reconciled> {
        let mut unconfirmed = self.unconfirmed_create()?;
        self.check_service(client)?;
        let (is_sending, sender_ended) = {
            let contents = self.records.contents();
            (contents.is_sending, contents.sender_ended)
        };
        let clock = client.clock();
        let is_of_this_boot = unconfirmed.ended_in_boot_of(&clock.boot_time()).is_some();
        if is_sending && !sender_ended {
            if !is_of_this_boot {
                // Not recorded: another process has another clock.
                unconfirmed = unconfirmed.ends_within_its_limit(clock);
                let mut contents = self.records.contents();
                contents.replace_unconfirmed(unconfirmed.clone());
            }
        } else if is_sending || !is_of_this_boot {
            unconfirmed = unconfirmed.ended_now(clock);
            self.record(Record::Unconfirmed {
                create: unconfirmed.clone(),
                reason: match is_sending {
                    true => "no response was recorded".to_owned(),
                    false => "it was sent before the machine was restarted".to_owned(),
                },
            })
            .await?;
        }
        self.attribution = Some(client.attribution());
        let reconciled = settings(client.reconcile(&unconfirmed)).await?;
        match &reconciled {
            Reconciled::Found { task, matched_by } => {
                self.records
                    .record_or_log(Record::Created {
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

    /// Records the operator's decision that the task of an unconfirmed create is `id`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidState`] if the journal is in another state, or the task was listed before the create, and
    /// [`ErrorKind::File`] if the journal cannot be written.
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
                    format!("task {} existed before the create", printable(id)),
                )
                .with_help("choose a newer task"));
        }
        self.record(Record::Created {
            task_id: id.to_owned(),
            known_by: KnownBy::Operator,
        })
        .await?;
        self.close_create(&unconfirmed);
        Ok(())
    }

    /// Records the operator's decision that an unconfirmed create made no task. It may be created again.
    ///
    /// # Errors
    ///
    /// As [`resolve_as`](Self::resolve_as).
    pub async fn resolve_not_created(&mut self) -> Result<()> {
        let unconfirmed = self.unconfirmed_create()?;
        let known_by = KnownBy::Operator;
        self.record(Record::NotCreated { known_by }).await?;
        self.close_create(&unconfirmed);
        Ok(())
    }

    /// Closes a create that an operator resolved. It no longer competes for new tasks.
    fn close_create(&self, unconfirmed: &UnconfirmedCreate) {
        if let (Some(attribution), Some(create)) = (&self.attribution, unconfirmed.nonce()) {
            attribution::lock(attribution).close(create);
        }
    }

    fn unconfirmed_create(&self) -> Result<UnconfirmedCreate> {
        match self.state() {
            State::Unconfirmed(unconfirmed) => Ok(unconfirmed),
            _ => Err(self.error(
                ErrorKind::InvalidState,
                format!("{} has no unconfirmed create", self.name()),
            )),
        }
    }

    /// Checks that the client uses the service that the journal was written for. Another service does not have its
    /// task.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidState`], with both services, if it does not.
    pub fn check_service(&self, client: &Client) -> Result<()> {
        let service = crate::redact::RedactedUrl(client.base_url()).to_string();
        match self.fingerprint() {
            Some(fingerprint) if fingerprint.base_url() != service => Err(self
                .error(
                    ErrorKind::InvalidState,
                    format!(
                        "the journal belongs to {}, but the client uses {service}",
                        fingerprint.base_url()
                    ),
                )
                .with_help("use a client of the service that the journal was written for")),
            _ => Ok(()),
        }
    }

    /// An error with the charge and the task of the journal.
    fn error(&self, kind: ErrorKind, summary: impl Into<String>) -> Error {
        let state = self.state();
        let error = Error::new(kind, state.charged(), summary);
        match state.task_id() {
            Some(id) => error.with_task_id(id),
            None => error,
        }
    }

    /// The journal, in error texts.
    fn name(&self) -> String {
        match &self.path {
            Some(path) => format!("the journal {}", path.display()),
            None => "the journal".to_owned(),
        }
    }

    async fn record(&self, record: Record) -> Result<()> {
        self.records.record(record).await.map_err(|error| {
            let summary = format!("cannot write {}", self.name());
            self.error(ErrorKind::File, summary).with_source(error)
        })
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("path", &self.path)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

fn unreadable(error: std::io::Error) -> Error {
    Error::new(ErrorKind::File, Charged::Unknown, "cannot read the journal").with_source(error)
}
