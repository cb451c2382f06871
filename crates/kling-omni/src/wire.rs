//! The mapping between our types and the generated ones, and the only caller of generated operations.

use std::sync::Arc;

use kling_omni_api::limits::upload_request::FILES;
use kling_omni_api::tasks::{TaskList, TaskRead};
use kling_omni_api::{RequestBody, enums, types};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::engine::error::{Charged, Error, ErrorKind, Result};
use crate::engine::http::call::{Call, ResponseParts};
use crate::engine::http::task_ids;
use crate::engine::operations::{CreateOperation, ListOperation, ReadOperation};
use crate::engine::page::Extent;
use crate::engine::page::Page;
use crate::engine::service::{CreateResponse, Service, ServiceFuture, UploadSlot};
use crate::engine::state::{TaskState, TaskStatus, TaskSummary};
use crate::engine::task_id::TaskId;
use crate::redact::printable;
use crate::route::{self, CreateRoute};
use crate::transport;

/// The service Kling 3 Omni.
pub(crate) struct Kling;

impl Service for Kling {
    fn lists(&self) -> &'static [&'static ListOperation] {
        route::lists()
    }

    fn reads(&self) -> &'static [&'static ReadOperation] {
        route::reads()
    }

    fn upload_types(&self) -> &'static [&'static str] {
        enums::UploadContentType::VALUES
    }

    fn max_upload_slots(&self) -> usize {
        FILES.max_items.unwrap_or(usize::MAX)
    }

    fn create<'a>(
        &'a self,
        call: &'a Arc<Call>,
        operation: &'static CreateOperation,
        body: Box<RawValue>,
    ) -> ServiceFuture<'a, CreateResponse> {
        Box::pin(create(call, operation, body))
    }

    fn read<'a>(
        &'a self,
        call: &'a Arc<Call>,
        operation: &'static ReadOperation,
        id: &'a str,
    ) -> ServiceFuture<'a, TaskState> {
        Box::pin(read(call, operation, id))
    }

    fn list<'a>(
        &'a self,
        call: &'a Arc<Call>,
        operation: &'static ListOperation,
        number: Option<i32>,
        size: Option<i32>,
    ) -> ServiceFuture<'a, Page> {
        Box::pin(list(call, operation, number, size))
    }

    fn request_uploads<'a>(
        &'a self,
        call: &'a Arc<Call>,
        types: &'a [&'static str],
    ) -> ServiceFuture<'a, Vec<UploadSlot>> {
        Box::pin(request_uploads(call, types))
    }

    fn list_uploads<'a>(&'a self, call: &'a Arc<Call>) -> ServiceFuture<'a, ()> {
        Box::pin(async move {
            let listed = transport::client(call).list_uploads().send().await;
            transport::finish(call, listed).map(|_| ())
        })
    }
}

/// Creates a task.
async fn create(
    call: &Arc<Call>,
    operation: &CreateOperation,
    body: Box<RawValue>,
) -> Result<CreateResponse> {
    let api = transport::client(call);
    let body = RequestBody::from(body);
    let result = CreateRoute::from_operation(operation)
        .task()
        .send(&api, body)
        .await;
    let state = match transport::finish(call, result) {
        Ok(response) => state(response.data),
        // The response has an id: a task exists and was charged.
        Err(error) => match call.created_task() {
            Some(id) => {
                tracing::warn!(task_id = %printable(&id), %error, "task created, but the response has an undocumented shape");
                return Ok(CreateResponse { id, state: None });
            }
            None => return Err(error),
        },
    };
    let id = TaskId::parse(state.id()).map_err(|invalid| {
        let summary = format!("the service created a task with an invalid id: {invalid}");
        Error::new(ErrorKind::UnexpectedResponse, Charged::Unknown, summary)
            .with_request_id(call.request_id())
    })?;
    Ok(CreateResponse {
        id,
        state: Some(state),
    })
}

/// Reads the task `id` with `operation`.
async fn read(call: &Arc<Call>, operation: &ReadOperation, id: &str) -> Result<TaskState> {
    let api = transport::client(call);
    let segment = call.path_segment(id);
    let result = TaskRead::ALL[operation.key].send(&api, segment).await;
    let response = call.response();
    let state = match transport::finish(call, result) {
        Ok(response) => state(response.data),
        Err(error) => response.and_then(parse_integer_id).ok_or(error)?,
    };
    if state.id() != id {
        return Err(Error::uncharged(
            ErrorKind::UnexpectedResponse,
            "the service returned another task than the requested one",
        )
        .with_request_id(call.request_id()));
    }
    Ok(state)
}

/// Parses a task whose id is an integer, and keeps the id as text.
fn parse_integer_id(response: &ResponseParts) -> Option<TaskState> {
    let mut response: Value = serde_json::from_slice(&response.body).ok()?;
    let id = response.get_mut("data")?.get_mut("task_id")?;
    if id.is_i64() || id.is_u64() {
        *id = id.to_string().into();
    } else {
        return None;
    }
    let response: types::TaskResponse = serde_json::from_value(response).ok()?;
    Some(state(response.data))
}

/// Reads one page of the tasks of a list.
async fn list(
    call: &Arc<Call>,
    operation: &ListOperation,
    page: Option<i32>,
    page_size: Option<i32>,
) -> Result<Page> {
    let api = transport::client(call);
    let result = TaskList::ALL[operation.key]
        .send(&api, page, page_size)
        .await;
    let response = call.response();
    let tasks: Vec<_> = match transport::finish(call, result) {
        Ok(response) => response.data.into_iter().map(summary).collect(),
        // An unreadable row does not fail the page.
        Err(error) => response.and_then(parse_rows).ok_or(error)?,
    };
    let extent =
        response.map(|response| Extent::read(response.status, &response.headers, &response.body));
    // An id outside the rows belongs to a task that has no row.
    let ids = response.map_or(0, |response| task_ids::count(&response.body));
    Ok(Page {
        is_complete: ids <= tasks.len() && tasks.iter().all(|task| TaskId::is_valid(&task.id)),
        extent: extent.unwrap_or_default(),
        tasks,
        exists: true,
    })
}

/// Parses the rows of a list with undocumented fields. Unreadable fields are empty or unknown.
fn parse_rows(response: &ResponseParts) -> Option<Vec<TaskSummary>> {
    let list: Map<String, Value> = serde_json::from_slice(&response.body).ok()?;
    let row = |row: &Value| {
        let id = match &row["task_id"] {
            Value::String(id) => id.clone(),
            Value::Number(id) if !id.is_f64() => id.to_string(),
            _ => String::new(),
        };
        let status = row["status"].as_str().unwrap_or("UNKNOWN");
        TaskSummary::new(id, TaskStatus::from(status.to_owned()))
    };
    Some(list.get("data")?.as_array()?.iter().map(row).collect())
}

fn summary(task: types::TaskSummary) -> TaskSummary {
    TaskSummary::new(task.task_id, status(task.status))
}

/// Requests one upload slot for each content type, in order.
async fn request_uploads(call: &Arc<Call>, kinds: &[&str]) -> Result<Vec<UploadSlot>> {
    let kind = |kind: &&str| kind.parse().map(types::UploadFile::new);
    let files = kinds
        .iter()
        .map(kind)
        .collect::<std::result::Result<Vec<_>, _>>();
    let files =
        files.map_err(|error| Error::uncharged(ErrorKind::Validation, error.to_string()))?;
    let body = types::UploadRequest::new(files);
    let result = transport::client(call)
        .request_uploads()
        .body(body)
        .send()
        .await;
    let slots = transport::finish(call, result)?.files;
    if slots.len() != kinds.len() {
        return Err(Error::uncharged(
            ErrorKind::UnexpectedResponse,
            format!(
                "the service returned {1} upload slots, {0} were requested",
                kinds.len(),
                slots.len()
            ),
        )
        .with_request_id(call.request_id()));
    }
    let slots = slots.into_iter().map(|slot| UploadSlot {
        upload_url: slot.upload_url,
        asset_url: slot.asset_url,
        headers: slot.headers.map(|headers| {
            headers
                .iter()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect()
        }),
        expires_in: slot.expires_in,
        asset_expires_in: slot.asset_url_expires_in,
    });
    Ok(slots.collect())
}

fn state(task: types::TaskDetail) -> TaskState {
    TaskState::new(
        task.task_id,
        status(task.status),
        task.generated,
        task.error,
    )
}

/// Converts a status. An undocumented one is unknown.
fn status(status: enums::TaskStatus) -> TaskStatus {
    TaskStatus::from(status.as_str().to_owned())
}
