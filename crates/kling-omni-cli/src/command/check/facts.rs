//! What a file is, on one line.

use indicatif::DecimalBytes;
use kling_omni::preflight::probe::{FrameRate, Image, Kind, MediaInfo, Rotation, Video};

/// What a file is in a word.
pub(super) fn kind(probed: &MediaInfo) -> &'static str {
    match probed.format.map(|format| format.kind()) {
        Some(Kind::Video) => "video",
        Some(Kind::Image) => "image",
        Some(Kind::Audio) => "sound",
        _ => "file",
    }
}

/// What a file is, on one line; the sizes are those on the screen, with what is stored behind them where it differs.
pub(super) fn of(probed: &MediaInfo) -> String {
    let mut facts = Vec::new();
    match probed.format {
        Some(format) => facts.push(format.to_string()),
        None => facts.push("of no known format".to_owned()),
    }
    if let Some(video) = &probed.video {
        facts.push(video.codec.to_string());
    }
    if let Some(duration) = probed.duration {
        facts.push(format!("{} s", plain(duration.as_secs_f64())));
    }
    if let Some(video) = &probed.video {
        facts.extend(picture(video));
        facts.extend(video.frame_rate.map(rate));
    }
    if let Some(image) = &probed.image {
        facts.push(still(image));
    }
    if probed.video.is_some() {
        facts.extend(probed.has_audio.map(|sound| match sound {
            true => "with sound".to_owned(),
            false => "without sound".to_owned(),
        }));
    }
    if let Some(bytes) = probed.bytes {
        facts.push(DecimalBytes(bytes).to_string());
    }
    facts.join(", ")
}

fn picture(video: &Video) -> Option<String> {
    let shown = video.display.or(video.coded)?;
    let mut text = shown.to_string();
    let turned = video
        .rotation
        .filter(|rotation| *rotation != Rotation::None);
    let stored = video.coded.filter(|coded| *coded != shown);
    text.push_str(&match (stored, turned) {
        (None, None) => String::new(),
        (Some(stored), None) => format!(" (stored as {stored})"),
        (None, Some(turned)) => format!(" (turned by {}°)", turned.degrees()),
        (Some(stored), Some(turned)) => {
            format!(" (stored as {stored}, turned by {}°)", turned.degrees())
        }
    });
    Some(text)
}

fn still(image: &Image) -> String {
    match image.coded == image.display {
        true => image.display.to_string(),
        false => format!("{} (stored as {})", image.display, image.coded),
    }
}

fn rate(rate: FrameRate) -> String {
    let average = plain(rate.average.as_f64());
    match rate.is_variable {
        true => format!("{average} fps on the average"),
        false => format!("{average} fps"),
    }
}

/// A number with three decimals at the most.
fn plain(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
