//! A saved video is compared with its request.

use std::fs;

use kling_omni::download::{ExpectedVideo, VideoFinding, VideoStore};
use kling_omni::journal::{Journal, JournalOutcome};
use kling_omni::request::{AspectRatio, IntoRequest, Request};
use kling_omni::{Client, MotionControl, TextToVideo, Video};
use kling_omni_sandbox::Sandbox;
use kling_omni_test_bucket::Server;
use kling_omni_test_support::setup::{client, sandbox, valid_request};
use kling_omni_test_support::virtual_clock::VirtualClock;
use serde_json::{Value, json};

use crate::journal_stores::MemoryStore;

fn rain() -> kling_omni::request::TextToVideoBuilder {
    TextToVideo::builder().prompt("It rains").duration(3)
}

fn puppet() -> Request {
    let request = MotionControl::builder()
        .character("https://example.com/puppet.png")
        .reference_video("https://example.com/dance.mp4");
    request.build().unwrap().into()
}

/// A sandbox with faults, and its client.
async fn start(faults: &[&str]) -> (Sandbox, Client, VirtualClock) {
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).start().await.unwrap();
    for fault in faults {
        sandbox.inject(fault.parse().unwrap());
    }
    let client = client(sandbox.base_url(), &clock).build().unwrap();
    (sandbox, client, clock)
}

fn texts(findings: &[VideoFinding]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}

async fn saved(video: &Video) -> Vec<VideoFinding> {
    let folder = tempfile::tempdir().unwrap();
    let saved = video.save(folder.path().join("clip.mp4")).await;
    saved.unwrap().findings
}

#[tokio::test]
async fn difference_from_the_request_is_a_finding() {
    let text = |request: kling_omni::request::TextToVideoBuilder| -> Request {
        request.build().unwrap().into_request()
    };
    let reference = |request: kling_omni::request::VideoReferenceBuilder| -> Request {
        request.build().unwrap().into_request()
    };
    let portrait = || text(rain().aspect_ratio(AspectRatio::Portrait));
    let with_frame = || rain().start_frame("https://example.com/stage.png");
    let cases: [(Request, &[&str], &[&str]); 17] = [
        (text(rain()), &[], &[]),
        (portrait(), &[], &[]),
        (text(rain().generate_audio(true)), &[], &[]),
        (
            text(rain()),
            &["clip-seconds=4"],
            &["the video is 4 s long instead of 3 s"],
        ),
        (
            text(rain()),
            &["clip-seconds=2"],
            &["the video is 2 s long instead of 3 s"],
        ),
        // The default of the document is a request, too.
        (
            text(TextToVideo::builder().prompt("It rains")),
            &["clip-seconds=6"],
            &["the video is 6 s long instead of 5 s"],
        ),
        (
            portrait(),
            &["clip-size=1280x720"],
            &["the picture is 1280 × 720 pixels instead of 9:16"],
        ),
        (
            text(rain()),
            &["clip-size=720x1280"],
            &["the picture is 720 × 1280 pixels instead of 16:9"],
        ),
        // The picture may follow its start frame.
        (text(with_frame()), &["clip-size=720x1280"], &[]),
        (
            text(with_frame().aspect_ratio(AspectRatio::Widescreen)),
            &["clip-size=720x1280"],
            &["the picture is 720 × 1280 pixels instead of 16:9"],
        ),
        (
            text(rain()),
            &["clip-size=640x352"],
            &["the picture is 640 × 352 pixels, less than 921600 pixels"],
        ),
        (
            text(rain().generate_audio(true)),
            &["clip-sound=no"],
            &["the video has no sound, which was requested"],
        ),
        (
            text(rain().generate_audio(false)),
            &["clip-sound=yes"],
            &["the video has sound, which was not requested"],
        ),
        // The default of the service is not documented.
        (text(rain()), &["clip-sound=yes"], &[]),
        // The video may follow its reference video, up to the maximum.
        (reference(valid_request()), &["clip-seconds=12"], &[]),
        (
            reference(valid_request()),
            &["clip-seconds=20"],
            &["the video is 20 s long instead of at most 15 s"],
        ),
        (puppet(), &["clip-seconds=29"], &[]),
    ];
    for (request, faults, expected) in cases {
        let rules: Vec<_> = faults
            .iter()
            .map(|fault| format!("create:{fault}"))
            .collect();
        let rules: Vec<_> = rules.iter().map(String::as_str).collect();
        let (_sandbox, client, _) = start(&rules).await;
        let video = client.create(request).await.unwrap().wait().await.unwrap();
        let findings = saved(&video).await;
        assert_eq!(texts(&findings), expected, "{rules:?}");
    }
}

#[tokio::test]
async fn findings_are_in_the_result_and_the_sidecar() {
    let faults = [
        "create:clip-seconds=5",
        "create:clip-size=320x320",
        "create:clip-sound=no",
    ];
    let (_sandbox, client, _) = start(&faults).await;
    let request = rain().generate_audio(true).build().unwrap();
    let video = client.create(request).await.unwrap().wait().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.mp4");
    let saved = video.save(&path).sidecar(true).await.unwrap();
    let expected = json!([
        {"kind": "length", "asked_ms": 3000, "is_maximum": false, "got_ms": 5000, "tolerance_ms": 500},
        {"kind": "aspect_ratio", "asked": "16:9", "width": 320, "height": 320, "tolerance_percent": 5},
        {"kind": "sound", "asked": true, "got": false},
        {"kind": "size", "asked_pixels": 921600, "width": 320, "height": 320, "tolerance_percent": 10},
    ]);
    let written = serde_json::to_value(&saved).unwrap();
    assert_eq!(written["findings"], expected);
    assert_eq!(
        serde_json::from_value::<kling_omni::download::Saved>(written).unwrap(),
        saved
    );
    let sidecar = fs::read_to_string(saved.sidecar.unwrap()).unwrap();
    let sidecar: Value = serde_json::from_str(&sidecar).unwrap();
    assert_eq!(sidecar["findings"], expected);
}

/// Another client knows nothing of the request.
#[tokio::test]
async fn video_of_another_client_is_compared_on_request() {
    let (sandbox, first, clock) = start(&["create:clip-seconds=4"]).await;
    let request = Request::from(rain().build().unwrap());
    let task = first.create(request.clone()).await.unwrap();
    task.wait().await.unwrap();
    let second = client(sandbox.base_url(), &clock).build().unwrap();
    let video = second.task(task.id()).wait().await.unwrap();
    assert_eq!(saved(&video).await, []);
    let folder = tempfile::tempdir().unwrap();
    let save = video.save(folder.path().join("clip.mp4"));
    let compared = save.expected(request.expected_video()).await.unwrap();
    assert_eq!(
        texts(&compared.findings),
        ["the video is 4 s long instead of 3 s"]
    );
    // What was asked in words of the caller.
    let save = video.save(folder.path().join("again.mp4"));
    let compared = save
        .expected(ExpectedVideo::new().seconds(4))
        .await
        .unwrap();
    assert_eq!(compared.findings, []);
}

#[tokio::test]
async fn object_of_a_bucket_is_compared_while_it_is_uploaded() {
    let (_sandbox, client, _) = start(&["create:clip-seconds=4"]).await;
    let request = rain().build().unwrap();
    let video = client.create(request).await.unwrap().wait().await.unwrap();
    let server = Server::start().await;
    let store = VideoStore::from_s3(server.settings());
    let saved = video.save(store.object("s3://clips/rain.mp4").unwrap());
    let saved = saved.await.unwrap();
    assert_eq!(
        texts(&saved.findings),
        ["the video is 4 s long instead of 3 s"]
    );
    assert_eq!(server.objects().len(), 1);
}

/// The journal has the findings after a crash, and needs no second download for them.
#[tokio::test]
async fn journal_keeps_the_findings() {
    let (_sandbox, client, _) = start(&["create:clip-seconds=4"]).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.mp4");
    let store = MemoryStore::new(1);
    for _ in 0..2 {
        let mut journal = Journal::with_store(store.clone()).await.unwrap();
        let create = client.create(rain().build().unwrap());
        let outcome = journal.run(&client, create, &path).await.unwrap();
        let JournalOutcome::Saved(saved) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(
            texts(&saved.findings),
            ["the video is 4 s long instead of 3 s"]
        );
    }
}
