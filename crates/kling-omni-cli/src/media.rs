//! Images and videos on the command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use kling_omni::request::MediaSource;

/// The value name of an image or a video in the help.
pub(crate) const FILE_OR_URL: &str = "FILE|URL";

/// The help for a missing file, which may be meant as a URL.
pub(crate) const URL_HELP: &str = "check the path, or begin a URL with http:// or https://";

/// Parses a URL if the text begins with a scheme, of any kind, and a path otherwise.
pub(crate) fn source(text: OsString) -> MediaSource {
    match text.into_string() {
        Ok(text) if is_url(&text) => text.into(),
        Ok(text) => PathBuf::from(text).into(),
        Err(path) => PathBuf::from(path).into(),
    }
}

/// Parses a URL or a path. Rejects `-`, because media cannot be read from standard input.
pub(crate) fn parse(text: OsString) -> Result<MediaSource, &'static str> {
    match text == "-" {
        true => Err(
            "an image or a video cannot be read from standard input (use ./- for a file of that name)",
        ),
        false => Ok(source(text)),
    }
}

/// Returns the parser for an option.
pub(crate) fn parser() -> impl TypedValueParser<Value = MediaSource> {
    OsStringValueParser::new().try_map(parse)
}

fn is_url(text: &str) -> bool {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_is_a_url_if_it_begins_with_a_scheme() {
        for (text, is_local) in [
            ("https://example.com/dance.mp4", false),
            ("HTTP://example.com", false),
            ("ftp://example.com/dance.mp4", false),
            ("file:///dance.mp4", false),
            ("s3+x.y-1://bucket", false),
            ("dance.mp4", true),
            ("example.com/dance.mp4", true),
            ("./https://example.com", true),
            ("https:/example.com", true),
            ("1ttp://example.com", true),
            ("://example.com", true),
            ("C:\\clips\\dance.mp4", true),
            ("", true),
        ] {
            assert_eq!(source(text.into()).is_local(), is_local, "{text}");
        }
    }
}
