//! The mapping between our types and the generated ones, and the only caller of generated operations.

use std::sync::Arc;

use kling_omni_api::limits::upload_request::FILES;
use kling_omni_api::{RequestBody, enums, types};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::engine::error::{Charged, Error, ErrorKind, Result};
use crate::engine::http::call::{Answer, Call};
use crate::engine::http::task_ids;
use crate::engine::operations::{CreateOperation, ListOperation, ReadOperation};
use crate::engine::page::Page;
use crate::engine::page::extent::Extent;
use crate::engine::service::{Created, Service, ServiceFuture, UploadSlot};
use crate::engine::state::{TaskState, TaskStatus, TaskSummary};
use crate::engine::task_id::is_task_id;
use crate::redact::printable;
use crate::route::{self, CreateRoute};
use crate::transport;

/// Kling 3 Omni, as the engine calls it.
pub(crate) struct Kling;

impl Service for Kling {
    fn lists(&self) -> &'static [&'static ListOperation] {
        route::LISTS
    }

    fn reads(&self) -> &'static [&'static ReadOperation] {
        route::READS
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
    ) -> ServiceFuture<'a, Created> {
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
}

/// Creates a task.
async fn create(
    exchange: &Arc<Call>,
    operation: &CreateOperation,
    body: Box<RawValue>,
) -> Result<Created> {
    let api = transport::client(exchange);
    let body = RequestBody::from(body);
    let answer = match CreateRoute::of(operation) {
        CreateRoute::VideoReferencePro => api.create_video_reference().body(body).send().await,
        CreateRoute::ReferenceToVideoPro => {
            api.create_reference_to_video_pro().body(body).send().await
        }
        CreateRoute::ReferenceToVideoStandard => {
            api.create_reference_to_video_std().body(body).send().await
        }
        CreateRoute::VideoPro => api.create_video_pro().body(body).send().await,
        CreateRoute::VideoStandard => api.create_video_std().body(body).send().await,
    };
    let state = match transport::finish(exchange, answer) {
        Ok(answer) => state(answer.data),
        // That an id has arrived says that there is a task, and that it was paid for.
        Err(error) => match exchange.created_task() {
            Some(id) => {
                tracing::warn!(task = %printable(&id), %error, "the answer to a create is odd, and names its task");
                return Ok(Created { id, state: None });
            }
            None => return Err(error),
        },
    };
    if !is_task_id(state.id()) {
        return Err(Error::new(
            ErrorKind::UnexpectedResponse,
            format!(
                "the service created a task with an id of {} bytes, and an id must have 1 to 1024",
                state.id().len()
            ),
        )
        .with_request_id(exchange.request_id())
        .with_charged(Charged::Unknown));
    }
    Ok(Created {
        id: state.id().to_owned(),
        state: Some(state),
    })
}

/// Reads the task `id` by `operation`.
async fn read(exchange: &Arc<Call>, operation: &ReadOperation, id: &str) -> Result<TaskState> {
    let api = transport::client(exchange);
    let segment = exchange.path_segment(id);
    let answer = if *operation == route::READ_VIDEO {
        api.get_video_task().task_id(segment).send().await
    } else {
        let call = api.get_reference_to_video_task();
        call.task_id(segment).send().await
    };
    let came = exchange.answer();
    let state = match transport::finish(exchange, answer) {
        Ok(answer) => state(answer.data),
        Err(error) => came.and_then(with_number).ok_or(error)?,
    };
    if state.id() != id {
        return Err(Error::new(
            ErrorKind::UnexpectedResponse,
            "the service answered with another task than the one asked for",
        )
        .with_request_id(exchange.request_id()));
    }
    Ok(state)
}

/// The task of an answer whose id is a whole number, which is kept as text like any other.
fn with_number(answer: &Answer) -> Option<TaskState> {
    let mut answer: Value = serde_json::from_slice(&answer.body).ok()?;
    let id = answer.get_mut("data")?.get_mut("task_id")?;
    if id.is_i64() || id.is_u64() {
        *id = id.to_string().into();
    } else {
        return None;
    }
    let answer: types::TaskResponse = serde_json::from_value(answer).ok()?;
    Some(state(answer.data))
}

/// Reads one page of the tasks of a list.
async fn list(
    exchange: &Arc<Call>,
    operation: &ListOperation,
    page: Option<i32>,
    page_size: Option<i32>,
) -> Result<Page> {
    let api = transport::client(exchange);
    let answer = if *operation == route::TEXT_LIST {
        api.list_video_tasks().send().await
    } else {
        {
            let mut call = api.list_reference_to_video_tasks();
            if let Some(page) = page {
                call = call.page(page);
            }
            if let Some(size) = page_size {
                call = call.page_size(size);
            }
            call.send().await
        }
    };
    let came = exchange.answer();
    let tasks: Vec<_> = match transport::finish(exchange, answer) {
        Ok(answer) => answer.data.into_iter().map(summary).collect(),
        // A row that cannot be read is not worth failing the whole page for.
        Err(error) => came.and_then(rows).ok_or(error)?,
    };
    let extent = came.map(|came| Extent::of(came.status, &came.headers, &came.body));
    // An id that stands elsewhere than in a row is of a task that the rows do not have.
    let ids = came.map_or(0, |came| task_ids::count(&came.body));
    Ok(Page {
        is_whole: ids <= tasks.len() && tasks.iter().all(|task| is_task_id(&task.id)),
        extent: extent.unwrap_or_default(),
        tasks,
        is_there: true,
    })
}

/// The rows of a list of which not all are as documented. What cannot be read of one is empty or unknown.
fn rows(answer: &Answer) -> Option<Vec<TaskSummary>> {
    let list: Map<String, Value> = serde_json::from_slice(&answer.body).ok()?;
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

/// Asks for places to upload files of these kinds to: one for each, in their order.
async fn request_uploads(exchange: &Arc<Call>, kinds: &[&str]) -> Result<Vec<UploadSlot>> {
    let kind = |kind: &&str| kind.parse().map(types::UploadFile::new);
    let files = kinds
        .iter()
        .map(kind)
        .collect::<std::result::Result<Vec<_>, _>>();
    let files = files.map_err(|error| Error::new(ErrorKind::Validation, error.to_string()))?;
    let body = types::UploadRequest::new(files);
    let answer = transport::client(exchange)
        .request_uploads()
        .body(body)
        .send()
        .await;
    let places = transport::finish(exchange, answer)?.files;
    if places.len() != kinds.len() {
        return Err(Error::new(
            ErrorKind::UnexpectedResponse,
            format!(
                "the service was asked for {} places for files and gave {}",
                kinds.len(),
                places.len()
            ),
        )
        .with_request_id(exchange.request_id()));
    }
    let slots = places.into_iter().map(|place| UploadSlot {
        upload_url: place.upload_url,
        asset_url: place.asset_url,
        headers: place.headers.map(|headers| {
            headers
                .iter()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect()
        }),
        expires_in: place.expires_in,
        asset_expires_in: place.asset_url_expires_in,
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

/// A status that the document gained and we did not stays what it was before: unknown.
fn status(status: enums::TaskStatus) -> TaskStatus {
    TaskStatus::from(status.as_str().to_owned())
}
