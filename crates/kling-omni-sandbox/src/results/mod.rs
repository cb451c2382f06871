//! The host of the results: signed URLs that expire, whole files and ranges of them.

mod range;
mod shelf;
mod token;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};

use crate::record::Listener;
use crate::service::{Service, unix_seconds};
use crate::task::Task;
use shelf::{Clip, Shelf};
use token::Signer;

const BEFORE_ID: &str = "/kling_";
const AFTER_ID: &str = ".mp4";
/// How much of what was rendered is kept in memory.
const CLIP_BYTES: usize = 64 * 1024 * 1024;
const MP4: HeaderValue = HeaderValue::from_static("video/mp4");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// Makes result URLs and serves what they lead to.
#[derive(Debug)]
pub(crate) struct Results {
    base_url: String,
    lifetime: Duration,
    signer: Signer,
    shelf: Shelf,
}

impl Results {
    pub(crate) fn new(base_url: String, lifetime: Duration, key: [u8; 32]) -> Self {
        Self {
            base_url,
            lifetime,
            signer: Signer::new(key),
            shelf: Shelf::new(CLIP_BYTES),
        }
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The URL of a task's result; the same whenever it is asked for.
    pub(crate) fn url(&self, task: &Task) -> String {
        let path = format!("{BEFORE_ID}{}{AFTER_ID}", task.id);
        let expires = unix_seconds(task.ends_at()) + self.lifetime.as_secs();
        let token = self.signer.sign(&path, expires);
        format!("{}{path}?token={token}", self.base_url)
    }
}

/// Serves every path; the token decides what is there.
pub(crate) fn router(service: &Arc<Service>) -> Router {
    let service = Arc::clone(service);
    Router::new().fallback(async move |request: Request| exchange(&service, request).await)
}

async fn exchange(service: &Service, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let arrival = service.arrived(Listener::Results, &parts);
    let mut response = answer(service, &parts).await;
    service.answered(arrival, &parts, &mut response);
    response
}

async fn answer(service: &Service, parts: &Parts) -> Response {
    if ![Method::GET, Method::HEAD].contains(&parts.method) {
        let mut response = page(StatusCode::METHOD_NOT_ALLOWED);
        let allow = HeaderValue::from_static("GET,HEAD");
        response.headers_mut().insert(header::ALLOW, allow);
        return response;
    }
    let now = unix_seconds(service.clock.now());
    let path = parts.uri.path();
    let results = &service.results;
    if !results.signer.admits(path, parts.uri.query(), now) {
        return page(StatusCode::FORBIDDEN);
    }
    let id = path.strip_prefix(BEFORE_ID);
    let id = id.and_then(|rest| rest.strip_suffix(AFTER_ID));
    let Some(task) = id.and_then(|id| service.tasks.get(id)) else {
        return page(StatusCode::NOT_FOUND);
    };
    match results.shelf.clip(&task).await {
        Ok(clip) => file(parts, &clip),
        Err(error) => {
            tracing::error!(task = task.id, %error, "the clip could not be rendered");
            page(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

fn file(parts: &Parts, clip: &Clip) -> Response {
    let length = clip.bytes.len() as u64;
    let part = range::requested(parts, &clip.etag, length);
    let (status, body, content_range) = match part {
        range::Part::Whole => (StatusCode::OK, clip.bytes.clone(), None),
        range::Part::Range(first, last) => (
            StatusCode::PARTIAL_CONTENT,
            clip.bytes.slice(first..=last),
            Some(format!("bytes {first}-{last}/{length}")),
        ),
        range::Part::Unsatisfiable => {
            let mut response = page(StatusCode::RANGE_NOT_SATISFIABLE);
            if let Ok(value) = HeaderValue::try_from(format!("bytes */{length}")) {
                response.headers_mut().insert(header::CONTENT_RANGE, value);
            }
            return response;
        }
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, MP4);
    headers.insert(header::ETAG, clip.etag.clone());
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(value) = content_range.and_then(|text| HeaderValue::try_from(text).ok()) {
        headers.insert(header::CONTENT_RANGE, value);
    }
    response
}

/// An answer without a file: a short page, as such hosts have, and no JSON.
fn page(status: StatusCode) -> Response {
    let text = format!("<html><title>{status}</title><h1>{status}</h1></html>\n");
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HTML);
    response
}
