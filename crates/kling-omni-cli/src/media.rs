//! Images and videos on the command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use kling_omni::request::MediaSource;

/// How help names a value that is one.
pub(crate) const FILE_OR_URL: &str = "FILE|URL";

/// What a URL is here, for whoever gave one that is none.
pub(crate) const URLS: &str = "a URL begins with http:// or https://; anything else is a file";

/// Reads what begins with a scheme as a URL, be it one of the web or not, and anything else as a path.
pub(crate) fn source(text: OsString) -> MediaSource {
    match text.into_string() {
        Ok(text) if is_url(&text) => text.into(),
        Ok(text) => PathBuf::from(text).into(),
        Err(path) => PathBuf::from(path).into(),
    }
}

/// The same, but for standard input, which cannot be read twice.
pub(crate) fn accepted(text: OsString) -> Result<MediaSource, &'static str> {
    match text == "-" {
        true => Err(
            "an image or a video cannot come by standard input: name a file; one of that name is ./-",
        ),
        false => Ok(source(text)),
    }
}

/// The same, for an option.
pub(crate) fn parser() -> impl TypedValueParser<Value = MediaSource> {
    OsStringValueParser::new().try_map(accepted)
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
    fn what_begins_with_a_scheme_is_a_url() {
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
