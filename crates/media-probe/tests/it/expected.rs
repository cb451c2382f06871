//! The table of sample files: how to encode them, and their properties.

use std::fs;
use std::path::PathBuf;

use media_probe::MediaInfo;
use serde::Deserialize;

/// A sample file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    pub name: String,
    /// The arguments of ffmpeg before the name of the output. `{NAME}` is replaced by the sample of that name.
    pub ffmpeg: String,
    /// The encoder, if a build of ffmpeg may lack it.
    pub encoder: Option<String>,
    /// The rotation to write into the encoded file.
    #[serde(default)]
    pub turned: u16,
    /// The properties, as [`line`] formats them.
    pub is: String,
}

/// All sample files, in the order in which they must be encoded.
pub fn samples() -> Vec<Sample> {
    let text = fs::read_to_string(folder().join("samples.yaml")).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("samples.yaml: {error}"))
}

pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

pub fn stored(name: &str) -> Vec<u8> {
    let path = folder().join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Formats all properties in one line.
pub fn line(probed: &MediaInfo) -> String {
    let mut words = vec![probed.format.map_or("?", |format| format.id()).to_owned()];
    let seconds = |duration: std::time::Duration| format!("{:.6} s", duration.as_secs_f64());
    if let Some(duration) = probed.duration {
        words.push(seconds(duration));
    }
    if let Some(video) = &probed.video {
        words.push(video.codec.to_string());
        words.push(video.duration.map_or("? s".into(), seconds));
        let size = |size: Option<media_probe::Size>| match size {
            Some(size) => format!("{}x{}", size.width, size.height),
            None => "?".into(),
        };
        words.push(format!("{} as {}", size(video.coded), size(video.display)));
        if let Some(rotation) = video.rotation.filter(|rotation| rotation.degrees() > 0) {
            words.push(format!("turned {}", rotation.degrees()));
        }
        if let Some(rate) = video.frame_rate {
            let varies = if rate.is_variable { "about " } else { "" };
            words.push(format!("{varies}{} fps", rate.average));
        }
        if let Some(frames) = video.frames {
            words.push(format!("{frames} frames"));
        }
        if video.is_fragmented {
            words.push("in fragments".into());
        }
    }
    if let Some(image) = &probed.image {
        let (coded, display) = (image.coded, image.display);
        words.push(format!(
            "{}x{} as {}x{}",
            coded.width, coded.height, display.width, display.height
        ));
    }
    if let Some(tracks @ 2..) = probed.video_tracks {
        words.push(format!("{tracks} video tracks"));
    }
    if probed.has_audio == Some(true) {
        words.push("sound".into());
    }
    let codes = probed.problems.iter().map(|problem| {
        let code = serde_json::to_value(problem.code).unwrap();
        code.as_str().unwrap().to_owned()
    });
    words.extend(codes);
    words.join(", ")
}
