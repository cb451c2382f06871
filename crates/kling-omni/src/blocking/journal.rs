//! Crash recovery of one create.

use std::ops::Deref;
use std::path::PathBuf;

use crate::blocking::calls::{Create, JournalRun, Reconcile, Save};
use crate::blocking::client::Client;
use crate::blocking::runtime::block_on;
use crate::engine::create::CreateOutcome;
use crate::engine::download::{Destination, Saved};
use crate::engine::error::Result;
use crate::engine::recovery::reconciled::Reconciled;
use crate::engine::state::TaskState;
use crate::fingerprint::RequestFingerprint;
use crate::journal::{self, JournalStore};

/// A journal. The blocking form of [`crate::journal::Journal`], to which it dereferences.
///
/// ```no_run
/// use kling_omni::VideoReference;
/// use kling_omni::blocking::{Client, Journal};
///
/// let client = Client::from_env()?;
/// let request = VideoReference::builder().prompt("A quiet lake").build()?;
/// let mut journal = Journal::open_or_create("lake.journal")?;
/// let outcome = journal.run(&client, client.create(request), "lake.mp4").run()?;
/// # Ok::<(), kling_omni::Error>(())
/// ```
#[derive(Debug)]
pub struct Journal(journal::Journal);

/// The methods fail with the errors of those that they name, and of [every blocking call](crate::blocking#errors).
impl Journal {
    /// As [`crate::journal::Journal::open_or_create`].
    ///
    /// # Errors
    ///
    /// See above.
    pub fn open_or_create(path: impl Into<PathBuf>) -> Result<Self> {
        block_on(journal::Journal::open_or_create(path))?.map(Self)
    }

    /// As [`crate::journal::Journal::create_new`].
    ///
    /// # Errors
    ///
    /// See above.
    pub fn create_new(path: impl Into<PathBuf>) -> Result<Self> {
        block_on(journal::Journal::create_new(path))?.map(Self)
    }

    /// As [`crate::journal::Journal::open`].
    ///
    /// # Errors
    ///
    /// See above.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        block_on(journal::Journal::open(path))?.map(Self)
    }

    /// As [`crate::journal::Journal::with_store`].
    ///
    /// # Errors
    ///
    /// See above.
    pub fn with_store(store: impl JournalStore + 'static) -> Result<Self> {
        block_on(journal::Journal::with_store(store))?.map(Self)
    }

    /// As [`crate::journal::Journal::run`]: from the current state to the saved video, in [`run`](JournalRun::run).
    pub fn run(
        &mut self,
        client: &Client,
        create: impl Into<Option<Create>>,
        destination: impl Into<Destination>,
    ) -> JournalRun<'_> {
        let create = create.into().map(|create| create.0);
        JournalRun(self.0.run(client, create, destination))
    }

    /// As [`crate::journal::Journal::begin`].
    ///
    /// # Errors
    ///
    /// See above.
    pub fn begin(&mut self, fingerprint: RequestFingerprint) -> Result<()> {
        block_on(self.0.begin(fingerprint))?
    }

    /// As [`crate::journal::Journal::create`].
    ///
    /// # Errors
    ///
    /// See above.
    pub fn create(&mut self, create: Create) -> Result<CreateOutcome> {
        block_on(self.0.create(create.0))?
    }

    /// As [`crate::journal::Journal::reconcile`].
    ///
    /// # Errors
    ///
    /// See above.
    pub fn reconcile(
        &mut self,
        client: &Client,
        options: impl FnOnce(Reconcile) -> Reconcile,
    ) -> Result<Reconciled> {
        block_on(
            self.0
                .reconcile(client, |search| options(Reconcile(search)).0),
        )?
    }

    /// As [`crate::journal::Journal::resolve_as`].
    ///
    /// # Errors
    ///
    /// See above.
    pub fn resolve_as(&mut self, id: &str) -> Result<()> {
        block_on(self.0.resolve_as(id))?
    }

    /// As [`crate::journal::Journal::resolve_not_created`].
    ///
    /// # Errors
    ///
    /// See above.
    pub fn resolve_not_created(&mut self) -> Result<()> {
        block_on(self.0.resolve_not_created())?
    }

    /// As [`crate::journal::Journal::declare_sender_ended`].
    pub fn declare_sender_ended(&mut self) {
        self.0.declare_sender_ended();
    }

    /// As [`crate::journal::Journal::record_ended`].
    ///
    /// # Errors
    ///
    /// See above.
    pub fn record_ended(&mut self, state: &TaskState) -> Result<()> {
        block_on(self.0.record_ended(state))
    }

    /// As [`crate::journal::Journal::save`].
    ///
    /// # Errors
    ///
    /// See above.
    pub fn save(&mut self, save: Save) -> Result<Saved> {
        block_on(self.0.save(save.0))?
    }

    /// As [`crate::journal::Journal::verify_saved`].
    ///
    /// # Errors
    ///
    /// See above.
    pub fn verify_saved(&mut self) -> Result<Option<Saved>> {
        block_on(self.0.verify_saved())
    }

    /// As [`crate::journal::Journal::verify_saved_at`].
    ///
    /// # Errors
    ///
    /// See above.
    pub fn verify_saved_at(&mut self, destination: &Destination) -> Result<Option<Saved>> {
        block_on(self.0.verify_saved_at(destination))
    }
}

impl Deref for Journal {
    type Target = journal::Journal;

    fn deref(&self) -> &journal::Journal {
        &self.0
    }
}
