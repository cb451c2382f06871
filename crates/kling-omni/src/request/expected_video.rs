//! What a request asks of its video, with the defaults of the document.

use serde_json::Value;

use crate::engine::expected_video::ExpectedVideo;
use crate::media_field::MediaField;
use crate::request::length;
use crate::route::{CreateRoute, Mode};

/// 1280 × 720, the smaller of the two sizes that the vendor's price page names: 720p for the Standard tier and 1080p for the
/// Pro tier. The API has no field for the size, and no document assigns one to a tier, so the smaller one applies to both.
const MIN_PIXELS: u32 = 1280 * 720;

/// What the request with this body asks of its video.
pub(crate) fn expected_video(mode: Mode, body: &Value) -> ExpectedVideo {
    let mut expected = ExpectedVideo::new().min_pixels(MIN_PIXELS);
    let has_video = is_set(MediaField::ReferenceVideo, body);
    expected = match length::max_seconds(mode, body) {
        0 => expected,
        // Whether a video without `duration` follows the length of its reference video is not documented.
        seconds if length::requested(body).is_none() && has_video => expected.max_seconds(seconds),
        seconds => expected.seconds(seconds),
    };
    let has_start = MediaField::START_FRAMES
        .into_iter()
        .any(|field| is_set(field, body));
    let ratio = match body.get("aspect_ratio").and_then(Value::as_str) {
        Some(ratio) => Some(ratio),
        // The picture may follow its input then.
        None if has_video || has_start => None,
        None => default_ratio(mode),
    };
    if let Some((width, height)) = ratio.and_then(parse_ratio) {
        expected = expected.aspect_ratio(width, height);
    }
    match body.get("generate_audio").and_then(Value::as_bool) {
        Some(sound) => expected.sound(sound),
        None => expected,
    }
}

fn is_set(field: MediaField, body: &Value) -> bool {
    field.value(body).is_some_and(|value| !value.is_null())
}

fn default_ratio(mode: Mode) -> Option<&'static str> {
    let route = CreateRoute::all().find(|route| route.mode() == mode)?;
    let mut limits = route.limits().iter();
    length::default_text(limits.find(|field| field.name == "aspect_ratio")?)
}

/// Parses `16:9`. `auto` has none.
fn parse_ratio(text: &str) -> Option<(u32, u32)> {
    let (width, height) = text.split_once(':')?;
    Some((width.parse().ok()?, height.parse().ok()?))
}
