//! Images and videos on the command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use kling_omni::MediaSource;

/// How help names a value that is one.
pub(crate) const FILE_OR_URL: &str = "FILE|URL";

/// Reads what begins as a URL does as one, and anything else as a path.
pub(crate) fn source(text: OsString) -> MediaSource {
    match text.into_string() {
        Ok(text) if is_url(&text) => text.into(),
        Ok(text) => PathBuf::from(text).into(),
        Err(path) => PathBuf::from(path).into(),
    }
}

/// The same, for an option.
pub(crate) fn parser() -> impl TypedValueParser<Value = MediaSource> {
    OsStringValueParser::new().map(source)
}

/// What a URL is here, for whoever gave one that is none.
pub(crate) const URLS: &str = "a URL begins with http:// or https://, anything else is a file";

/// Whether a file that is not there may have been meant as a URL.
pub(crate) fn is_mistaken_url(source: &MediaSource) -> bool {
    match source {
        MediaSource::File(path) => !path.exists() && path.to_string_lossy().contains("://"),
        _ => false,
    }
}

fn is_url(text: &str) -> bool {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| {
        let mut known = ["http", "https"].into_iter();
        known.any(|known| known.eq_ignore_ascii_case(scheme))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_scheme_of_the_web_is_a_url() {
        for (text, is_local) in [
            ("https://example.com/dance.mp4", false),
            ("HTTP://example.com", false),
            ("http://", false),
            ("dance.mp4", true),
            ("./https://example.com", true),
            ("http:/example.com", true),
            ("httpx://example.com", true),
            ("ftp://example.com/dance.mp4", true),
            ("file:///dance.mp4", true),
            ("C:\\clips\\dance.mp4", true),
            ("", true),
        ] {
            assert_eq!(source(text.into()).is_local(), is_local, "{text}");
        }
    }
}
