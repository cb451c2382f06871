//! The operations that read tasks.

use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::Value;

use crate::reply;
use crate::service::Service;
use crate::spec::Operation;
use crate::task::{Stage, Task};

/// The `Retry-After` of a quick task, in seconds.
const QUICK_RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

#[derive(Serialize)]
struct Summary<'a> {
    task_id: &'a str,
    status: &'a str,
}

/// Returns one task of a family.
pub(super) fn task(service: &Service, family: &str, id: &str, key: usize) -> Response {
    match service.tasks.get(id) {
        Some(task) if task.family == family && service.is_visible(&task, key) => {
            let stage = task.stage(service.clock.now());
            respond_with(service, &task, stage)
        }
        _ => reply::message(StatusCode::NOT_FOUND, "Task not found"),
    }
}

/// Returns a 200 with a task at a stage.
pub(super) fn respond_with(service: &Service, task: &Task, stage: &Stage) -> Response {
    let mut response = reply::data(service.view(task, stage));
    if service.config.poll_hints && task.is_quick(stage) {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, QUICK_RETRY_AFTER);
    }
    response
}

/// Returns one page of the tasks of a family, newest first. An account without tasks gets a 404, as in the service.
pub(super) fn list(
    service: &Service,
    operation: &Operation,
    family: &str,
    query: &Value,
    key: usize,
) -> Response {
    let now = service.clock.now();
    let mut tasks = service.tasks.all();
    tasks.retain(|task| {
        let is_listed = task.created_at + service.config.list_delay <= now;
        is_listed && task.family == family && service.is_visible(task, key)
    });
    if tasks.is_empty() {
        return reply::message(StatusCode::NOT_FOUND, "Tasks not found");
    }
    let number = |name| operation.query.number(query, name);
    let total = tasks.len();
    let size = number("page_size").map_or(total, as_index);
    let skipped = number("page").map_or(0, |page| as_index(page.saturating_sub(1)));
    let page: Vec<Summary> = tasks
        .iter()
        .rev()
        .skip(skipped.saturating_mul(size))
        .take(size)
        .map(|task| Summary {
            task_id: &task.id,
            status: task.stage(now).status.as_str(),
        })
        .collect();
    reply::data(page)
}

fn as_index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
