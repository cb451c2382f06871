//! The result host, which serves results and uploaded files.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};

use super::file::ServedFile;
use super::{BEFORE_ASSET, task_id};
use crate::clock::unix_seconds;
use crate::injection::FaultContext;
use crate::record::Host;
use crate::reply::html_page;
use crate::service::Service;
use crate::task::Task;

/// Returns the router. It accepts every path with a valid token.
pub(crate) fn router(service: &Arc<Service>) -> Router {
    let service = Arc::clone(service);
    Router::new().fallback(async move |request: Request| handle(&service, request).await)
}

async fn handle(service: &Arc<Service>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let record = service.record_request(Host::Results, &parts);
    let task = task_id(parts.uri.path()).and_then(|id| service.tasks.get(&id));
    service.amend(record, |entry| {
        entry.task_id = task.as_ref().map(|task| task.id.clone());
    });
    let context = FaultContext::Result {
        task: task.as_deref(),
    };
    let faults = service.evaluate_faults(record, Host::Results, &context);
    let response = match faults.rejection(&parts) {
        Some(rejection) => rejection,
        None => respond(service, &parts, task.as_deref()).await,
    };
    let response = faults
        .mutate_response(&service.results, &service.uploads, response)
        .await;
    service.send(record, &parts, &faults, response).await
}

async fn respond(service: &Service, parts: &Parts, task: Option<&Task>) -> Response {
    if ![Method::GET, Method::HEAD].contains(&parts.method) {
        let mut response = html_page(StatusCode::METHOD_NOT_ALLOWED);
        let allow = HeaderValue::from_static("GET,HEAD");
        response.headers_mut().insert(header::ALLOW, allow);
        return response;
    }
    let now = service.clock.now();
    let path = parts.uri.path();
    let results = &service.results;
    if !results
        .signer
        .is_valid_token(path, parts.uri.query(), unix_seconds(now))
    {
        return html_page(StatusCode::FORBIDDEN);
    }
    let file = match (path.strip_prefix(BEFORE_ASSET), task) {
        (Some(id), _) => service.uploads.get(id).and_then(|slot| {
            let stored = service.uploads.stored(&slot, now)?;
            Some(ServedFile::uploaded(&slot, stored))
        }),
        (None, Some(task)) => return clip_response(service, task, parts).await,
        (None, None) => None,
    };
    match file {
        Some(file) => file.respond(parts).await,
        None => html_page(StatusCode::NOT_FOUND),
    }
}

/// Returns the result of a task, or the requested range of it.
pub(crate) async fn clip_response(service: &Service, task: &Task, parts: &Parts) -> Response {
    match service.results.clip_cache.clip(task).await {
        Ok(clip) => ServedFile::rendered(clip).respond(parts).await,
        Err(error) => {
            tracing::error!(task_id = task.id, %error, "cannot render a clip");
            html_page(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}
