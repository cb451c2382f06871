//! The responses of the hosts: the JSON of the API, and the errors of each.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::config::ProblemForm;
use crate::record::Host;
use crate::spec::InvalidParam;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const XML: HeaderValue = HeaderValue::from_static("application/xml; charset=UTF-8");
const INVALID: &str = "The request has parameters that are not valid";

pub(crate) const NO_SUCH_ROUTE: &str = "There is no such route";
pub(crate) const WRONG_METHOD: &str = "The route does not take this method";
/// The text of the service, as observed.
pub(crate) const INVALID_KEY: &str = "Unauthorized: The provided API key is invalid. Please verify your API key at https://www.freepik.com/developers/dashboard/api-key. If you need a new key, you can request one at https://www.freepik.com/api.";
const RATE_LIMITED: &str = "Rate limit exceeded, retry in the next window";
const PLAN_LIMIT: &str = "Free trial usage limit reached. Upgrade your plan to continue.";
const NO_REASON: &str = "The service gives no reason";
const NO_CODE: &str = "UnknownError";

/// The wrapper of every successful response about tasks.
#[derive(Serialize)]
struct Data<T> {
    data: T,
}

#[derive(Serialize)]
struct Message<'a> {
    message: &'a str,
}

#[derive(Serialize)]
struct Problem<'a, P> {
    message: &'a str,
    invalid_params: Vec<P>,
}

/// An invalid parameter with the key `field` instead of `name`.
#[derive(Serialize)]
struct Field {
    field: String,
    reason: String,
}

#[derive(Serialize)]
struct Nested<'a> {
    problem: Problem<'a, InvalidParam>,
}

/// Returns a 200 with `data`.
pub(crate) fn data(data: impl Serialize) -> Response {
    ok(&Data { data })
}

/// Returns a 200.
pub(crate) fn ok(value: &impl Serialize) -> Response {
    json(StatusCode::OK, JSON, value)
}

/// Returns an error with a message.
pub(crate) fn message(status: StatusCode, message: &str) -> Response {
    json(status, JSON, &Message { message })
}

/// Returns a 400 with all violations, in the given form.
pub(crate) fn problem(form: ProblemForm, invalid_params: Vec<InvalidParam>) -> Response {
    let problem = Problem {
        message: INVALID,
        invalid_params,
    };
    match form {
        ProblemForm::Fields => {
            let fields = problem.invalid_params.into_iter().map(|param| Field {
                field: param.name,
                reason: param.reason,
            });
            let problem = Problem {
                message: INVALID,
                invalid_params: fields.collect(),
            };
            json(StatusCode::BAD_REQUEST, JSON, &problem)
        }
        ProblemForm::Flat => json(StatusCode::BAD_REQUEST, PROBLEM, &problem),
        ProblemForm::Nested => json(StatusCode::BAD_REQUEST, PROBLEM, &Nested { problem }),
        ProblemForm::Message => message(StatusCode::BAD_REQUEST, INVALID),
    }
}

fn json(status: StatusCode, content_type: HeaderValue, value: &impl Serialize) -> Response {
    let text = serde_json::to_vec(value).expect("texts and lists can always be written as JSON");
    respond(status, content_type, text)
}

/// Returns an error in the form of a host.
pub(crate) fn error(host: Host, status: StatusCode) -> Response {
    match host {
        Host::Api => api_error(status),
        Host::Results => html_page(status),
        Host::Storage => {
            let text = status.canonical_reason().unwrap_or(NO_CODE);
            xml_error(status, &text.replace(' ', ""), text)
        }
    }
}

fn api_error(status: StatusCode) -> Response {
    let text = match status {
        StatusCode::UNAUTHORIZED => INVALID_KEY,
        StatusCode::METHOD_NOT_ALLOWED => WRONG_METHOD,
        StatusCode::NOT_FOUND | StatusCode::GONE => NO_SUCH_ROUTE,
        StatusCode::TOO_MANY_REQUESTS => RATE_LIMITED,
        status => status.canonical_reason().unwrap_or(NO_REASON),
    };
    let mut response = message(status, text);
    if status == StatusCode::METHOD_NOT_ALLOWED {
        // HTTP requires the header in every 405. An empty one means that no method is allowed.
        let empty = HeaderValue::from_static("");
        response.headers_mut().insert(header::ALLOW, empty);
    }
    response
}

/// Returns the 429 for an account at the limit of its plan.
pub(crate) fn plan_limit() -> Response {
    message(StatusCode::TOO_MANY_REQUESTS, PLAN_LIMIT)
}

/// Returns a short HTML page, as from a file host or a gateway.
pub(crate) fn html_page(status: StatusCode) -> Response {
    let page = format!("<html><title>{status}</title><h1>{status}</h1></html>\n");
    respond(status, HTML, page)
}

/// Returns an error in the XML of an object store.
pub(crate) fn xml_error(status: StatusCode, code: &str, text: &str) -> Response {
    let body = format!(
        "<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{text}</Message></Error>"
    );
    respond(status, XML, body)
}

fn respond(status: StatusCode, content_type: HeaderValue, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}
