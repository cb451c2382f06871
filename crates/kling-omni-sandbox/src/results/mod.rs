//! The host of the results and of uploaded files: signed URLs that expire, whole files and ranges of them.

mod clip_cache;
mod file;
mod range;
mod token;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::fault::Spot;
use crate::record::Host;
use crate::service::{Service, unix_seconds};
use crate::task::Task;
use clip_cache::ClipCache;
pub(crate) use clip_cache::etag;
use file::File;
pub(crate) use token::Signer;
use url::Url;

const BEFORE_ID: &str = "/kling_";
const AFTER_ID: &str = ".mp4";
const BEFORE_ASSET: &str = "/uploads/";
/// How much of what was rendered is kept in memory.
const CLIP_BYTES: usize = 64 * 1024 * 1024;
/// What is percent-encoded of an id in a path.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// Makes result URLs and those of uploaded files, and serves what they lead to.
#[derive(Debug)]
pub(crate) struct Results {
    base_url: String,
    lifetime: Duration,
    signer: Signer,
    clip_cache: ClipCache,
}

impl Results {
    pub(crate) fn new(base_url: String, lifetime: Duration, key: [u8; 32]) -> Self {
        Self {
            base_url,
            lifetime,
            signer: Signer::new(key),
            clip_cache: ClipCache::new(CLIP_BYTES),
        }
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The URL of a task's result; the same whenever it is asked for.
    pub(crate) fn url(&self, task: &Task) -> String {
        let id = utf8_percent_encode(&task.id, ESCAPED);
        let path = format!("{BEFORE_ID}{id}{AFTER_ID}");
        let expires = unix_seconds(task.ends_at()) + self.lifetime.as_secs();
        self.signed(&path, expires)
    }

    /// A result URL with a token for another time; `None` for the URL of another host.
    pub(crate) fn sign(&self, url: &str, expires: u64) -> Option<String> {
        let path = url.strip_prefix(&self.base_url)?;
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        Some(self.signed(path, expires))
    }

    /// The URL of an uploaded file that works until the unix time `expires`.
    pub(crate) fn asset_url(&self, file_id: &str, expires: u64) -> String {
        self.signed(&format!("{BEFORE_ASSET}{file_id}"), expires)
    }

    /// The id of the uploaded file that a URL names, whether or not it works.
    pub(crate) fn asset<'a>(&self, url: &'a str) -> Option<&'a str> {
        let path = url.strip_prefix(&self.base_url)?;
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        path.strip_prefix(BEFORE_ASSET)
    }

    /// Whether a URL is genuine and works at that time.
    pub(crate) fn admits(&self, url: &str, now: SystemTime) -> bool {
        let admits = |url: Url| {
            self.signer
                .admits(url.path(), url.query(), unix_seconds(now))
        };
        Url::parse(url).is_ok_and(admits)
    }

    fn signed(&self, path: &str, expires: u64) -> String {
        let token = self.signer.sign(path, expires);
        format!("{}{path}?token={token}", self.base_url)
    }
}

/// Serves every path; the token decides what is there.
pub(crate) fn router(service: &Arc<Service>) -> Router {
    let service = Arc::clone(service);
    Router::new().fallback(async move |request: Request| exchange(&service, request).await)
}

async fn exchange(service: &Arc<Service>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let arrival = service.arrived(Host::Results, &parts);
    let task = task(service, &parts);
    let spot = Spot::Result {
        task: task.as_deref(),
    };
    let strike = service.strike(arrival, Host::Results, &spot);
    let response = match strike.refusal(&parts) {
        Some(refusal) => refusal,
        None => answer(service, &parts, task.as_deref()).await,
    };
    let mut response = strike.alter(service, response).await;
    service.answered(arrival, &parts, &mut response);
    strike.finish(service, &mut response).await;
    response
}

/// The task that a path names.
fn task(service: &Service, parts: &Parts) -> Option<Arc<Task>> {
    let rest = parts.uri.path().strip_prefix(BEFORE_ID)?;
    let id = percent_decode_str(rest.strip_suffix(AFTER_ID)?)
        .decode_utf8()
        .ok()?;
    service.tasks.get(&id)
}

async fn answer(service: &Service, parts: &Parts, task: Option<&Task>) -> Response {
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
    let file = match (path.strip_prefix(BEFORE_ASSET), task) {
        (Some(id), _) => service
            .uploads
            .get(id)
            .and_then(|place| Some(File::uploaded(&place, place.stored(service)?))),
        (None, Some(task)) => match results.clip_cache.clip(task).await {
            Ok(clip) => Some(File::rendered(clip)),
            Err(error) => {
                tracing::error!(task = task.id, %error, "the clip could not be rendered");
                return page(StatusCode::INTERNAL_SERVER_ERROR);
            }
        },
        (None, None) => None,
    };
    match file {
        Some(file) => file.answer(parts).await,
        None => page(StatusCode::NOT_FOUND),
    }
}

/// An answer without a file: a short page, as such hosts have, and no JSON.
pub(crate) fn page(status: StatusCode) -> Response {
    let text = format!("<html><title>{status}</title><h1>{status}</h1></html>\n");
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HTML);
    response
}
