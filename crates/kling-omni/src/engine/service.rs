//! What the engine asks of a service.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::engine::error::Result;
use crate::engine::http::call::Call;
use crate::engine::operations::{CreateOperation, ListOperation, ReadOperation};
use crate::engine::page::Page;
use crate::engine::state::TaskState;
use crate::engine::task_id::TaskId;

/// A task that a create has made.
pub(crate) struct Created {
    pub(crate) id: TaskId,
    /// Unless the answer named the task in another form than documented.
    pub(crate) state: Option<TaskState>,
}

/// Where the service takes one file.
pub(crate) struct UploadSlot {
    pub(crate) upload_url: String,
    /// The URL under which the file can be read later.
    pub(crate) asset_url: String,
    /// Exactly what has to be sent with the file; `None` if that is its content type alone.
    pub(crate) headers: Option<Vec<(String, String)>>,
    /// How many seconds the slot takes a file, if the service says so.
    pub(crate) expires_in: Option<i64>,
    /// How many seconds the file can be read, if the service says so.
    pub(crate) asset_expires_in: Option<i64>,
}

pub(crate) type ServiceFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// The calls of one service. Everything that is particular to it is behind this trait.
pub(crate) trait Service: Send + Sync {
    /// All lists of tasks.
    fn lists(&self) -> &'static [&'static ListOperation];

    /// Where a task of unknown origin may be read, most likely first.
    fn reads(&self) -> &'static [&'static ReadOperation];

    /// The content types that uploads take.
    fn upload_types(&self) -> &'static [&'static str];

    /// How many upload slots one call can ask for.
    fn max_upload_slots(&self) -> usize;

    /// Creates a task.
    fn create<'a>(
        &'a self,
        call: &'a Arc<Call>,
        operation: &'static CreateOperation,
        body: Box<RawValue>,
    ) -> ServiceFuture<'a, Created>;

    /// Reads the task `id`.
    fn read<'a>(
        &'a self,
        call: &'a Arc<Call>,
        operation: &'static ReadOperation,
        id: &'a str,
    ) -> ServiceFuture<'a, TaskState>;

    /// Reads a page of a list. A list without pages has neither number nor size.
    fn list<'a>(
        &'a self,
        call: &'a Arc<Call>,
        operation: &'static ListOperation,
        number: Option<i32>,
        size: Option<i32>,
    ) -> ServiceFuture<'a, Page>;

    /// Asks for slots for files of these content types: one for each, in their order.
    fn request_uploads<'a>(
        &'a self,
        call: &'a Arc<Call>,
        types: &'a [&'static str],
    ) -> ServiceFuture<'a, Vec<UploadSlot>>;
}
