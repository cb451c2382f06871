//! The images and videos of a request: the fields that have them, and where they come from.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use kling_omni_api::Field;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use url::Url;

use crate::redact::{BareUrl, file_name};

/// Where an image or a video of a request comes from.
///
/// A text is a URL, never a file: so a text from a stranger makes the client read nothing on this machine, and JSON
/// cannot name a file either. A path is a file. Both a file and bytes are inspected and uploaded before the task is created,
/// and the request that is sent has the URL of the upload in their place.
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
/// # Ok::<(), kling_omni::ValidationError>(())
/// ```
///
/// A URL can be serialised and read back. Serialising a file or bytes fails, and so does serialising a request that has one.
///
/// `Display` and `Debug` show a URL without user info, query and fragment, and of bytes how many there are.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MediaSource {
    /// A public http(s) URL, which the service fetches itself.
    Url(String),
    /// A file on this machine.
    File(PathBuf),
    /// A file in memory.
    Bytes(Bytes),
}

impl MediaSource {
    /// The URL, if it is one.
    pub fn as_url(&self) -> Option<&str> {
        match self {
            Self::Url(url) => Some(url),
            Self::File(_) | Self::Bytes(_) => None,
        }
    }

    /// Whether it is on this machine, so that it has to be uploaded.
    pub fn is_local(&self) -> bool {
        self.as_url().is_none()
    }

    /// Takes the text that stands for what is local, so that it can be serialised to be shown.
    pub(crate) fn show(&mut self) {
        if self.is_local() {
            *self = Self::Url(self.text().into_owned());
        }
    }

    /// As it stands in the body of a request. What is local has no URL yet, and shows what it is.
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
            Self::Url(url) => BareUrl(url).fmt(f),
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
            // JSON cannot name a file, so it could not be read back.
            Self::File(_) | Self::Bytes(_) => Err(S::Error::custom(
                "a file on this machine cannot be serialised: upload it, and use its URL",
            )),
        }
    }
}

impl<'de> Deserialize<'de> for MediaSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::Url)
    }
}

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

/// One conversion for each type that says which of the three it is.
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

/// A field of a request that has an image or a video.
///
/// `Display` gives its path in the JSON body, as in [`Finding::field`](crate::Finding::field).
///
/// ```
/// use kling_omni::MediaField;
///
/// assert_eq!(MediaField::ReferenceVideo.to_string(), "video_url");
/// assert_eq!(MediaField::ElementFrontal(0).to_string(), "elements[0].frontal_image_url");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MediaField {
    /// The reference video.
    ReferenceVideo,
    /// The image that the video starts with.
    StartFrame,
    /// The same, under the name that goes with an end frame.
    FirstFrame,
    /// The image that the video ends with.
    EndFrame,
    /// A reference image, by its index.
    ReferenceImage(usize),
    /// The main image of an element, by the index of the element.
    ElementFrontal(usize),
    /// Another image of an element.
    ElementReference {
        /// Index of the element.
        element: usize,
        /// Index of the image in the element.
        image: usize,
    },
}

impl MediaField {
    /// The fields whose image starts the video, in order of precedence.
    pub(crate) const START_FRAMES: [Self; 2] = [Self::StartFrame, Self::FirstFrame];

    /// The names that lead to it, outermost first; an index selects an item of the list of that name.
    fn path(self) -> impl Iterator<Item = (&'static str, Option<usize>)> {
        let (outer, inner) = match self {
            Self::ReferenceVideo => (("video_url", None), None),
            Self::StartFrame => (("image_url", None), None),
            Self::FirstFrame => (("start_image_url", None), None),
            Self::EndFrame => (("end_image_url", None), None),
            Self::ReferenceImage(image) => (("image_urls", Some(image)), None),
            Self::ElementFrontal(element) => (
                ("elements", Some(element)),
                Some(("frontal_image_url", None)),
            ),
            Self::ElementReference { element, image } => (
                ("elements", Some(element)),
                Some(("reference_image_urls", Some(image))),
            ),
        };
        std::iter::once(outer).chain(inner)
    }

    /// The rule for it among those of a body.
    pub(crate) fn rule(self, mut rules: &[Field]) -> Option<&Field> {
        let mut rule = None;
        for (name, _) in self.path() {
            let named = rules.iter().find(|rule| rule.name == name)?;
            let one = named.items.unwrap_or(named);
            rules = one.fields;
            rule = Some(one);
        }
        rule
    }

    fn pointer(self) -> String {
        let mut pointer = String::new();
        for (name, index) in self.path() {
            pointer = format!("{pointer}/{name}");
            if let Some(index) = index {
                pointer = format!("{pointer}/{index}");
            }
        }
        pointer
    }

    /// Its value in a body.
    pub(crate) fn value(self, body: &Value) -> Option<&Value> {
        body.pointer(&self.pointer())
    }

    /// Its value in a body, to be replaced.
    pub(crate) fn value_mut(self, body: &mut Value) -> Option<&mut Value> {
        body.pointer_mut(&self.pointer())
    }
}

impl fmt::Display for MediaField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, (name, index)) in self.path().enumerate() {
            if depth > 0 {
                f.write_str(".")?;
            }
            f.write_str(name)?;
            if let Some(index) = index {
                write!(f, "[{index}]")?;
            }
        }
        Ok(())
    }
}

impl From<MediaField> for String {
    fn from(field: MediaField) -> Self {
        field.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_never_a_file() {
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
    fn what_is_serialised_can_be_read_back() {
        let url = MediaSource::from("https://h.example/a.mp4?token=1");
        let text = serde_json::to_string(&url).unwrap();
        assert_eq!(serde_json::from_str::<MediaSource>(&text).unwrap(), url);
        for local in [MediaSource::from(Path::new("a.mp4")), vec![0].into()] {
            let error = serde_json::to_string(&local).unwrap_err();
            assert!(error.to_string().contains("upload it"), "{error}");
        }
    }

    #[test]
    fn what_is_shown_opens_no_door() {
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
