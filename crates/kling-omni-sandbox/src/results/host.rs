//! The host of the results and of uploaded files.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};

use super::file::File;
use super::{BEFORE_ASSET, task_id};
use crate::clock::unix_seconds;
use crate::injection::FaultContext;
use crate::record::Host;
use crate::reply::html_page;
use crate::service::Service;
use crate::task::Task;

/// Serves every path; the token decides what is there.
pub(crate) fn router(service: &Arc<Service>) -> Router {
    let service = Arc::clone(service);
    Router::new().fallback(async move |request: Request| exchange(&service, request).await)
}

async fn exchange(service: &Arc<Service>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let record = service.record_request(Host::Results, &parts);
    let task = task_id(parts.uri.path()).and_then(|id| service.tasks.get(&id));
    let context = FaultContext::Result {
        task: task.as_deref(),
    };
    let faults = service.evaluate_faults(record, Host::Results, &context);
    let response = match faults.refusal(&parts) {
        Some(refusal) => refusal,
        None => answer(service, &parts, task.as_deref()).await,
    };
    let mut response = faults
        .mutate_response(&service.results, &service.uploads, response)
        .await;
    service.record_response(record, &parts, &mut response);
    faults.finish(&mut response).await;
    response
}

async fn answer(service: &Service, parts: &Parts, task: Option<&Task>) -> Response {
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
        .admits(path, parts.uri.query(), unix_seconds(now))
    {
        return html_page(StatusCode::FORBIDDEN);
    }
    let file = match (path.strip_prefix(BEFORE_ASSET), task) {
        (Some(id), _) => service
            .uploads
            .get(id)
            .and_then(|slot| Some(File::uploaded(&slot, service.uploads.stored(&slot, now)?))),
        (None, Some(task)) => match results.clip_cache.clip(task).await {
            Ok(clip) => Some(File::rendered(clip)),
            Err(error) => {
                tracing::error!(task = task.id, %error, "the clip could not be rendered");
                return html_page(StatusCode::INTERNAL_SERVER_ERROR);
            }
        },
        (None, None) => None,
    };
    match file {
        Some(file) => file.answer(parts).await,
        None => html_page(StatusCode::NOT_FOUND),
    }
}
