//! The fields of a request that hold an image or a video.

use std::fmt;

use kling_omni_api::Field;
use serde_json::Value;

/// A field of a request that holds an image or a video.
///
/// `Display` writes its path in the JSON body, as in [`Finding::field`](crate::validation::Finding::field).
///
/// ```
/// use kling_omni::request::MediaField;
///
/// assert_eq!(MediaField::ReferenceVideo.to_string(), "video_url");
/// assert_eq!(MediaField::ElementFrontal(0).to_string(), "elements[0].frontal_image_url");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MediaField {
    /// The reference video.
    ReferenceVideo,
    /// The first frame of the video.
    StartFrame,
    /// The first frame of the video, under the name that is combined with an end frame.
    FirstFrame,
    /// The last frame of the video.
    EndFrame,
    /// The image of the character in a motion control request.
    Character,
    /// A reference image, by its index.
    ReferenceImage(usize),
    /// The main image of an element, by the index of the element.
    ElementFrontal(usize),
    /// A further image of an element.
    ElementReference {
        /// Index of the element.
        element: usize,
        /// Index of the image in the element.
        image: usize,
    },
}

impl MediaField {
    /// The fields that set the first frame, in order of precedence.
    pub(crate) const START_FRAMES: [Self; 2] = [Self::StartFrame, Self::FirstFrame];

    /// The name of the field in the body, or of the list that contains it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::ReferenceVideo => "video_url",
            Self::StartFrame | Self::Character => "image_url",
            Self::FirstFrame => "start_image_url",
            Self::EndFrame => "end_image_url",
            Self::ReferenceImage(_) => "image_urls",
            Self::ElementFrontal(_) | Self::ElementReference { .. } => "elements",
        }
    }

    /// The names on the path to the field, outermost first, each with an index if it is a list.
    fn path(self) -> impl Iterator<Item = (&'static str, Option<usize>)> {
        let (index, inner) = match self {
            Self::ReferenceVideo
            | Self::StartFrame
            | Self::FirstFrame
            | Self::EndFrame
            | Self::Character => (None, None),
            Self::ReferenceImage(image) => (Some(image), None),
            Self::ElementFrontal(element) => (Some(element), Some(("frontal_image_url", None))),
            Self::ElementReference { element, image } => {
                (Some(element), Some(("reference_image_urls", Some(image))))
            }
        };
        std::iter::once((self.name(), index)).chain(inner)
    }

    /// Finds the rule for this field in the rules of a body.
    pub(crate) fn rule(self, mut rules: &[Field]) -> Option<&Field> {
        let mut rule = None;
        for (name, _) in self.path() {
            let named = rules.iter().find(|rule| rule.name == name)?;
            let item = named.items.unwrap_or(named);
            rules = item.fields;
            rule = Some(item);
        }
        rule
    }

    /// The value of this field in a body.
    pub(crate) fn value(self, body: &Value) -> Option<&Value> {
        self.path().try_fold(body, |value, (name, index)| {
            let value = value.get(name)?;
            index.map_or(Some(value), |index| value.get(index))
        })
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
