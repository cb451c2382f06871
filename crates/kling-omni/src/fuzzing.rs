//! What fuzzing reaches that nobody else may. None of it is a promise.

use crate::engine::http::body::DecodedBody;
use crate::engine::http::task_ids;
use crate::redact;

/// A text of the service as it is shown in errors.
pub fn quote(text: &str, key: &str) -> String {
    redact::sanitize(text, key)
}

/// A URL as it is shown.
pub fn bare_url(url: &str) -> String {
    redact::RedactedUrl(url).to_string()
}

/// The JSON in the body of an answer, if that is what it has, and the ids of tasks in it. No more than `largest` bytes
/// are decoded.
pub fn named_tasks(body: &[u8], largest: usize) -> (Option<Vec<u8>>, Vec<String>) {
    let body = bytes::Bytes::copy_from_slice(body);
    let content = DecodedBody::read(&http::HeaderMap::new(), body, true, largest);
    let ids = task_ids::named_tasks(&content.bytes);
    (content.is_json.then(|| content.bytes.to_vec()), ids)
}
