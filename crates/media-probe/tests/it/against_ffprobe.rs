//! Comparison with ffprobe, for newly encoded sample files.

use std::fs;
use std::path::Path;

use media_probe::{Codec, MediaInfo, Rate, probe_file};
use serde_json::Value;

use crate::expected::{Sample, folder, line, samples};
use crate::ffmpeg;

/// Stores the encoded samples if set. The table is edited by hand.
const STORE: &str = "MEDIA_PROBE_STORE_SAMPLES";

#[test]
fn probe_agrees_with_ffprobe() {
    const TEST: &str = "probe_agrees_with_ffprobe";
    if !ffmpeg::is_installed(TEST) {
        return;
    }
    let room = tempfile::tempdir().unwrap();
    let encoders = ffmpeg::encoders();
    let mut wrong = Vec::new();
    for sample in samples() {
        if let Some(encoder) = &sample.encoder
            && !encoders.contains(&format!(" {encoder} "))
        {
            ffmpeg::skip(TEST, &format!("{} needs {encoder}", sample.name));
            continue;
        }
        ffmpeg::encode(&sample, room.path());
        let file = room.path().join(&sample.name);
        if std::env::var_os(STORE).is_some() {
            fs::copy(&file, folder().join(&sample.name)).unwrap();
        }
        compare(&sample, &file, &mut wrong);
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn compare(sample: &Sample, file: &Path, wrong: &mut Vec<String>) {
    let probed = probe_file(file).unwrap();
    let truth = ffmpeg::probe(file);
    let is_video = |stream: &&Value| stream["codec_type"] == "video";
    let has_audio = |stream: &Value| stream["codec_type"] == "audio";
    let streams = truth["streams"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let mut different = |what: &str, ours: String, theirs: String| {
        wrong.push(format!(
            "{}: {what}: {ours}, ffprobe says {theirs}",
            sample.name
        ));
    };
    if probed.has_audio.is_some() && probed.has_audio != Some(streams.iter().any(has_audio)) {
        different("sound", format!("{:?}", probed.has_audio), String::new());
    }
    // Only parsed properties can be compared.
    if probed.video.is_some() {
        compare_lengths(&probed, &truth, &mut different);
        let stream = streams.iter().find(is_video).unwrap();
        compare_video(&probed, stream, &mut different);
    } else if let Some(image) = &probed.image {
        let ours = (image.coded.width.into(), image.coded.height.into());
        let stream = streams.iter().find(is_video).unwrap();
        let theirs = (number(&stream["width"]), number(&stream["height"]));
        if ours != theirs {
            different("size", format!("{ours:?}"), format!("{theirs:?}"));
        }
    }
    // Encoders may change, but the properties in the table must not.
    let is = line(&probed);
    if is != sample.is {
        different(
            "table",
            is,
            format!("another value than {} in the table", sample.is),
        );
    }
}

fn compare_lengths(
    probed: &MediaInfo,
    truth: &Value,
    different: &mut impl FnMut(&str, String, String),
) {
    let ours = probed.duration.unwrap().as_secs_f64();
    let theirs = number(&truth["format"]["duration"]);
    if (ours - theirs).abs() > 0.001 {
        different("duration", ours.to_string(), theirs.to_string());
    }
}

fn compare_video(
    probed: &MediaInfo,
    stream: &Value,
    different: &mut impl FnMut(&str, String, String),
) {
    let video = probed.video.as_ref().unwrap();
    let ours = video.duration.unwrap().as_secs_f64();
    // ffprobe omits an unknown rate. With variable durations it sums them in storage order instead of display order.
    let is_said = stream["duration"].is_string() && !video.frame_rate.unwrap().is_variable;
    if is_said && (ours - number(&stream["duration"])).abs() > 0.001 {
        different("track", ours.to_string(), stream["duration"].to_string());
    }
    let codec = match stream["codec_name"].as_str().unwrap() {
        "h264" => Codec::H264,
        "hevc" => Codec::Hevc,
        "av1" => Codec::Av1,
        "vp9" => Codec::Vp9,
        "prores" => Codec::ProRes,
        "mjpeg" => Codec::MotionJpeg,
        "mpeg4" => Codec::Mpeg4,
        "h263" => Codec::H263,
        other => panic!("no name for {other}"),
    };
    if video.codec != codec {
        different("codec", video.codec.to_string(), codec.to_string());
    }
    let rate = video.frame_rate.unwrap();
    let theirs = fraction(&stream["avg_frame_rate"]);
    let is_same = match rate.is_variable {
        false => {
            Some(rate.average) == theirs || Some(rate.average) == fraction(&stream["r_frame_rate"])
        }
        true => theirs
            .is_some_and(|theirs| (theirs.as_f64() / rate.average.as_f64() - 1.0).abs() < 1e-3),
    };
    if !is_same {
        different("rate", rate.average.to_string(), format!("{theirs:?}"));
    }
    let coded = video.coded.unwrap();
    let (width, height) = (number(&stream["width"]), number(&stream["height"]));
    if (f64::from(coded.width), f64::from(coded.height)) != (width, height) {
        different(
            "coded size",
            format!("{coded:?}"),
            format!("{width}x{height}"),
        );
    }
    let pixel = match stream["sample_aspect_ratio"].as_str() {
        Some(ratio) => fraction(&ratio.replace(':', "/").into()).map_or(1.0, Rate::as_f64),
        None => 1.0,
    };
    let turn = stream["side_data_list"]
        .as_array()
        .and_then(|all| all.iter().find_map(|data| data["rotation"].as_i64()));
    let turn = turn.unwrap_or_default().rem_euclid(360);
    // ffprobe counts counterclockwise.
    if i64::from(video.rotation.unwrap().degrees()) != (360 - turn) % 360 {
        different(
            "rotation",
            format!("{:?}", video.rotation),
            turn.to_string(),
        );
    }
    let mut display = ((width * pixel).round(), height);
    if turn % 180 == 90 {
        display = (display.1, display.0);
    }
    let ours = video.display.unwrap();
    if (f64::from(ours.width), f64::from(ours.height)) != display {
        different("display", format!("{ours:?}"), format!("{display:?}"));
    }
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .or_else(|| value.as_str()?.parse().ok())
        .unwrap_or_else(|| panic!("{value} is not a number"))
}

fn fraction(value: &Value) -> Option<Rate> {
    let (numerator, denominator) = value.as_str()?.split_once('/')?;
    Rate::new(numerator.parse().ok()?, denominator.parse().ok()?)
}
