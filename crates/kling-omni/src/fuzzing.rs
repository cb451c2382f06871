//! Entry points for fuzz targets. They have no stability guarantees.

use crate::engine::http::body::DecodedBody;
use crate::engine::http::task_ids;
use crate::redact;

/// Sanitises a text of the service for an error.
pub fn sanitize(text: &str, key: &str) -> String {
    redact::sanitize(text, key)
}

/// Redacts a URL.
pub fn redact_url(url: &str) -> String {
    redact::RedactedUrl(url).to_string()
}

/// Returns the JSON in the body of a response, if the body is JSON, and the ids of tasks in it. At most `max_size` bytes
/// are decoded.
pub fn named_tasks(body: &[u8], max_size: usize) -> (Option<Vec<u8>>, Vec<String>) {
    let body = bytes::Bytes::copy_from_slice(body);
    let content = DecodedBody::read(&http::HeaderMap::new(), body, true, max_size);
    let ids = task_ids::named_tasks(&content.bytes);
    (content.is_json.then(|| content.bytes.to_vec()), ids)
}
