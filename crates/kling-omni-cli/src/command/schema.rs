//! `schema`: prints the JSON Schema of request files.

use clap::Args;
use kling_omni::Mode;
use kling_omni::request::{Request, RequestType};
use schemars::schema_for;

use crate::choice::one_of;
use crate::failure::Failure;
use crate::report;

#[derive(Args, Debug)]
pub(crate) struct SchemaArgs {
    /// Print the schema of requests of this mode only [default: all]
    #[arg(long, value_name = "MODE", value_parser = one_of(Mode::ALL, Mode::as_str))]
    mode: Option<Mode>,
}

/// Prints the schema, for editors and other programs.
pub(super) fn run(args: &SchemaArgs) -> Result<(), Failure> {
    report::pretty_json(&match args.mode {
        Some(mode) => (RequestType::for_mode(mode).schema)(),
        None => schema_for!(Request),
    })
}
