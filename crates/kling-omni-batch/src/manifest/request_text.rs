//! Reads the text of a request file.

use kling_omni::request::parse_json_as;
use serde::de::DeserializeSeed;
use serde_saphyr::{SnippetMode, UserMessageFormatter, render_options};

/// Why the text of a request file cannot be read. The texts do not quote the file, whose URLs may contain tokens.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestTextError {
    /// It begins like JSON, and is not strict JSON of a request.
    #[error("{0}")]
    Json(String),
    /// It is not YAML of a request.
    #[error("{0}")]
    Yaml(String),
}

/// Reads the text of a request file: strict JSON if it begins like JSON, else YAML. JSON is not read as YAML, which would
/// accept invalid JSON and change strings.
///
/// ```
/// use std::marker::PhantomData;
///
/// use kling_omni_batch::manifest::parse_request_text;
/// use serde_json::{Value, json};
///
/// let fields = parse_request_text("prompt: It rains\nduration: 5\n", PhantomData::<Value>)?;
/// assert_eq!(fields, json!({"prompt": "It rains", "duration": 5}));
/// # Ok::<(), kling_omni_batch::manifest::RequestTextError>(())
/// ```
///
/// # Errors
///
/// The problem, with its position.
pub fn parse_request_text<'a, S: DeserializeSeed<'a>>(
    text: &'a str,
    seed: S,
) -> Result<S::Value, RequestTextError> {
    if text.trim_start().starts_with(['{', '[']) {
        let read = parse_json_as(text, seed);
        return read.map_err(|error| RequestTextError::Json(error.to_string()));
    }
    let read = serde_saphyr::with_deserializer_from_str(text, |yaml| seed.deserialize(yaml));
    read.map_err(|error| {
        let problem = error.render_with_options(render_options! {
            formatter: &UserMessageFormatter,
            snippets: SnippetMode::Off,
        });
        RequestTextError::Yaml(problem.lines().next().unwrap_or_default().to_owned())
    })
}
