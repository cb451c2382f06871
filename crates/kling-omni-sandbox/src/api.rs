//! The API host: routes the operations of the document, and records, validates and answers each request.

mod call;
mod create;
mod read;
mod upload;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{RawPathParams, Request};
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use kling_omni_api::tasks::TaskCreate;

use crate::injection::{ActiveFaults, FaultContext};
use crate::record::Host;
use crate::reply;
use crate::service::{RecordId, Service};
use crate::spec::{Kind, Operation};
use crate::task::Task;
use call::Call;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The maximum size of a body, in bytes. Larger ones get a 413. Valid requests are far smaller.
const BODY_LIMIT: usize = 1024 * 1024;

const MISSING_KEY: &str = "Missing API key";

/// What a request is routed to.
#[derive(Clone, Debug)]
enum Target {
    Operation(Arc<Operation>),
    WrongMethod,
    Unknown,
}

/// Returns the router for the operations of the document.
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
            handle(&service, target, task_id, request).await
        };
        router = router.route(&operation.path, on(method, handler));
    }
    let fallback = |target: Target| {
        let service = Arc::clone(service);
        async move |request: Request| handle(&service, target, None, request).await
    };
    router
        .method_not_allowed_fallback(fallback(Target::WrongMethod))
        .fallback(fallback(Target::Unknown))
}

/// Handles a request: records it, injects its faults, runs the operation, and records the response.
async fn handle(
    service: &Arc<Service>,
    target: Target,
    task_id: Option<String>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let request_id = format!("ak-{}", service.random.request_id());
    let record = service.record_request(Host::Api, &parts);
    let known_task = task_id.as_deref().and_then(|id| service.tasks.get(id));
    service.amend(record, |entry| {
        entry.request_id = Some(request_id.clone());
        entry.task_id = known_task.as_ref().map(|task| task.id.clone());
        if let Target::Operation(operation) = &target {
            entry.operation_id = Some(operation.id.clone());
        }
    });

    let faults = evaluate_faults(service, record, &target, known_task.as_deref());
    let response = match read_body(body).await {
        Ok(body) => {
            service.amend(record, |entry| entry.body = body.clone());
            let call = Call {
                record,
                parts: &parts,
                task_id: task_id.as_deref(),
                body: &body,
                faults: &faults,
            };
            respond(service, &target, &call)
        }
        Err(response) => response,
    };
    let mut response = faults
        .mutate_response(&service.results, &service.uploads, response)
        .await;

    if let Ok(id) = HeaderValue::try_from(request_id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    service.send(record, &parts, &faults, response).await
}

/// Evaluates the faults of a request. Only requests to an operation have any.
fn evaluate_faults(
    service: &Service,
    record: RecordId,
    target: &Target,
    task: Option<&Task>,
) -> ActiveFaults {
    let Target::Operation(operation) = target else {
        return service.faults.activate(Host::Api, Vec::new());
    };
    let context = FaultContext::Api { operation, task };
    service.evaluate_faults(record, Host::Api, &context)
}

async fn read_body(body: Body) -> Result<Bytes, Response> {
    to_bytes(body, BODY_LIMIT).await.map_err(|_| {
        let text = format!("The body could not be read, or is longer than {BODY_LIMIT} bytes");
        reply::message(StatusCode::PAYLOAD_TOO_LARGE, &text)
    })
}

/// Returns the response: checks the route, the key and the rate limit, then runs the operation, or returns the response
/// of a fault.
fn respond(service: &Arc<Service>, target: &Target, call: &Call<'_>) -> Response {
    let operation = match target {
        Target::Operation(operation) => operation,
        Target::WrongMethod => {
            return reply::message(StatusCode::METHOD_NOT_ALLOWED, reply::WRONG_METHOD);
        }
        Target::Unknown => return reply::message(StatusCode::NOT_FOUND, reply::NO_SUCH_ROUTE),
    };
    if let Kind::Create { task, .. } = operation.kind
        && task == TaskCreate::CreateVideoReference
        && let Some(status) = service.config.video_reference.rejection()
    {
        return reply::error(Host::Api, status);
    }

    let key = match authenticate(service, &call.parts.headers) {
        Ok(key) => key,
        Err(text) => return reply::message(StatusCode::UNAUTHORIZED, text),
    };
    let limit = service.rates.acquire(key, service.clock.now());
    let mut response = if !limit.allowed {
        reply::error(Host::Api, StatusCode::TOO_MANY_REQUESTS)
    } else if let Some(rejection) = call.faults.rejection(call.parts) {
        rejection
    } else {
        run_operation(service, operation, call, key)
    };
    limit.write(response.headers_mut(), service.config.retry_after);
    response
}

/// Returns the index of the request's key among the accepted ones, or the message of the 401. Any key header of the
/// document is accepted.
fn authenticate(service: &Service, headers: &HeaderMap) -> Result<usize, &'static str> {
    let given = service
        .spec
        .key_headers
        .iter()
        .flat_map(|name| headers.get_all(name))
        .map(|value| value.as_bytes())
        .filter(|key| !key.is_empty());
    let mut message = MISSING_KEY;
    for key in given {
        let mut accepted = service.config.api_keys.iter();
        match accepted.position(|accepted| accepted.as_bytes() == key) {
            Some(index) => return Ok(index),
            None => message = reply::INVALID_KEY,
        }
    }
    Err(message)
}

fn run_operation(
    service: &Arc<Service>,
    operation: &Operation,
    call: &Call,
    key: usize,
) -> Response {
    let query = operation
        .query
        .parse_query(call.parts.uri.query().unwrap_or_default());
    let invalid = operation.query.check(&query);
    if !invalid.is_empty() {
        return reply::problem(service.config.problem_form, invalid);
    }
    match &operation.kind {
        Kind::Create { families, body, .. } => {
            create::task(service, operation, families, body, call, key)
        }
        Kind::List { family } => read::list(service, operation, family, &query, key),
        Kind::Status { family } => {
            read::task(service, family, call.task_id.unwrap_or_default(), key)
        }
        Kind::Slots { body } => upload::slots(service, body, call),
        Kind::Files => upload::files(service),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::Sandbox;
    use crate::spec::Spec;

    /// Sends requests to a sandbox with an edited document, and returns the statuses and bodies.
    async fn send(edit: fn(&mut Value), requests: &[(&str, &str)]) -> Vec<(u16, String)> {
        let mut document: Value = serde_saphyr::from_str(kling_omni_api::SPEC_YAML).unwrap();
        edit(&mut document);
        let spec = Arc::new(Spec::parse(&document.to_string()).unwrap());
        let sandbox = Sandbox::builder().serve(spec).await.unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut responses = Vec::new();
        for (method, path) in requests {
            let method = method.parse::<http::Method>().unwrap();
            let url = format!("{}{path}", sandbox.base_url());
            let request = client.request(method.clone(), url);
            let request = request.header("x-freepik-api-key", sandbox.api_key());
            let request = match method {
                http::Method::POST => request.json(&json!({"prompt": "A river"})),
                _ => request,
            };
            let response = request.send().await.unwrap();
            responses.push((response.status().as_u16(), response.text().await.unwrap()));
        }
        responses
    }

    const CREATE: &str = "/v1/ai/video/kling-v3-omni-pro";

    #[tokio::test]
    async fn router_serves_create_and_list_on_one_path() {
        let edit = |document: &mut Value| {
            let list = document["paths"]["/v1/ai/video/kling-v3-omni"]["get"].take();
            document["paths"][CREATE]["get"] = list;
            let paths = document["paths"].as_object_mut().unwrap();
            paths.remove("/v1/ai/video/kling-v3-omni");
        };
        let requests = [
            ("GET", CREATE),
            ("POST", CREATE),
            ("GET", CREATE),
            ("GET", "/v1/ai/reference-to-video/kling-v3-omni"),
            ("PUT", CREATE),
        ];
        let responses = send(edit, &requests).await;
        let statuses: Vec<_> = responses.iter().map(|(status, _)| *status).collect();
        assert_eq!(statuses, [404, 200, 200, 404, 405]);
        let created: Value = serde_json::from_str(&responses[1].1).unwrap();
        let listed: Value = serde_json::from_str(&responses[2].1).unwrap();
        assert_eq!(listed["data"][0]["task_id"], created["data"]["task_id"]);
    }

    #[tokio::test]
    async fn create_works_without_a_duration_in_the_document() {
        let edit = |document: &mut Value| {
            let fields = &mut document["components"]["schemas"]["VideoRequest"]["properties"];
            fields.as_object_mut().unwrap().remove("duration").unwrap();
        };
        let responses = send(edit, &[("POST", CREATE)]).await;
        assert_eq!(responses[0].0, 200, "{}", responses[0].1);
    }
}
