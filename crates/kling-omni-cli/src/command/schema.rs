use kling_omni::VideoReference;

use crate::failure::Failure;
use crate::report;

/// Prints what a request file may hold, for editors and other programs.
pub(super) fn run() -> Result<(), Failure> {
    report::pretty_json(&schemars::schema_for!(VideoReference))
}
