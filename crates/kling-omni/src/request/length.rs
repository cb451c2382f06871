//! The length of the video that a request makes, as far as the request determines it.

use kling_omni_api::{Field, MediaKind, Scalar, Span};
use serde_json::Value;

use crate::route::{CreateRoute, Mode};

/// The field with the requested length.
const DURATION: &str = "duration";

/// The length of the video in seconds, or the maximum length if the request does not determine it.
///
/// A request without `duration` gets the default of the document, except with a reference video: whether the video
/// follows its length is not documented, so this is the maximum then.
pub(crate) fn max_seconds(mode: Mode, body: &Value) -> u32 {
    if let Some(seconds) = requested(body) {
        return seconds;
    }
    let routes = CreateRoute::all().filter(|route| route.mode() == mode);
    let by_route = routes.filter_map(|route| of_route(route.limits(), body));
    by_route.max().unwrap_or_default()
}

/// The requested length of the video in seconds.
pub(crate) fn requested(body: &Value) -> Option<u32> {
    match body.get(DURATION)? {
        Value::String(text) => text.parse().ok(),
        value => value.as_u64().and_then(|seconds| seconds.try_into().ok()),
    }
}

fn of_route(fields: &[Field], body: &Value) -> Option<u32> {
    let value = |name: &str| body.get(name).filter(|value| !value.is_null());
    let is_video = |field: &&Field| {
        field
            .media
            .is_some_and(|media| media.kind == MediaKind::Video)
    };
    let has_video = fields
        .iter()
        .filter(is_video)
        .any(|field| value(field.name).is_some());
    let longest = match fields.iter().find(|field| field.name == DURATION) {
        Some(field) if !has_video && value(DURATION).is_none() => {
            default_text(field)?.parse().ok()?
        }
        Some(field) => field
            .values
            .iter()
            .filter_map(|text| text.parse().ok())
            .max()?,
        None => {
            let videos = fields.iter().filter_map(|field| field.media);
            videos.filter_map(|media| whole(media.seconds)).max()?
        }
    };
    let limits = fields.iter().filter_map(|field| {
        let value = value(field.name).and_then(Value::as_str);
        let value = value.or_else(|| default_text(field))?;
        let (_, span) = field.output_seconds.iter().find(|(of, _)| *of == value)?;
        whole(*span)
    });
    limits.chain([longest]).min()
}

/// The maximum of a range in whole seconds. The limits of the document are small positive numbers.
fn whole(seconds: Span) -> Option<u32> {
    seconds.maximum.map(|maximum| maximum.ceil() as u32)
}

/// The default of a field, if it is a text.
pub(crate) fn default_text(field: &Field) -> Option<&'static str> {
    match field.default? {
        Scalar::Text(text) => Some(text),
        Scalar::Number(_) | Scalar::Flag(_) => None,
    }
}
