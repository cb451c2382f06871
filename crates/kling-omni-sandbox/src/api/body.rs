use axum::response::Response;
use http::{HeaderMap, StatusCode, header};
use serde_json::Value;

use super::{Call, reply};
use crate::service::Service;
use crate::spec::Schema;

/// The body of a request, held against its schema; otherwise what is answered to it.
pub(super) fn read(
    service: &Service,
    schema: &Schema,
    call: &Call,
) -> Result<Value, Box<Response>> {
    if !is_json(&call.parts.headers) {
        let text = "The content type must be application/json";
        return Err(Box::new(reply::message(StatusCode::BAD_REQUEST, text)));
    }
    let request = serde_json::from_slice(call.body).map_err(|error| {
        let text = format!("The body is not JSON: {error}");
        Box::new(reply::message(StatusCode::BAD_REQUEST, &text))
    })?;
    let invalid = schema.check(&request);
    if invalid.is_empty() || call.strike.is_lenient() {
        Ok(request)
    } else {
        let form = service.config.problem_form;
        Err(Box::new(reply::problem(form, invalid)))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}
