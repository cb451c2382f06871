//! What fuzzing reaches that nobody else may. None of it is a promise.

use crate::redact;

/// A text of the service as it is shown in errors.
pub fn quote(text: &str, key: &str) -> String {
    redact::quote(text, key)
}

/// A URL as it is shown.
pub fn bare_url(url: &str) -> String {
    redact::BareUrl(url).to_string()
}
