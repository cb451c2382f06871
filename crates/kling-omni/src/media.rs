//! The sources of the images and videos of a request.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
#[cfg(feature = "schemars")]
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::Url;

use crate::redact::{RedactedUrl, file_name};

/// The source of an image or a video of a request.
///
/// A string is always a URL, never a file: an untrusted string cannot make the client read a local file, and JSON
/// cannot name one. A path is a file. Files and bytes are inspected and uploaded before the task is created; the
/// request that is sent has the URL of the upload instead.
///
/// ```
/// use std::path::Path;
/// use kling_omni::VideoReference;
///
/// let request = VideoReference::builder()
///     .prompt("The dancer of @Video1 as a paper puppet")
///     .reference_video(Path::new("dance.mov"))
///     .start_frame("https://example.com/stage.png")
///     .build()?;
/// assert!(request.reference_video().is_some_and(|video| video.is_local()));
/// # Ok::<(), kling_omni::validation::ValidationError>(())
/// ```
///
/// A URL can be serialised and deserialised. Serialising a file or bytes fails, and so does serialising a request that
/// has one.
///
/// `Display` and `Debug` show a URL without user info, query and fragment, and bytes as their number.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MediaSource {
    /// A public http(s) URL, which the service fetches.
    Url(String),
    /// A file on this machine.
    File(PathBuf),
    /// A file in memory.
    Bytes(Bytes),
}

impl MediaSource {
    /// Parses a URL if the text begins with a scheme, of any kind, and a path otherwise.
    ///
    /// The text must be trusted, such as an argument of a command line: it can name any local file.
    ///
    /// ```
    /// use kling_omni::request::MediaSource;
    ///
    /// assert!(MediaSource::url_or_path("dance.mp4").is_local());
    /// assert!(!MediaSource::url_or_path("https://example.com/dance.mp4").is_local());
    /// ```
    pub fn url_or_path(text: impl Into<OsString>) -> Self {
        match text.into().into_string() {
            Ok(text) if is_url(&text) => Self::Url(text),
            Ok(text) => Self::File(text.into()),
            Err(path) => Self::File(path.into()),
        }
    }

    /// The URL, if the source is one.
    pub fn as_url(&self) -> Option<&str> {
        match self {
            Self::Url(url) => Some(url),
            Self::File(_) | Self::Bytes(_) => None,
        }
    }

    /// Whether the source is a local file or bytes, which must be uploaded.
    pub fn is_local(&self) -> bool {
        self.as_url().is_none()
    }

    /// Replaces a local source by a text, to serialise it for display.
    pub(crate) fn replace_by_text(&mut self) {
        if self.is_local() {
            *self = Self::Url(self.text().into_owned());
        }
    }

    /// The text form in the body of a request. A local source has no URL yet and is described instead.
    fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Url(url) => url.into(),
            Self::File(path) => path.to_string_lossy(),
            Self::Bytes(bytes) => format!("{} bytes", bytes.len()).into(),
        }
    }
}

impl fmt::Display for MediaSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => RedactedUrl(url).fmt(f),
            Self::File(path) => f.write_str(&file_name(path)),
            local => f.write_str(&local.text()),
        }
    }
}

impl fmt::Debug for MediaSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for MediaSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Url(url) => serializer.serialize_str(url),
            // JSON cannot name a file, so it could not be deserialised.
            Self::File(_) | Self::Bytes(_) => Err(S::Error::custom(
                "cannot serialise a local file: upload it, and use its URL",
            )),
        }
    }
}

impl<'de> Deserialize<'de> for MediaSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::Url)
    }
}

#[cfg(feature = "schemars")]
impl JsonSchema for MediaSource {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "MediaSource".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

/// Whether a text begins with a scheme.
fn is_url(text: &str) -> bool {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(is_part)
    })
}

/// Implements a conversion for each type that identifies the kind of source.
macro_rules! from {
    ($($given:ty => $variant:ident($convert:expr);)*) => {
        $(impl From<$given> for MediaSource {
            fn from(given: $given) -> Self {
                Self::$variant($convert(given))
            }
        })*
    };
}

from! {
    &str => Url(str::to_owned);
    String => Url(String::from);
    &String => Url(String::clone);
    Url => Url(String::from);
    &Path => File(Path::to_path_buf);
    PathBuf => File(PathBuf::from);
    &PathBuf => File(PathBuf::clone);
    Bytes => Bytes(Bytes::from);
    Vec<u8> => Bytes(Bytes::from);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_never_a_file() {
        for text in ["/etc/passwd", "file:///etc/passwd", "dance.mp4", ""] {
            assert!(!MediaSource::from(text).is_local(), "{text}");
            assert!(!MediaSource::from(text.to_owned()).is_local(), "{text}");
            let read: MediaSource = serde_json::from_value(text.into()).unwrap();
            assert!(!read.is_local(), "{text}");
        }
        assert!(MediaSource::from(Path::new("dance.mp4")).is_local());
        assert!(MediaSource::from(vec![0]).is_local());
    }

    #[test]
    fn url_or_path_is_a_url_if_it_begins_with_a_scheme() {
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
            assert_eq!(
                MediaSource::url_or_path(text).is_local(),
                is_local,
                "{text}"
            );
        }
    }

    #[test]
    fn serialisation_round_trips() {
        let url = MediaSource::from("https://h.example/a.mp4?token=1");
        let text = serde_json::to_string(&url).unwrap();
        assert_eq!(serde_json::from_str::<MediaSource>(&text).unwrap(), url);
        for local in [MediaSource::from(Path::new("a.mp4")), vec![0].into()] {
            let error = serde_json::to_string(&local).unwrap_err();
            assert!(error.to_string().contains("upload it"), "{error}");
        }
    }

    #[test]
    fn display_and_debug_are_redacted() {
        for (source, shown) in [
            (
                MediaSource::from("https://h.example/a.mp4?token=needle"),
                "https://h.example/a.mp4?…",
            ),
            (MediaSource::from(Path::new("b/a.mp4")), "b/a.mp4"),
            (MediaSource::from(vec![0; 7]), "7 bytes"),
        ] {
            assert_eq!(format!("{source} {source:?}"), format!("{shown} {shown}"));
        }
    }
}
