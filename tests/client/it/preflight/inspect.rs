//! Inspection of a single file.

use kling_omni::preflight::{Inspection, MediaRole, inspect};
use kling_omni::request::{MediaSource, Route};
use kling_omni::validation::Severity;
use kling_omni_test_support::media::{Film, png};

use super::codes;

fn summarize(inspection: &Inspection) -> (&str, Option<Severity>, Vec<String>) {
    let severity = inspection.severity();
    assert_eq!(inspection.has_errors(), severity == Some(Severity::Error));
    let role = inspection.role().as_str();
    (role, severity, codes(inspection.findings()))
}

#[tokio::test]
async fn role_defaults_to_the_type_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: Vec<u8>| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        MediaSource::from(path)
    };
    let film = || Film::GOOD.mp4();
    let image = || png(1280, 720);
    let cases: [(MediaSource, Option<MediaRole>, &str, &[&str]); 9] = [
        (film().into(), None, "video", &[]),
        (image().into(), None, "image", &[]),
        (
            file("dance.png", film()),
            None,
            "video",
            &["video_url extension-mismatch"],
        ),
        (
            file("stage.mp4", image()),
            None,
            "image",
            &["image_url extension-mismatch"],
        ),
        (
            film().into(),
            Some(MediaRole::StartFrame),
            "image",
            &["image_url unsupported-format"],
        ),
        (
            image().into(),
            Some(MediaRole::ReferenceVideo),
            "video",
            &["video_url unsupported-format"],
        ),
        (
            file("page.png", b"<html>".to_vec()),
            None,
            "image",
            &[
                "image_url unsupported-format",
                "image_url extension-mismatch",
            ],
        ),
        (
            folder.path().join("none.jpg").into(),
            None,
            "image",
            &["image_url file-unreadable"],
        ),
        (
            folder.path().into(),
            None,
            "video",
            &["video_url file-unreadable"],
        ),
    ];
    for (source, role, taken, expected) in cases {
        let name = source.to_string();
        let mut look = inspect(source);
        if let Some(role) = role {
            look = look.role(role);
        }
        let inspection = look.await;
        let (role, _, found) = summarize(&inspection);
        assert_eq!(role, taken, "{name}");
        assert_eq!(found, expected, "{name}");
    }
}

#[tokio::test]
async fn route_selects_the_rules() {
    let slow = || Film::GOOD.at_rate(12, 1).mp4();
    for (route, severity, code) in [
        (
            Route::Auto,
            Some(Severity::Warning),
            "rejected-by-successor",
        ),
        (Route::VideoReference, None, ""),
        (
            Route::ReferenceToVideo,
            Some(Severity::Error),
            "frame-rate-too-low",
        ),
    ] {
        let inspection = inspect(slow()).route(route).await;
        let (_, found, codes) = summarize(&inspection);
        assert_eq!(found, severity, "{route}");
        assert_eq!(
            codes.concat().split(' ').nth(1).unwrap_or(""),
            code,
            "{route}"
        );
    }
}

#[tokio::test]
async fn private_url_is_not_requested_and_tokens_are_redacted() {
    let url = "http://user:canary@127.0.0.1:9/dance.mp4?token=canary";
    let inspection = inspect(url).await;
    assert_eq!(
        summarize(&inspection),
        (
            "video",
            Some(Severity::Warning),
            vec!["video_url inspection-incomplete".to_owned()]
        )
    );
    assert!(inspection.media_info().is_none());
    let json = serde_json::to_string(&inspection).unwrap();
    for text in [json, format!("{inspection:?}")] {
        assert!(!text.contains("canary"), "{text}");
    }
}
