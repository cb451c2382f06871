//! Characters and objects that a request describes by images.

use kling_omni_api::limits::element::FIELDS;
#[cfg(feature = "schemars")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::media::MediaSource;
use crate::media_field::MediaField;
use crate::request::object::object;
#[cfg(feature = "schemars")]
use crate::request::schema;
use crate::request::table::or_unset;

/// A character or an object that looks the same throughout a video, shown by images of it.
///
/// The prompt calls the elements `@Element1`, `@Element2` and so on. `Debug` leaves the queries out of URLs.
///
/// ```
/// use kling_omni::request::Element;
///
/// let puppet = Element::new()
///     .frontal_image("https://example.com/puppet.png")
///     .reference_image("https://example.com/puppet-left.png")
///     .reference_image("https://example.com/puppet-right.png");
/// ```
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(JsonSchema))]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[cfg_attr(feature = "schemars", schemars(
    description = "A character or an object that looks the same throughout the video.",
    transform = schema::add_element_limits
))]
pub struct Element {
    /// Public http(s) URLs of images of it. Several angles make it more consistent.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_unset")]
    reference_image_urls: Vec<MediaSource>,
    /// Public http(s) URL of the main image of it, best one that shows face or front clearly.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schemars", schemars(with = "String"))]
    frontal_image_url: Option<MediaSource>,
}

impl Element {
    /// An element without images.
    pub fn new() -> Self {
        Self::default()
    }

    /// The main image of it, best one that shows face or front clearly, as a public http(s) URL, a path or bytes.
    ///
    /// Limits: [`FRONTAL_IMAGE_URL`](kling_omni_api::limits::element::FRONTAL_IMAGE_URL).
    #[must_use]
    pub fn frontal_image(mut self, image: impl Into<MediaSource>) -> Self {
        self.frontal_image_url = Some(image.into());
        self
    }

    /// Adds another image of it, as a public http(s) URL, a path or bytes. Several angles make it more consistent.
    ///
    /// Limits: [`REFERENCE_IMAGE_URLS`](kling_omni_api::limits::element::REFERENCE_IMAGE_URLS).
    #[must_use]
    pub fn reference_image(mut self, image: impl Into<MediaSource>) -> Self {
        self.reference_image_urls.push(image.into());
        self
    }

    /// The main image.
    pub fn frontal(&self) -> Option<&MediaSource> {
        self.frontal_image_url.as_ref()
    }

    /// The other images.
    pub fn references(&self) -> &[MediaSource] {
        &self.reference_image_urls
    }

    /// Every image that is set, for the element of this index.
    pub(super) fn media_mut(
        &mut self,
        element: usize,
    ) -> impl Iterator<Item = (MediaField, &mut MediaSource)> {
        let frontal = self.frontal_image_url.iter_mut();
        let frontal = frontal.map(move |source| (MediaField::ElementFrontal(element), source));
        let others = self.reference_image_urls.iter_mut().enumerate();
        frontal.chain(
            others.map(move |(image, source)| {
                (MediaField::ElementReference { element, image }, source)
            }),
        )
    }

    pub(super) fn show_local(&mut self) {
        self.media_mut(0).for_each(|(_, source)| source.show());
    }

    /// Whether there is no image that would show it.
    pub(super) fn is_empty(&self) -> bool {
        self.frontal_image_url.is_none() && self.reference_image_urls.is_empty()
    }
}

object!(Element, "Element", FIELDS);
