//! The mapping between our types and the generated ones, and the only caller of generated operations.

use std::sync::Arc;

use kling_omni_api::{enums, types};

use crate::error::{Charged, Error, ErrorKind, Result};
use crate::request::{Fields, VideoReference};
use crate::route::{CreateRoute, StatusRoute};
use crate::state::{TaskState, TaskStatus, TaskSummary, is_task_id};
use crate::transport::Exchange;

/// A request on its way to either of the two body schemas.
#[derive(Default)]
pub(crate) struct Body {
    fields: Fields,
    duration: Option<enums::OutputDuration>,
}

impl Body {
    /// # Errors
    ///
    /// A duration that the document does not have. Validation refuses it before; left out, it would be paid for as the
    /// default.
    pub(crate) fn of(request: &VideoReference) -> Result<Self> {
        let fields = request.fields().clone();
        let duration = fields.duration.map(|seconds| seconds.to_string().parse());
        let duration = duration
            .transpose()
            .map_err(|error| Error::new(ErrorKind::Validation, format!("duration: {error}")))?;
        Ok(Self { fields, duration })
    }

    #[allow(
        clippy::needless_update,
        reason = "an optional field that the document gains is left out until it has a home here"
    )]
    fn into_video_reference(self) -> types::VideoReferenceRequest {
        types::VideoReferenceRequest {
            aspect_ratio: self.fields.aspect_ratio.map(|ratio| ratio.to_wire()),
            cfg_scale: self.fields.cfg_scale.map(wire_scale),
            duration: self.duration,
            image_url: self.fields.image_url,
            negative_prompt: self.fields.negative_prompt,
            prompt: self.fields.prompt,
            video_url: self.fields.video_url,
            webhook_url: self.fields.webhook_url,
            ..types::VideoReferenceRequest::default()
        }
    }

    fn into_reference_to_video(self) -> types::ReferenceToVideoRequest {
        types::ReferenceToVideoRequest {
            aspect_ratio: self.fields.aspect_ratio.map(|ratio| ratio.to_wire()),
            cfg_scale: self.fields.cfg_scale.map(wire_scale),
            duration: self.duration,
            image_url: self.fields.image_url,
            negative_prompt: self.fields.negative_prompt,
            prompt: self.fields.prompt,
            webhook_url: self.fields.webhook_url,
            ..types::ReferenceToVideoRequest::new(self.fields.video_url.unwrap_or_default())
        }
    }
}

/// The document has the narrower type. Minus zero is zero, and reads better so.
fn wire_scale(scale: f64) -> f32 {
    scale as f32 + 0.0
}

/// Creates a task on `route`.
pub(crate) async fn create(
    exchange: &Arc<Exchange>,
    route: CreateRoute,
    body: Body,
) -> Result<TaskState> {
    let api = exchange.api();
    let answer = match route {
        CreateRoute::VideoReferencePro => {
            api.create_video_reference()
                .body(body.into_video_reference())
                .send()
                .await
        }
        CreateRoute::ReferenceToVideoPro => {
            api.create_reference_to_video_pro()
                .body(body.into_reference_to_video())
                .send()
                .await
        }
        CreateRoute::ReferenceToVideoStandard => {
            api.create_reference_to_video_std()
                .body(body.into_reference_to_video())
                .send()
                .await
        }
    };
    let state = state(exchange.finish(answer)?.data);
    if !is_task_id(state.id()) {
        return Err(Error::new(
            ErrorKind::UnexpectedResponse,
            "the service created a task and gave it an id that is none",
        )
        .with_request_id(exchange.request_id())
        .with_charged(Charged::Unknown)
        .with_advice("look at the list of tasks before you create it again"));
    }
    Ok(state)
}

/// Reads the task `id` at `route`.
pub(crate) async fn read(
    exchange: &Arc<Exchange>,
    route: StatusRoute,
    id: &str,
) -> Result<TaskState> {
    let api = exchange.api();
    let answer = match route {
        StatusRoute::ReferenceToVideo => api.get_reference_to_video_task().task_id(id).send().await,
        StatusRoute::Video => api.get_video_task().task_id(id).send().await,
    };
    let state = state(exchange.finish(answer)?.data);
    if state.id() != id {
        return Err(Error::new(
            ErrorKind::UnexpectedResponse,
            "the service answered with another task than the one asked for",
        )
        .with_request_id(exchange.request_id()));
    }
    Ok(state)
}

/// Reads one page of the list.
pub(crate) async fn list(
    exchange: &Arc<Exchange>,
    page: Option<i32>,
    page_size: Option<i32>,
) -> Result<Vec<TaskSummary>> {
    let api = exchange.api();
    let mut call = api.list_reference_to_video_tasks();
    if let Some(page) = page {
        call = call.page(page);
    }
    if let Some(size) = page_size {
        call = call.page_size(size);
    }
    let answer = call.send().await;
    let tasks = exchange.finish(answer)?.data;
    // What is no id cannot be read, and is not worth failing the whole page for.
    Ok(tasks
        .into_iter()
        .filter(|task| is_task_id(&task.task_id))
        .map(|task| TaskSummary::new(task.task_id, status(task.status)))
        .collect())
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
