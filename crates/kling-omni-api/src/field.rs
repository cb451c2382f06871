//! The limits of the document for one field.

use std::fmt;

/// All limits of the document for one field of a request, one query parameter, or the items of a list.
///
/// The constants in [`crate::limits`] are generated from the document. A limit that the document does not have is
/// `None` or empty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Field {
    /// The name in the JSON body or the query.
    pub name: &'static str,
    /// Whether the field is required.
    pub required: bool,
    /// The `format` of the document, such as `uri`.
    pub format: Option<&'static str>,
    /// The minimum length of a string, in Unicode code points.
    pub min_length: Option<usize>,
    /// The maximum length of a string, in Unicode code points.
    pub max_length: Option<usize>,
    /// The inclusive minimum of a number.
    pub minimum: Option<f64>,
    /// The inclusive maximum of a number.
    pub maximum: Option<f64>,
    /// The allowed values, in the order of the document; empty if any value is allowed.
    pub values: &'static [&'static str],
    /// The default of the service.
    pub default: Option<Scalar>,
    /// The rules for the file at a URL.
    pub media: Option<Media>,
    /// The limits on the length of the video in seconds, for some of the values; from `x-output-seconds` of the
    /// document.
    pub output_seconds: &'static [(&'static str, Span)],
    /// The minimum number of items of a list.
    pub min_items: Option<usize>,
    /// The maximum number of items of a list.
    pub max_items: Option<usize>,
    /// The limits of each item of a list, with the name of the list.
    pub items: Option<&'static Field>,
    /// The fields of an object; empty for other values.
    pub fields: &'static [Field],
}

impl Field {
    /// A field without limits.
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

/// A default value of the document.
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

/// The rules for a media file, from `x-media` of the document.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Media {
    /// The kind: video or image.
    pub kind: MediaKind,
    /// The allowed formats, as lower-case file extensions.
    pub formats: &'static [&'static str],
    /// The duration in seconds.
    pub seconds: Span,
    /// The side length in pixels. The vendor does not say to which side a limit applies.
    pub pixels: Span,
    /// The frame rate in frames per second.
    pub frames_per_second: Span,
    /// The size in megabytes. The vendor does not say whether a megabyte is 10⁶ or 2²⁰ bytes.
    pub megabytes: Span,
}

impl Media {
    /// A media file of a kind, without other rules.
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
    /// A video.
    Video,
    /// An image.
    Image,
}

/// An inclusive range whose ends may be missing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// The inclusive minimum.
    pub minimum: Option<f64>,
    /// The inclusive maximum.
    pub maximum: Option<f64>,
}

impl Span {
    /// A range without ends.
    pub const ANY: Self = Self {
        minimum: None,
        maximum: None,
    };
}
