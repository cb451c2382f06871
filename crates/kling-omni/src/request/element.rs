//! Elements: characters and objects that a request defines by images.

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

/// A character or an object that stays consistent throughout a video, defined by images.
///
/// Prompts refer to elements as `@Element1`, `@Element2` and so on. `Debug` redacts the queries of URLs.
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
    description = "A character or an object that stays consistent throughout the video.",
    transform = schema::add_element_limits
))]
pub struct Element {
    /// Public http(s) URLs of images of the element. Several angles make it more consistent.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_unset")]
    reference_image_urls: Vec<MediaSource>,
    /// Public http(s) URL of the main image, ideally one that shows the face or front clearly.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schemars", schemars(with = "String"))]
    frontal_image_url: Option<MediaSource>,
}

impl Element {
    /// Creates an element without images.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the main image, ideally one that shows the face or front clearly, as a public http(s) URL, a path or bytes.
    ///
    /// Limits: [`FRONTAL_IMAGE_URL`](kling_omni_api::limits::element::FRONTAL_IMAGE_URL).
    #[must_use]
    pub fn frontal_image(mut self, image: impl Into<MediaSource>) -> Self {
        self.frontal_image_url = Some(image.into());
        self
    }

    /// Adds a further image, as a public http(s) URL, a path or bytes. Several angles make the element more consistent.
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

    /// The further images.
    pub fn references(&self) -> &[MediaSource] {
        &self.reference_image_urls
    }

    /// All images of the element, which has the index `element` in the request.
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

    pub(super) fn replace_local_by_text(&mut self) {
        self.media_mut(0)
            .for_each(|(_, source)| source.replace_by_text());
    }

    /// Whether the element has no image.
    pub(super) fn is_empty(&self) -> bool {
        self.frontal_image_url.is_none() && self.reference_image_urls.is_empty()
    }
}

object!(Element, "Element", FIELDS);
