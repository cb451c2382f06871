use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::options::ProblemForm;
use crate::service::Service;
use crate::spec::InvalidParam;
use crate::task::{Stage, Task};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
/// When to look at a quick task again, in seconds.
const SOON: HeaderValue = HeaderValue::from_static("1");
const INVALID: &str = "The request has parameters that are not valid";

/// What every successful answer about tasks is wrapped in.
#[derive(Serialize)]
pub(super) struct Data<T> {
    pub(super) data: T,
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

/// An invalid parameter with the key `field` in place of `name`.
#[derive(Serialize)]
struct Field {
    field: String,
    reason: String,
}

#[derive(Serialize)]
struct Nested<'a> {
    problem: Problem<'a, InvalidParam>,
}

/// A 200 with `data`.
pub(super) fn data(data: impl Serialize) -> Response {
    ok(&Data { data })
}

/// A 200 with a task at a stage of its life.
pub(super) fn task(service: &Service, task: &Task, stage: &Stage) -> Response {
    let mut response = data(service.view(task, stage));
    if service.config.poll_hints && task.is_quick(stage) {
        response.headers_mut().insert(header::RETRY_AFTER, SOON);
    }
    response
}

/// A 200.
pub(super) fn ok(value: &impl Serialize) -> Response {
    json(StatusCode::OK, JSON, value)
}

/// An error in one sentence.
pub(super) fn message(status: StatusCode, message: &str) -> Response {
    json(status, JSON, &Message { message })
}

/// A 400 that names every broken rule, as far as `form` lets it.
pub(super) fn problem(form: ProblemForm, invalid_params: Vec<InvalidParam>) -> Response {
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
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}
