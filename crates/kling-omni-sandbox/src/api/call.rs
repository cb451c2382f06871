//! A request to an operation.

use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};
use serde_json::Value;

use crate::config::ProblemForm;
use crate::injection::ActiveFaults;
use crate::reply;
use crate::service::RecordId;
use crate::spec::Schema;

/// A request whose body was read and whose operation is known.
pub(super) struct Call<'a> {
    pub(super) record: RecordId,
    pub(super) parts: &'a Parts,
    /// The task id in the path.
    pub(super) task_id: Option<&'a str>,
    pub(super) body: &'a Bytes,
    pub(super) faults: &'a ActiveFaults,
}

impl Call<'_> {
    /// Returns the body, or the error response if it violates the schema.
    pub(super) fn json(&self, schema: &Schema, form: ProblemForm) -> Result<Value, Box<Response>> {
        if !is_json(&self.parts.headers) {
            let text = "The content type must be application/json";
            return Err(Box::new(reply::message(StatusCode::BAD_REQUEST, text)));
        }
        let request = serde_json::from_slice(self.body).map_err(|error| {
            let text = format!("The body is not JSON: {error}");
            Box::new(reply::message(StatusCode::BAD_REQUEST, &text))
        })?;
        let invalid = schema.check(&request);
        if invalid.is_empty() || self.faults.is_lenient() {
            Ok(request)
        } else {
            Err(Box::new(reply::problem(form, invalid)))
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}
