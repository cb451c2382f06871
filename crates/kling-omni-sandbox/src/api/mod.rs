//! The API: the routes of the spec, and the one way that every request takes through them.

mod auth;
mod body;
mod create;
mod read;
mod reply;
mod upload;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{RawPathParams, Request};
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode, header};

use crate::fault::{Spot, Strike};
use crate::record::Host;
use crate::service::{Arrival, Service};
use crate::spec::{Kind, Operation, VIDEO_REFERENCE};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longer bodies are answered with 413. The longest legal request is a small part of it.
const BODY_LIMIT: usize = 1024 * 1024;

const NO_SUCH_ROUTE: &str = "There is no such route";
const WRONG_METHOD: &str = "The route does not take this method";
const LIMIT_USED_UP: &str = "The rate limit is used up; wait for its next window";
const PLAN_LIMIT: &str = "Free trial usage limit reached. Upgrade your plan to continue.";
const NO_REASON: &str = "The service gives no reason";

/// Where a request has arrived.
#[derive(Clone, Debug)]
enum Target {
    Operation(Arc<Operation>),
    WrongMethod,
    Nowhere,
}

/// A request, read and routed.
struct Call<'a> {
    target: &'a Target,
    parts: &'a Parts,
    /// The task that the path names.
    task_id: Option<&'a str>,
    body: &'a Bytes,
    /// What a fault answers in place of the operation.
    refusal: Option<Response>,
    strike: &'a Strike,
}

/// Serves the operations of the spec.
pub(crate) fn router(service: &Arc<Service>) -> Router {
    let mut router = Router::new();
    for operation in &service.spec.operations {
        let Ok(method) = MethodFilter::try_from(operation.method.clone()) else {
            continue;
        };
        let service = Arc::clone(service);
        let target = Target::Operation(Arc::clone(operation));
        let handler = async move |params: Result<RawPathParams, _>, request: Request| {
            let params: Option<RawPathParams> = params.ok();
            let params = params.as_ref().into_iter().flatten();
            let task_id = params.map(|(_, value)| value.to_owned()).next();
            exchange(&service, target, task_id, request).await
        };
        router = router.route(&operation.path, on(method, handler));
    }
    let to = |target: Target| {
        let service = Arc::clone(service);
        async move |request: Request| exchange(&service, target, None, request).await
    };
    router
        .method_not_allowed_fallback(to(Target::WrongMethod))
        .fallback(to(Target::Nowhere))
}

/// The way of every request: recorded as it comes, answered, marked with an id, recorded as answered.
async fn exchange(
    service: &Arc<Service>,
    target: Target,
    task_id: Option<String>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let request_id = format!("ak-{}", service.random.exchange_id());
    let arrival = service.arrived(Host::Api, &parts);
    service.learnt(arrival, |entry| {
        entry.request_id = Some(request_id.clone());
        if let Target::Operation(operation) = &target {
            entry.operation_id = Some(operation.id.clone());
        }
    });

    let strike = strike(service, arrival, &target, task_id.as_deref());
    let response = match read(body).await {
        Ok(body) => {
            service.learnt(arrival, |entry| entry.body = body.clone());
            let call = Call {
                target: &target,
                parts: &parts,
                task_id: task_id.as_deref(),
                body: &body,
                refusal: strike.refusal(&parts),
                strike: &strike,
            };
            answer(service, call)
        }
        Err(response) => response,
    };
    let mut response = strike.alter(service, response).await;

    if let Ok(id) = HeaderValue::try_from(request_id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    service.answered(arrival, &parts, &mut response);
    strike.finish(service, &mut response).await;
    response
}

/// Decides on the faults of a request that has met an operation.
fn strike(service: &Service, arrival: Arrival, target: &Target, task_id: Option<&str>) -> Strike {
    let Target::Operation(operation) = target else {
        return Strike::none(Host::Api);
    };
    let task = task_id.and_then(|id| service.tasks.get(id));
    let spot = Spot::Api {
        operation,
        task: task.as_deref(),
    };
    service.strike(arrival, Host::Api, &spot)
}

async fn read(body: Body) -> Result<Bytes, Response> {
    to_bytes(body, BODY_LIMIT).await.map_err(|_| {
        let text = format!("The body could not be read, or is longer than {BODY_LIMIT} bytes");
        reply::message(StatusCode::PAYLOAD_TOO_LARGE, &text)
    })
}

/// Decides on a request: is there such a route, is the key right, is there room in its window, and then the operation,
/// or the fault in its place.
fn answer(service: &Arc<Service>, call: Call) -> Response {
    let operation = match call.target {
        Target::Operation(operation) => operation,
        Target::WrongMethod => {
            return reply::message(StatusCode::METHOD_NOT_ALLOWED, WRONG_METHOD);
        }
        Target::Nowhere => return reply::message(StatusCode::NOT_FOUND, NO_SUCH_ROUTE),
    };
    if operation.id == VIDEO_REFERENCE
        && let Some(status) = service.config.video_reference.refusal()
    {
        return error(status);
    }

    let key = match auth::key(service, &call.parts.headers) {
        Ok(key) => key,
        Err(refused) => return refused.into(),
    };
    let allowance = service.rates.take(key, service.clock.now());
    let mut response = if !allowance.allowed {
        error(StatusCode::TOO_MANY_REQUESTS)
    } else if let Some(refusal) = call.refusal {
        refusal
    } else {
        operate(service, operation, &call, key)
    };
    allowance.write(response.headers_mut(), service.config.retry_after);
    response
}

/// An error that nothing in the request has caused.
pub(crate) fn error(status: StatusCode) -> Response {
    let text = match status {
        StatusCode::UNAUTHORIZED => return auth::Refused::Invalid.into(),
        StatusCode::METHOD_NOT_ALLOWED => WRONG_METHOD,
        StatusCode::NOT_FOUND | StatusCode::GONE => NO_SUCH_ROUTE,
        StatusCode::TOO_MANY_REQUESTS => LIMIT_USED_UP,
        status => status.canonical_reason().unwrap_or(NO_REASON),
    };
    let mut response = reply::message(status, text);
    if status == StatusCode::METHOD_NOT_ALLOWED {
        // HTTP asks for the header in every 405; empty, it says that no method is left.
        let none = HeaderValue::from_static("");
        response.headers_mut().insert(header::ALLOW, none);
    }
    response
}

/// The 429 of an account that has used up what its plan allows.
pub(crate) fn plan_limit() -> Response {
    reply::message(StatusCode::TOO_MANY_REQUESTS, PLAN_LIMIT)
}

fn operate(service: &Arc<Service>, operation: &Operation, call: &Call, key: usize) -> Response {
    let query = operation
        .query
        .parse_query(call.parts.uri.query().unwrap_or_default());
    let invalid = operation.query.check(&query);
    if !invalid.is_empty() {
        return reply::problem(service.config.problem_form, invalid);
    }
    match &operation.kind {
        Kind::Create { body } => create::task(service, operation, body, call, key),
        Kind::List => read::list(service, operation, &query, key),
        Kind::Status => read::task(service, operation, call.task_id.unwrap_or_default(), key),
        Kind::Places { body } => upload::places(service, body, call),
        Kind::Files => upload::files(service),
    }
}
