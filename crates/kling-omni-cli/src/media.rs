//! Images and videos on the command line.

use std::ffi::OsString;

use clap::builder::{OsStringValueParser, TypedValueParser};
use kling_omni::request::MediaSource;

/// The value name of an image or a video in the help.
pub(crate) const FILE_OR_URL: &str = "FILE|URL";

/// The help for a missing file, which may be meant as a URL.
pub(crate) const URL_HELP: &str = "check the path, or begin a URL with http:// or https://";

/// Parses a URL or a path. Rejects `-`, because media cannot be read from standard input.
pub(crate) fn parse(text: OsString) -> Result<MediaSource, &'static str> {
    match text == "-" {
        true => Err(
            "an image or a video cannot be read from standard input (use ./- for a file of that name)",
        ),
        false => Ok(MediaSource::url_or_path(text)),
    }
}

/// Returns the parser for an option.
pub(crate) fn parser() -> impl TypedValueParser<Value = MediaSource> {
    OsStringValueParser::new().try_map(parse)
}
