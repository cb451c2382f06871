//! Reads a request file.

use std::path::Path;

use kling_omni_batch::manifest::{RequestTextError, parse_request_text};
use serde::de::DeserializeSeed;

use crate::failure::Failure;
use crate::input::{self, MAX_TEXT_SIZE};
use crate::next::{ConnectionOptions, NextCommand};

/// The text of a request file, and its name in messages.
pub(super) struct RequestFile {
    name: String,
    text: String,
}

impl RequestFile {
    /// Parses the text.
    pub(super) fn parse<'a, S: DeserializeSeed<'a>>(
        &'a self,
        seed: S,
    ) -> Result<S::Value, Failure> {
        parse_request_text(&self.text, seed).map_err(|error| {
            let hint = match error {
                RequestTextError::Json(_) => "a file that begins with { or [ must be strict JSON",
                RequestTextError::Yaml(_) => {
                    "in YAML, quote a text that begins with @ or contains a colon and a space"
                }
            };
            Failure::usage(format!("cannot parse {} as a request", self.name))
                .with_cause(error)
                .with_help(format!("{} ({hint})", schema_help()))
        })
    }
}

/// Reads a file, or standard input for `-`.
pub(super) fn read(path: &Path) -> Result<RequestFile, Failure> {
    let input = input::read(path, MAX_TEXT_SIZE)?;
    Ok(RequestFile {
        name: input.name.clone(),
        text: input.text()?,
    })
}

fn schema_help() -> String {
    let schema = NextCommand::Schema.to_shell(&ConnectionOptions::new());
    format!("run `{schema}` for the fields")
}
