//! The properties of a media file on one line.

use indicatif::DecimalBytes;
use kling_omni::preflight::probe::{FrameRate, Image, Kind, MediaInfo, Rotation, Video};

/// Returns the kind of a file in one word.
pub(super) fn kind(media: &MediaInfo) -> &'static str {
    match media.format.map(|format| format.kind()) {
        Some(Kind::Video) => "video",
        Some(Kind::Image) => "image",
        Some(Kind::Audio) => "sound",
        _ => "file",
    }
}

/// Describes a file on one line. Sizes are display sizes; a stored size that differs follows in parentheses.
pub(super) fn describe(media: &MediaInfo) -> String {
    let mut facts = Vec::new();
    match media.format {
        Some(format) => facts.push(format.to_string()),
        None => facts.push("unknown format".to_owned()),
    }
    if let Some(video) = &media.video {
        facts.push(video.codec.to_string());
    }
    if let Some(duration) = media.duration {
        facts.push(format!("{} s", decimal(duration.as_secs_f64())));
    }
    if let Some(video) = &media.video {
        facts.extend(video_size(video));
        facts.extend(video.frame_rate.map(frame_rate));
    }
    if let Some(image) = &media.image {
        facts.push(image_size(image));
    }
    if media.video.is_some() {
        facts.extend(media.has_audio.map(|sound| match sound {
            true => "with sound".to_owned(),
            false => "without sound".to_owned(),
        }));
    }
    if let Some(bytes) = media.bytes {
        facts.push(DecimalBytes(bytes).to_string());
    }
    facts.join(", ")
}

fn video_size(video: &Video) -> Option<String> {
    let shown = video.display.or(video.coded)?;
    let mut text = shown.to_string();
    let rotation = video
        .rotation
        .filter(|rotation| *rotation != Rotation::None);
    let stored = video.coded.filter(|coded| *coded != shown);
    text.push_str(&match (stored, rotation) {
        (None, None) => String::new(),
        (Some(stored), None) => format!(" (stored as {stored})"),
        (None, Some(rotation)) => format!(" (rotated by {}°)", rotation.degrees()),
        (Some(stored), Some(rotation)) => {
            format!(" (stored as {stored}, rotated by {}°)", rotation.degrees())
        }
    });
    Some(text)
}

fn image_size(image: &Image) -> String {
    match image.coded == image.display {
        true => image.display.to_string(),
        false => format!("{} (stored as {})", image.display, image.coded),
    }
}

fn frame_rate(rate: FrameRate) -> String {
    let average = decimal(rate.average.as_f64());
    match rate.is_variable {
        true => format!("{average} fps on average"),
        false => format!("{average} fps"),
    }
}

/// Formats a number with at most three decimals.
fn decimal(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
