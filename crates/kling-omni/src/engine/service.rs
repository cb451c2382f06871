//! The trait through which the engine calls a service.

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

/// The task in the response to a create.
pub(crate) struct CreateResponse {
    pub(crate) id: TaskId,
    /// The state of the task. `None` if the response does not have the documented shape.
    pub(crate) state: Option<TaskState>,
}

/// A presigned slot for one upload.
pub(crate) struct UploadSlot {
    pub(crate) upload_url: String,
    /// The URL under which the file can be read later.
    pub(crate) asset_url: String,
    /// The exact headers of the upload; `None` if only the content type is needed.
    pub(crate) headers: Option<Vec<(String, String)>>,
    /// How many seconds the slot is valid, if the service says so.
    pub(crate) expires_in: Option<i64>,
    /// How many seconds the file can be read, if the service says so.
    pub(crate) asset_expires_in: Option<i64>,
}

pub(crate) type ServiceFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// The calls of one service. The engine knows nothing else about a service.
pub(crate) trait Service: Send + Sync {
    /// All lists of tasks.
    fn lists(&self) -> &'static [&'static ListOperation];

    /// The operations that may read a task of unknown origin, most likely first.
    fn reads(&self) -> &'static [&'static ReadOperation];

    /// The content types that uploads accept.
    fn upload_types(&self) -> &'static [&'static str];

    /// The maximum number of upload slots in one request.
    fn max_upload_slots(&self) -> usize;

    /// Creates a task.
    fn create<'a>(
        &'a self,
        call: &'a Arc<Call>,
        operation: &'static CreateOperation,
        body: Box<RawValue>,
    ) -> ServiceFuture<'a, CreateResponse>;

    /// Reads the task `id`.
    fn read<'a>(
        &'a self,
        call: &'a Arc<Call>,
        operation: &'static ReadOperation,
        id: &'a str,
    ) -> ServiceFuture<'a, TaskState>;

    /// Reads a page of a list. A list that is not paginated has neither number nor size.
    fn list<'a>(
        &'a self,
        call: &'a Arc<Call>,
        operation: &'static ListOperation,
        number: Option<i32>,
        size: Option<i32>,
    ) -> ServiceFuture<'a, Page>;

    /// Requests upload slots for files of these content types: one for each, in their order.
    fn request_uploads<'a>(
        &'a self,
        call: &'a Arc<Call>,
        types: &'a [&'static str],
    ) -> ServiceFuture<'a, Vec<UploadSlot>>;

    /// Reads the list of uploads, which says whether the key may upload.
    fn list_uploads<'a>(&'a self, call: &'a Arc<Call>) -> ServiceFuture<'a, ()>;
}
