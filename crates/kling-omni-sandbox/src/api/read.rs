use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;

use super::reply;
use crate::service::Service;
use crate::spec::Operation;

#[derive(Serialize)]
struct Summary<'a> {
    task_id: &'a str,
    status: &'a str,
}

/// One task, where its family of routes knows it.
pub(super) fn task(service: &Service, operation: &Operation, id: &str, key: usize) -> Response {
    match service.tasks.get(id) {
        Some(task) if task.family == operation.family && service.shows(&task, key) => {
            let stage = task.stage(service.clock.now());
            reply::task(service, &task, stage)
        }
        _ => reply::message(StatusCode::NOT_FOUND, "Task not found"),
    }
}

/// One page of the tasks of a family of routes, newest first. An account without any gets a 404, as the service does.
pub(super) fn list(
    service: &Service,
    operation: &Operation,
    query: &Value,
    key: usize,
) -> Response {
    let now = service.clock.now();
    let mut tasks = service.tasks.all();
    tasks.retain(|task| {
        let is_listed = task.created_at + service.config.list_delay <= now;
        is_listed && task.family == operation.family && service.shows(task, key)
    });
    if tasks.is_empty() {
        return reply::message(StatusCode::NOT_FOUND, "Tasks not found");
    }
    let number = |name| operation.query.number(query, name);
    let whole = tasks.len();
    let size = number("page_size").map_or(whole, as_index);
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
