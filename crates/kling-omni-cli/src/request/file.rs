use std::fs;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_saphyr::{Error, SnippetMode, UserMessageFormatter, render_options};

use crate::failure::Failure;
use crate::report;

/// The text of a request, and where it is from.
pub(super) struct RequestFile {
    name: String,
    text: String,
}

impl RequestFile {
    /// Reads the text as a request. JSON is YAML, so that one parser reads both.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_saphyr::from_str(&self.text).map_err(|error| broken(&self.name, &error))
    }
}

/// Reads a file, or standard input for `-`.
pub(super) fn read(path: &Path) -> Result<RequestFile, Failure> {
    let (name, bytes) = if path == Path::new("-") {
        ("standard input".to_owned(), from_stdin())
    } else {
        (path.display().to_string(), fs::read(path))
    };
    let bytes = bytes
        .map_err(|error| Failure::file(format!("{name} could not be read")).with_cause(error))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::usage(format!("{name} is not UTF-8 text")))?;
    Ok(RequestFile { name, text })
}

fn from_stdin() -> io::Result<Vec<u8>> {
    if io::stdin().is_terminal() {
        report::say("reading the request from standard input, up to Ctrl-D");
    }
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn broken(name: &str, error: &Error) -> Failure {
    // A snippet would repeat lines of the file, and URLs in it may hold tokens.
    let why = error.render_with_options(render_options! {
        formatter: &UserMessageFormatter,
        snippets: SnippetMode::Off,
    });
    Failure::usage(format!("{name} cannot be understood as a request"))
        .with_cause(why.lines().next().unwrap_or_default())
        .with_advice(
            "`kling-omni schema` describes the fields; in YAML, a text that begins with @ or holds a colon and a blank \
             needs quotes",
        )
}
