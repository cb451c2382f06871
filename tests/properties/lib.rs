//! What must hold whatever comes in from outside. Each property takes bytes, makes of them what it needs, and panics if
//! it does not hold: the fuzz targets feed it with what they find, ordinary tests with the seeds and random bytes.

mod arrived_id;
mod completeness;
mod journal;
mod probe;
mod redaction;
mod response;
mod result_url;
mod webhook;

pub use arrived_id::arrived_id;
pub use completeness::completeness;
pub use journal::journal;
pub use probe::probe;
pub use redaction::redaction;
pub use response::response;
pub use result_url::result_url;
pub use webhook::webhook;

/// Panics if it does not hold.
pub type Property = fn(&[u8]);

/// Every property by the name of its fuzz target and of its folder of seeds.
pub const ALL: [(&str, Property); 8] = [
    ("webhook", webhook),
    ("response", response),
    ("result_url", result_url),
    ("redaction", redaction),
    ("completeness", completeness),
    ("journal", journal),
    ("probe", probe),
    ("arrived_id", arrived_id),
];
