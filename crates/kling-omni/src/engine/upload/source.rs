//! The source of an upload: a path or bytes, and the content type.

use std::fmt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use media_probe::Format;

use crate::media::MediaSource;

/// A local file: one on disk by its path, or bytes in memory. It is read only when needed.
///
/// ```
/// use kling_omni::upload::FileSource;
///
/// let clip = FileSource::path("dance.mp4");
/// let unnamed = FileSource::path("download").content_type("video/mp4");
/// let picture = FileSource::bytes(vec![0x89, b'P', b'N', b'G'], "image/png");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct FileSource {
    pub(crate) content: SourceContent,
    pub(crate) content_type: Option<String>,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum SourceContent {
    Path(PathBuf),
    Bytes(Bytes),
}

impl FileSource {
    /// Creates a source from a file on disk. The content type follows from the extension, unless
    /// [`content_type`](Self::content_type) sets it.
    pub fn path(path: impl Into<PathBuf>) -> Self {
        Self {
            content: SourceContent::Path(path.into()),
            content_type: None,
        }
    }

    /// Creates a source from bytes in memory and their content type, such as `video/mp4`.
    pub fn bytes(bytes: impl Into<Bytes>, content_type: impl Into<String>) -> Self {
        Self {
            content: SourceContent::Bytes(bytes.into()),
            content_type: Some(content_type.into()),
        }
    }

    /// Sets the content type, such as `video/quicktime`.
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// Creates the source of an image or a video whose format was detected; `None` for a URL.
    pub(crate) fn from_media(source: &MediaSource, format: Option<Format>) -> Option<Self> {
        let (content, format) = match source {
            MediaSource::Url(_) => return None,
            MediaSource::File(path) => (SourceContent::Path(path.clone()), format),
            MediaSource::Bytes(bytes) => (
                SourceContent::Bytes(bytes.clone()),
                format.or_else(|| media_probe::probe_bytes(bytes).format),
            ),
        };
        Some(Self {
            content,
            content_type: format.map(|format| format.content_type().to_owned()),
        })
    }

    /// The name in messages: the path as given by the caller.
    pub(crate) fn name(&self) -> String {
        match &self.content {
            SourceContent::Path(path) => path.display().to_string(),
            SourceContent::Bytes(_) => "a file in memory".to_owned(),
        }
    }

    /// The content type that was set, or that follows from the extension.
    pub(crate) fn resolve_content_type(&self) -> Option<String> {
        if let Some(kind) = &self.content_type {
            return Some(kind.clone());
        }
        let SourceContent::Path(path) = &self.content else {
            return None;
        };
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        let (_, content_type) = CONTENT_TYPES
            .iter()
            .find(|(known, _)| *known == extension)?;
        Some((*content_type).to_owned())
    }
}

/// SourceContent types by file extension.
const CONTENT_TYPES: [(&str, &str); 13] = [
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("webp", "image/webp"),
    ("mp4", "video/mp4"),
    ("m4v", "video/mp4"),
    ("mov", "video/quicktime"),
    ("webm", "video/webm"),
    ("mp3", "audio/mpeg"),
    ("wav", "audio/wav"),
    ("m4a", "audio/mp4"),
    ("weba", "audio/webm"),
    ("ogg", "audio/ogg"),
];

/// The usual extension of a content type.
#[cfg(feature = "object-store")]
pub(crate) fn extension(content_type: &str) -> Option<&'static str> {
    let (extension, _) = CONTENT_TYPES
        .iter()
        .find(|(_, known)| *known == content_type)?;
    Some(extension)
}

impl From<PathBuf> for FileSource {
    fn from(path: PathBuf) -> Self {
        Self::path(path)
    }
}

impl From<&Path> for FileSource {
    fn from(path: &Path) -> Self {
        Self::path(path)
    }
}

impl From<&str> for FileSource {
    fn from(path: &str) -> Self {
        Self::path(path)
    }
}

impl From<String> for FileSource {
    fn from(path: String) -> Self {
        Self::path(path)
    }
}

impl fmt::Debug for FileSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSource")
            .field("name", &self.name())
            .field("content_type", &self.content_type)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use kling_omni_api::enums::UploadContentType;

    use super::*;

    #[test]
    fn content_type_follows_from_the_extension() {
        for (name, kind) in [
            ("a.mp4", Some("video/mp4")),
            ("a/b.MOV", Some("video/quicktime")),
            ("a.tar.jpeg", Some("image/jpeg")),
            ("a.avi", None),
            ("mp4", None),
            ("", None),
        ] {
            assert_eq!(
                FileSource::path(name).resolve_content_type().as_deref(),
                kind,
                "{name}"
            );
        }
        for (_, kind) in CONTENT_TYPES {
            assert!(UploadContentType::VALUES.contains(&kind), "{kind}");
        }
    }
}
