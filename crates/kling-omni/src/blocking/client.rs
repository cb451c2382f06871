//! The client.

use std::ops::Deref;

use serde_json::Value;

use crate::blocking::calls::{
    Create, List, Preflight, Reconcile, ReconcileAll, Refresh, Upload, UploadAll, Watch,
};
use crate::blocking::iterators::AsCompleted;
use crate::blocking::task::{Task, Video};
use crate::client;
use crate::engine::error::Result;
use crate::engine::known_tasks::KnownTasks;
use crate::engine::task::watch::TaskRef;
use crate::engine::unconfirmed::UnconfirmedCreate;
use crate::engine::upload::FileSource;
use crate::request::IntoRequest;
use crate::route::{Mode, Tier};
use crate::spend::SpendGuard;

/// The entry point. The blocking form of [`crate::Client`], to which it dereferences.
///
/// A client with settings is made from the async one:
///
/// ```
/// use kling_omni::blocking::Client;
/// use kling_omni::{ApiKey, Client as AsyncClient};
///
/// let client = AsyncClient::builder().api_key(ApiKey::new("FPSX-secret")?).max_retries(5).build()?;
/// let client = Client::from(client);
/// # Ok::<(), kling_omni::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Client(client::Client);

impl Client {
    /// As [`crate::Client::from_env`].
    ///
    /// # Errors
    ///
    /// Those of [`crate::Client::from_env`].
    pub fn from_env() -> Result<Self> {
        client::Client::from_env().map(Self)
    }

    /// As [`crate::Client::create`]: sends the request in [`run`](Create::run).
    pub fn create(&self, request: impl IntoRequest) -> Create {
        Create(self.0.create(request))
    }

    /// As [`crate::Client::create_unchecked`].
    pub fn create_unchecked(&self, tier: Tier, body: Value) -> Create {
        Create(self.0.create_unchecked(tier, body))
    }

    /// As [`crate::Client::preflight`].
    pub fn preflight(&self, request: impl IntoRequest) -> Preflight {
        Preflight(self.0.preflight(request))
    }

    /// As [`crate::Client::task`]: resumes a task by its id. Sends nothing.
    pub fn task(&self, id: impl Into<String>) -> Task {
        self.0.task(id).into()
    }

    /// As [`crate::Client::task_of_mode`].
    pub fn task_of_mode(&self, id: impl Into<String>, mode: Mode) -> Task {
        self.0.task_of_mode(id, mode).into()
    }

    /// As [`crate::Client::watch`].
    pub fn watch(&self, tasks: impl IntoIterator<Item = impl Into<TaskRef>>) -> Watch {
        Watch(self.0.watch(tasks))
    }

    /// As [`crate::Client::wait_all`].
    ///
    /// # Errors
    ///
    /// Those of [every blocking call](crate::blocking#errors).
    pub fn wait_all(
        &self,
        tasks: impl IntoIterator<Item = impl Into<TaskRef>>,
    ) -> Result<Vec<Result<Video>>> {
        self.watch(tasks).wait_all()
    }

    /// As [`crate::Client::as_completed`], as an iterator.
    pub fn as_completed(&self, tasks: impl IntoIterator<Item = impl Into<TaskRef>>) -> AsCompleted {
        self.watch(tasks).as_completed()
    }

    /// As [`crate::Client::reconcile`].
    pub fn reconcile(&self, unconfirmed: &UnconfirmedCreate) -> Reconcile {
        Reconcile(self.0.reconcile(unconfirmed))
    }

    /// As [`crate::Client::reconcile_all`].
    pub fn reconcile_all<'a>(
        &self,
        creates: impl IntoIterator<Item = &'a UnconfirmedCreate>,
    ) -> ReconcileAll {
        ReconcileAll(self.0.reconcile_all(creates))
    }

    /// As [`KnownTasks::refresh`], of a set.
    pub fn refresh(&self, known: &KnownTasks, mode: Mode) -> Refresh {
        Refresh(known.refresh(&self.0, mode))
    }

    /// As [`crate::Client::list`]: reads a page in [`run`](List::run), or all tasks with [`stream`](List::stream).
    pub fn list(&self) -> List {
        List(self.0.list())
    }

    /// As [`crate::Client::upload`].
    pub fn upload(&self, file: impl Into<FileSource>) -> Upload {
        Upload(self.0.upload(file))
    }

    /// As [`crate::Client::upload_all`].
    pub fn upload_all(&self, files: impl IntoIterator<Item = impl Into<FileSource>>) -> UploadAll {
        UploadAll(self.0.upload_all(files))
    }

    /// As [`crate::Client::with_spend_guard`].
    #[must_use]
    pub fn with_spend_guard(&self, guard: SpendGuard) -> Self {
        Self(self.0.with_spend_guard(guard))
    }
}

impl Deref for Client {
    type Target = client::Client;

    fn deref(&self) -> &client::Client {
        &self.0
    }
}

impl From<client::Client> for Client {
    fn from(client: client::Client) -> Self {
        Self(client)
    }
}
