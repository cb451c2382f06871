//! The file that a request comes from: strict JSON if it begins like JSON, else YAML.

use std::path::Path;

use serde::de::DeserializeSeed;
use serde_saphyr::{Error, SnippetMode, UserMessageFormatter, render_options};

use super::json;
use crate::failure::Failure;
use crate::input::{self, LARGEST_TEXT};
use crate::next::{Next, Options};

/// The text of a request, and where it is from.
pub(super) struct RequestFile {
    name: String,
    text: String,
}

impl RequestFile {
    /// Reads the text. A YAML reader takes what only looks like JSON, and changes texts in it.
    pub(super) fn parse<'a, S: DeserializeSeed<'a>>(
        &'a self,
        seed: S,
    ) -> Result<S::Value, Failure> {
        if self.text.trim_start().starts_with(['{', '[']) {
            return json::parse(&self.text, seed).map_err(|problem| {
                self.broken(problem).with_help(format!(
                    "{}; a file that begins with {{ or [ is strict JSON",
                    fields()
                ))
            });
        }
        let read =
            serde_saphyr::with_deserializer_from_str(&self.text, |yaml| seed.deserialize(yaml));
        read.map_err(|error| {
            self.broken(told(&error)).with_help(format!(
                "{}; in YAML, a text that begins with @ or holds a colon and a blank needs quotes",
                fields()
            ))
        })
    }

    fn broken(&self, problem: String) -> Failure {
        Failure::usage(format!("{} cannot be understood as a request", self.name))
            .with_cause(problem)
    }
}

/// Reads a file, or standard input for `-`.
pub(super) fn read(path: &Path) -> Result<RequestFile, Failure> {
    let input = input::read(path, LARGEST_TEXT)?;
    Ok(RequestFile {
        name: input.name.clone(),
        text: input.text()?,
    })
}

fn fields() -> String {
    let schema = Next::Schema.command(&Options::new());
    format!("`{schema}` describes the fields")
}

fn told(error: &Error) -> String {
    // A snippet would repeat lines of the file, and URLs in it may hold tokens.
    let reason = error.render_with_options(render_options! {
        formatter: &UserMessageFormatter,
        snippets: SnippetMode::Off,
    });
    reason.lines().next().unwrap_or_default().to_owned()
}
