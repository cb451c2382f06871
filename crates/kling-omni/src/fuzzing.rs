//! What fuzzing reaches that nobody else may. None of it is a promise.

use crate::redact;
use crate::video::boxes::Boxes;

/// A text of the service as it is shown in errors.
pub fn quote(text: &str, key: &str) -> String {
    redact::quote(text, key)
}

/// A URL as it is shown.
pub fn bare_url(url: &str) -> String {
    redact::BareUrl(url).to_string()
}

/// Whether a file that comes in these pieces is a whole MP4, and what is wrong with it if not.
pub fn whole_mp4(pieces: &[&[u8]], framed: bool) -> Result<(), String> {
    let mut boxes = Boxes::default();
    pieces
        .iter()
        .try_for_each(|piece| boxes.take(piece))
        .and_then(|()| boxes.end(framed))
        .map_err(|defect| defect.to_string())
}
