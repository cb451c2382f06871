//! `schema`: the JSON Schema of request files.

use clap::Args;
use kling_omni::{Mode, TextToVideo, VideoReference};
use schemars::{JsonSchema, schema_for};
use serde::Serialize;

use crate::choice::one_of;
use crate::failure::Failure;
use crate::report;

#[derive(Args, Debug)]
pub(crate) struct SchemaArgs {
    /// Only for requests that are made from this [default: either]
    #[arg(long, value_name = "MODE", value_parser = one_of(Mode::ALL, Mode::as_str))]
    mode: Option<Mode>,
}

/// What a request file may hold.
#[derive(JsonSchema, Serialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is of use")]
enum RequestFile {
    VideoReference(VideoReference),
    TextToVideo(TextToVideo),
}

/// Prints what a request file may hold, for editors and other programs.
pub(super) fn run(args: &SchemaArgs) -> Result<(), Failure> {
    report::pretty_json(&match args.mode {
        Some(Mode::Reference) => schema_for!(VideoReference),
        Some(Mode::Text) => schema_for!(TextToVideo),
        _ => schema_for!(RequestFile),
    })
}
