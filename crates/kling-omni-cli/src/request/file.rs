//! Reads a request file: strict JSON if it begins like JSON, else YAML.

use std::path::Path;

use kling_omni::request::parse_json_as;
use serde::de::DeserializeSeed;
use serde_saphyr::{Error, SnippetMode, UserMessageFormatter, render_options};

use crate::failure::Failure;
use crate::input::{self, MAX_TEXT_SIZE};
use crate::next::{ConnectionOptions, NextCommand};

/// The text of a request file, and its name in messages.
pub(super) struct RequestFile {
    name: String,
    text: String,
}

impl RequestFile {
    /// Parses the text. JSON is not parsed as YAML, which would accept invalid JSON and change strings.
    pub(super) fn parse<'a, S: DeserializeSeed<'a>>(
        &'a self,
        seed: S,
    ) -> Result<S::Value, Failure> {
        if self.text.trim_start().starts_with(['{', '[']) {
            return parse_json_as(&self.text, seed).map_err(|error| {
                self.parse_failure(error.to_string()).with_help(format!(
                    "{} (a file that begins with {{ or [ must be strict JSON)",
                    schema_help()
                ))
            });
        }
        let read =
            serde_saphyr::with_deserializer_from_str(&self.text, |yaml| seed.deserialize(yaml));
        read.map_err(|error| {
            self.parse_failure(error_message(&error)).with_help(format!(
                "{} (in YAML, quote a text that begins with @ or contains a colon and a space)",
                schema_help()
            ))
        })
    }

    fn parse_failure(&self, problem: String) -> Failure {
        Failure::usage(format!("cannot parse {} as a request", self.name)).with_cause(problem)
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

fn error_message(error: &Error) -> String {
    // A snippet would quote the file, whose URLs may contain tokens.
    let reason = error.render_with_options(render_options! {
        formatter: &UserMessageFormatter,
        snippets: SnippetMode::Off,
    });
    reason.lines().next().unwrap_or_default().to_owned()
}
