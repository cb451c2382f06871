//! The rules of the document about one field.

use std::fmt;

/// Every rule that the spec states about one field of a request or one query parameter, or about the items
/// of a list.
///
/// The constants in [`crate::limits`] are generated from the spec. What the spec does not say is `None` or empty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Field {
    /// Name on the wire.
    pub name: &'static str,
    /// Whether a request without it is refused.
    pub required: bool,
    /// The spec's `format`, such as `uri`.
    pub format: Option<&'static str>,
    /// Least length of a text, in Unicode code points.
    pub min_length: Option<usize>,
    /// Greatest length of a text, in Unicode code points.
    pub max_length: Option<usize>,
    /// Least value of a number, itself allowed.
    pub minimum: Option<f64>,
    /// Greatest value of a number, itself allowed.
    pub maximum: Option<f64>,
    /// The values allowed, in the order of the spec; empty when any value is.
    pub values: &'static [&'static str],
    /// What the service takes when the field is left out.
    pub default: Option<Scalar>,
    /// Rules about the file that a URL points to.
    pub media: Option<Media>,
    /// How long the video to make can be, in seconds, with some of the values; from the spec's `x-output-seconds`.
    pub output_seconds: &'static [(&'static str, Span)],
    /// Least number of items of a list.
    pub min_items: Option<usize>,
    /// Greatest number of items of a list.
    pub max_items: Option<usize>,
    /// The rules of each item of a list, which bear the list's name.
    pub items: Option<&'static Field>,
    /// The fields of an object; empty when the value is none.
    pub fields: &'static [Field],
}

impl Field {
    /// A field without any rule.
    pub const fn named(name: &'static str) -> Self {
        Self {
            name,
            required: false,
            format: None,
            min_length: None,
            max_length: None,
            minimum: None,
            maximum: None,
            values: &[],
            default: None,
            media: None,
            output_seconds: &[],
            min_items: None,
            max_items: None,
            items: None,
            fields: &[],
        }
    }
}

/// A default value from the spec.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// A string.
    Text(&'static str),
    /// A number.
    Number(f64),
    /// A boolean.
    Flag(bool),
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
        }
    }
}

/// What a media file has to be, from the spec's `x-media`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Media {
    /// Video or image.
    pub kind: MediaKind,
    /// File formats, as lower-case file extensions.
    pub formats: &'static [&'static str],
    /// Running time in seconds.
    pub seconds: Span,
    /// Pixels of a side. The vendor does not say which side a bound is about.
    pub pixels: Span,
    /// Frames per second.
    pub frames_per_second: Span,
    /// Megabytes. The vendor does not say whether one is 10⁶ or 2²⁰ bytes.
    pub megabytes: Span,
}

impl Media {
    /// Media of a kind, without any other rule.
    pub const fn of(kind: MediaKind) -> Self {
        Self {
            kind,
            formats: &[],
            seconds: Span::ANY,
            pixels: Span::ANY,
            frames_per_second: Span::ANY,
            megabytes: Span::ANY,
        }
    }
}

/// The kind of a media file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// A moving picture.
    Video,
    /// A still picture.
    Image,
}

/// The least and the greatest value allowed, where the spec gives one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// The least value, itself allowed.
    pub minimum: Option<f64>,
    /// The greatest value, itself allowed.
    pub maximum: Option<f64>,
}

impl Span {
    /// A span without ends.
    pub const ANY: Self = Self {
        minimum: None,
        maximum: None,
    };
}
