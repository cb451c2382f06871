//! What a person asks for, and what is wrong with it.

mod video_reference;

mod aspect_ratio;
mod finding;

mod checked;
mod validate;

mod mentions;
mod object;
mod schema;

pub use aspect_ratio::AspectRatio;
pub use finding::{Finding, FindingCode, Given, Limit, Severity, ValidationError};
pub use video_reference::{VideoReference, VideoReferenceBuilder};
