//! The rules of preflight for media files.

use std::fmt::Write as _;

use crate::snapshots;
use kling_omni::request::{AspectRatio, CharacterOrientation, Route, VideoReferenceBuilder};
use kling_omni::validation::Severity;
use kling_omni::{MotionControl, TextToVideo, VideoReference};
use kling_omni_api::limits::motion_control_request::CHARACTER_ORIENTATION;
use kling_omni_api::limits::video_request::END_IMAGE_URL;
use kling_omni_test_support::media::{Film, png};

use super::{codes, inspect_request, offline};

fn dance() -> VideoReferenceBuilder {
    VideoReference::builder().prompt("@Video1 as a puppet")
}

#[tokio::test]
async fn limit_is_an_error_only_if_violated_in_every_reading() {
    let film = Film::GOOD;
    let heavy = |media| Film { media, ..film };
    let cases: &[(&str, Film, &[&str])] = &[
        ("good", film, &[]),
        ("a bit short", film.lasting(2_600), &["limit-ambiguous"]),
        ("too short", film.lasting(2_400), &["video-too-short"]),
        (
            "as long as may be",
            film.lasting(10_000),
            &["long-reference-video"],
        ),
        (
            "a bit long",
            film.lasting(10_400),
            &["limit-ambiguous", "long-reference-video"],
        ),
        (
            "too long",
            film.lasting(10_600),
            &["video-too-long", "long-reference-video"],
        ),
        ("one side short", film.sized(960, 540), &["limit-ambiguous"]),
        (
            "both sides short",
            film.sized(640, 360),
            &["dimensions-too-small"],
        ),
        (
            "the least",
            film.sized(720, 720),
            &["aspect-ratio-mismatch"],
        ),
        (
            "one side long",
            film.sized(3840, 2160),
            &["limit-ambiguous"],
        ),
        (
            "both sides long",
            film.sized(4096, 2304),
            &["dimensions-too-large"],
        ),
        (
            "portrait",
            film.sized(720, 1280),
            &["aspect-ratio-mismatch"],
        ),
        (
            "a megabyte of ten to the six",
            heavy(200_000_000 - 1_000),
            &[],
        ),
        (
            "a megabyte of two to the twenty",
            heavy(209_000_000),
            &["limit-ambiguous"],
        ),
        ("too heavy", heavy(209_800_000), &["file-too-large"]),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (name, film, expected) in cases {
        let path = folder.path().join("dance.mp4");
        film.save(&path).unwrap();
        let report = inspect_request(dance().reference_video(path)).await;
        let found: Vec<_> = report
            .findings()
            .iter()
            .map(|one| one.code().as_str())
            .collect();
        assert_eq!(found, *expected, "{name}");
        let stops = expected.first().is_some_and(|code| code.contains("-too-"));
        assert_eq!(report.has_errors(), stops, "{name}");
    }
}

#[tokio::test]
async fn frame_rate_is_checked_only_with_a_rule() {
    for ((frames, seconds), expected) in [
        ((24_000, 1_001), vec!["video_url limit-ambiguous"]),
        ((24, 1), vec![]),
        ((60, 1), vec![]),
        ((23, 1), vec!["video_url frame-rate-too-low"]),
        ((120, 1), vec!["video_url frame-rate-too-high"]),
    ] {
        let film = Film::GOOD.at_rate(frames, seconds);
        let request = dance().reference_video(film.mp4()).build().unwrap();
        let preflight = |route| offline().preflight(request.clone()).route(route);
        let found = codes(preflight(Route::ReferenceToVideo).await.findings());
        assert_eq!(found, expected, "{frames}/{seconds}");
        let found = preflight(Route::VideoReference).await;
        assert_eq!(found.severity(), None, "{frames}/{seconds}");
    }
}

#[tokio::test]
async fn format_is_detected_by_content() {
    type Case = (&'static str, Vec<u8>, Vec<u8>, &'static [&'static str]);
    let cases: [Case; 6] = [
        ("good", Film::GOOD.mp4(), png(1280, 720), &[]),
        (
            "swapped",
            png(1280, 720),
            Film::GOOD.mp4(),
            &[
                "video_url unsupported-format",
                "image_url unsupported-format",
            ],
        ),
        (
            "empty",
            Vec::new(),
            png(1280, 720),
            &["video_url file-corrupt"],
        ),
        (
            "text",
            b"no video at all".repeat(9),
            png(1280, 720),
            &["video_url unsupported-format"],
        ),
        (
            "cut",
            Film::GOOD.mp4()[..500].to_vec(),
            png(1280, 720)[..40].to_vec(),
            &["video_url file-corrupt", "image_url file-corrupt"],
        ),
        (
            "small image",
            Film::GOOD.mp4(),
            png(512, 288),
            &["image_url dimensions-too-small"],
        ),
    ];
    for (name, video, image, expected) in cases {
        let report = inspect_request(dance().reference_video(video).start_frame(image)).await;
        let errors: Vec<_> = codes(report.findings())
            .into_iter()
            .zip(report.findings())
            .filter(|(_, finding)| finding.severity() == Severity::Error)
            .map(|(code, _)| code)
            .collect();
        assert_eq!(errors, expected, "{name}");
    }
}

/// The document has no `x-media` for the end frame: it does not say whether its file is an image.
#[tokio::test]
async fn field_without_media_rules_is_not_checked() {
    assert_eq!(
        END_IMAGE_URL.media, None,
        "the field has rules now: use another one"
    );
    let cut = png(1280, 720)[..40].to_vec();
    for (name, file, expected) in [
        ("an image", png(1280, 720), &[][..]),
        ("a small image", png(16, 16), &[]),
        ("a video", Film::GOOD.mp4(), &[]),
        ("another format", b"RIFF1234WAVEfmt ".to_vec(), &[]),
        ("a cut image", cut, &["end_image_url file-corrupt"]),
    ] {
        let request = TextToVideo::builder()
            .prompt("A river")
            .start_frame(png(1280, 720))
            .end_frame(file);
        let report = offline().preflight(request.build().unwrap()).await;
        let findings = report.findings();
        assert!(findings.iter().all(|one| one.help().is_none()), "{name}");
        let codes: Vec<_> = codes(findings)
            .into_iter()
            .filter(|code| !code.ends_with("aspect-ratio-mismatch"))
            .collect();
        assert_eq!(codes, expected, "{name}");
    }
}

#[tokio::test]
async fn mismatched_files_are_warnings() {
    let film = || Film::GOOD.mp4();
    let cases = [
        (
            dance().reference_video(film()).start_frame(png(1280, 720)),
            vec![],
        ),
        (
            dance().reference_video(film()).start_frame(png(720, 1280)),
            vec!["image_url aspect-ratio-mismatch"],
        ),
        (
            dance()
                .reference_video(film())
                .aspect_ratio(AspectRatio::Portrait),
            vec!["aspect_ratio aspect-ratio-mismatch"],
        ),
        (
            dance()
                .reference_video(Film::GOOD.sized(720, 1280).mp4())
                .aspect_ratio(AspectRatio::Auto),
            vec![],
        ),
        (
            dance()
                .reference_video(Film::GOOD.lasting(9_000).mp4())
                .duration(8),
            vec![],
        ),
        (
            dance()
                .reference_video(Film::GOOD.lasting(9_000).mp4())
                .duration(4),
            vec!["video_url long-reference-video"],
        ),
    ];
    for (request, expected) in cases {
        assert_eq!(codes(inspect_request(request).await.findings()), expected);
    }
}

#[tokio::test]
async fn unused_part_of_a_reference_video_is_a_warning() {
    let limits = CHARACTER_ORIENTATION.output_seconds;
    assert!(!limits.is_empty());
    let given = CharacterOrientation::ALL.iter().copied().map(Some);
    for orientation in given.chain([None]) {
        let limit = limits
            .iter()
            .find(|(value, _)| orientation.is_some_and(|one| one.as_str() == *value));
        let most = limit.and_then(|(_, seconds)| seconds.maximum);
        let milliseconds = most.unwrap_or(12.0) as u32 * 1_000;
        let beyond = most.map(|_| "video_url long-reference-video");
        for (milliseconds, expected) in [(milliseconds, None), (milliseconds + 1_000, beyond)] {
            let mut request = MotionControl::builder()
                .character(png(720, 720))
                .reference_video(Film::GOOD.lasting(milliseconds).mp4());
            if let Some(orientation) = orientation {
                request = request.character_orientation(orientation);
            }
            let report = offline().preflight(request.build().unwrap()).await;
            let found = codes(report.findings());
            assert_eq!(
                found,
                Vec::from_iter(expected),
                "{orientation:?}, {milliseconds} ms"
            );
        }
    }
}

#[tokio::test]
async fn unreadable_file_is_an_error_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("missing.mp4"), folder.path().to_owned()] {
        let report = inspect_request(dance().reference_video(path)).await;
        assert_eq!(codes(report.findings()), ["video_url file-unreadable"]);
    }
    let misnamed = folder.path().join("stage.jpg");
    std::fs::write(&misnamed, png(1280, 720)).unwrap();
    let report = inspect_request(
        dance()
            .reference_video(Film::GOOD.mp4())
            .start_frame(misnamed),
    )
    .await;
    assert_eq!(codes(report.findings()), ["image_url extension-mismatch"]);
}

/// A test of the program runs such commands.
#[tokio::test]
async fn findings_have_a_fix_command() {
    let folder = tempfile::tempdir().unwrap();
    let clip = folder.path().join("it's long.mov");
    let all_wrong = Film::GOOD.sized(640, 360).lasting(30_000);
    std::fs::write(&clip, all_wrong.mp4()).unwrap();
    let frame = folder.path().join("-stage.png");
    std::fs::write(&frame, png(5_000, 100)).unwrap();
    let report = inspect_request(dance().reference_video(clip).start_frame(frame)).await;
    let mut text = String::new();
    for finding in report.findings() {
        writeln!(text, "{:?}: {finding}", finding.severity()).unwrap();
        if let Some(advice) = finding.help() {
            writeln!(text, "    {advice}").unwrap();
        }
    }
    let text = text.replace(&folder.path().display().to_string(), "FOLDER");
    let mut snapshots = snapshots("errors");
    snapshots.check("preflight", &text);
}
