//! Requests with local images and videos: inspection and upload before the create.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kling_omni::preflight::MediaChecks;
use kling_omni::request::{Element, MediaSource, Route};
use kling_omni::upload::{LocalFile, UploadFuture, UploadedFile, Uploader};
use kling_omni::{Charged, Client, ErrorKind, TextToVideo, VideoReference};
use kling_omni_sandbox::{Host, Sandbox};
use kling_omni_test_support::log::Log;
use kling_omni_test_support::media::{Film, png};
use kling_omni_test_support::setup::{KEY, client, sandbox};
use kling_omni_test_support::virtual_clock::VirtualClock;
use tracing::instrument::WithSubscriber;

struct TestBench {
    sandbox: Sandbox,
    client: Client,
    _clock: VirtualClock,
}

impl TestBench {
    async fn new() -> Self {
        let clock = VirtualClock::new();
        let sandbox = sandbox(&clock).start().await.unwrap();
        let client = client(sandbox.base_url(), &clock).build().unwrap();
        Self {
            sandbox,
            client,
            _clock: clock,
        }
    }

    fn faulty(self, fault: &str) -> Self {
        self.sandbox.inject(fault.parse().unwrap());
        self
    }

    /// The number of requests to the API and to the storage.
    fn requests(&self) -> (usize, usize) {
        let requests = self.sandbox.requests();
        let at = |host| {
            let all = requests.iter();
            all.filter(|request| request.host() == host).count()
        };
        (at(Host::Api), at(Host::Storage))
    }
}

fn request(video: Vec<u8>) -> VideoReference {
    VideoReference::builder()
        .prompt("@Video1 as a puppet")
        .reference_video(video)
        .build()
        .unwrap()
}

#[tokio::test]
async fn files_and_bytes_are_uploaded() {
    let bench = TestBench::new().await;
    let folder = tempfile::tempdir().unwrap();
    let clip = folder.path().join("dance.mov");
    std::fs::write(&clip, Film::GOOD.mp4()).unwrap();
    let request = VideoReference::builder()
        .prompt("@Video1 as a puppet")
        .reference_video(clip.as_path())
        .start_frame(png(1280, 720))
        .build()
        .unwrap();

    let told = Arc::new(Mutex::new(Vec::new()));
    let progress = Arc::clone(&told);
    let create = bench.client.create(request.clone());
    let create =
        create.on_upload_progress(move |sent, total| progress.lock().unwrap().push((sent, total)));
    create.await.unwrap().wait().await.unwrap();

    let kinds: Vec<_> = bench
        .sandbox
        .uploads()
        .iter()
        .map(|one| one.content_type().to_owned())
        .collect();
    // Types by content: the first file is named like a MOV.
    assert_eq!(kinds, ["video/mp4", "image/png"]);
    let (sent, total) = *told.lock().unwrap().last().unwrap();
    assert_eq!((sent, total > 0), (total, true));
    let task = &bench.sandbox.tasks()[0];
    for field in ["video_url", "image_url"] {
        let url = task.request()[field].as_str().unwrap();
        assert!(url.starts_with(bench.sandbox.result_base_url()), "{url}");
    }
    let key = |request: &kling_omni_sandbox::ReceivedRequest| {
        request.host() == Host::Storage && format!("{:?}", request.headers()).contains("key")
    };
    assert!(!bench.sandbox.requests().iter().any(key));
    assert_eq!((bench.sandbox.charges(), bench.requests().1), (1, 2));

    // The files still exist.
    bench.client.create(request).await.unwrap();
    assert_eq!((bench.sandbox.charges(), bench.requests().1), (2, 2));
}

#[tokio::test]
async fn invalid_video_is_not_uploaded() {
    let bench = TestBench::new().await;
    let log = Log::default();
    let long = request(Film::GOOD.lasting(30_000).mp4());
    let create = async { bench.client.create(long.clone()).await };
    let error = create.with_subscriber(log.subscriber()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.charged()),
        (ErrorKind::Validation, Charged::No)
    );
    let findings = error.findings();
    assert_eq!(findings[0].code().as_str(), "video-too-long");
    assert!(error.to_string().contains("lasts 30 s"), "{error}");
    assert_eq!((bench.requests(), bench.sandbox.charges()), ((0, 0), 0));

    let unchecked = bench.client.create(long).media_checks(MediaChecks::Off);
    unchecked.await.unwrap();
    assert_eq!((bench.requests().1, bench.sandbox.charges()), (1, 1));
}

#[tokio::test]
async fn file_changed_since_preflight_is_inspected_again() {
    let bench = TestBench::new().await;
    let folder = tempfile::tempdir().unwrap();
    let clip = folder.path().join("dance.mp4");
    std::fs::write(&clip, Film::GOOD.mp4()).unwrap();
    let request = VideoReference::builder()
        .prompt("@Video1 as a puppet")
        .reference_video(clip.as_path())
        .build()
        .unwrap();
    let report = bench.client.preflight(request.clone()).await;
    assert!(!report.has_errors(), "{report:?}");

    let create = bench.client.create(request.clone());
    create.preflight_report(report.clone()).await.unwrap();
    assert_eq!((bench.requests().1, bench.sandbox.charges()), (1, 1));

    std::fs::write(&clip, Film::GOOD.lasting(30_000).mp4()).unwrap();
    let create = bench.client.create(request);
    let error = create.preflight_report(report).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Validation, "{error}");
    assert_eq!((bench.requests().1, bench.sandbox.charges()), (1, 1));
}

#[tokio::test]
async fn file_invalid_on_the_successor_is_not_sent_to_it() {
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock)
        .fault("createVideoReference:404".parse().unwrap())
        .start()
        .await
        .unwrap();
    let client = client(sandbox.base_url(), &clock).build().unwrap();
    let slow = request(Film::GOOD.at_rate(12, 1).mp4());
    let report = client.preflight(slow.clone()).await;
    let [warning] = report.findings() else {
        panic!("{:?}", report.findings());
    };
    assert_eq!(warning.code().as_str(), "rejected-by-successor");
    let error = client.create(slow.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Validation);
    assert!(
        error.to_string().contains("12 frames per second"),
        "{error}"
    );
    let error = client.create(slow).route(Route::ReferenceToVideo).await;
    assert_eq!(
        error.unwrap_err().findings()[0].code().as_str(),
        "frame-rate-too-low"
    );
    assert_eq!(sandbox.charges(), 0);
}

#[tokio::test]
async fn failed_upload_prevents_the_create() {
    for (fault, kind) in [
        ("upload:403", ErrorKind::Permission),
        ("upload:404", ErrorKind::NotFound),
        ("storage:403", ErrorKind::Upload),
        ("storage:drop", ErrorKind::Transport),
    ] {
        let bench = TestBench::new().await.faulty(fault);
        let log = Log::default();
        let create = async { bench.client.create(request(Film::GOOD.mp4())).await };
        let error = create.with_subscriber(log.subscriber()).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.charged()),
            (kind, Charged::No),
            "{fault}: {error}"
        );
        assert!(
            error.to_string().contains("nothing was created"),
            "{fault}: {error}"
        );
        assert_eq!(bench.sandbox.charges(), 0, "{fault}");
        let said = format!("{error} {error:?} {}", log.text());
        assert!(
            !said.contains(KEY) && !said.contains("hmac="),
            "{fault}: {said}"
        );
    }
}

#[tokio::test]
async fn all_images_of_a_text_request_may_be_local() {
    let bench = TestBench::new().await;
    let image = |number: u32| png(1280 + number, 720);
    let element = Element::new()
        .frontal_image(image(3))
        .reference_image(image(4))
        .reference_image("https://example.com/left.png");
    let request = TextToVideo::builder()
        .prompt("@Element1 and @Image1")
        .first_frame(image(1))
        .end_frame(image(2))
        .reference_image(image(5))
        .element(element)
        .build()
        .unwrap();
    bench.client.create(request).await.unwrap();
    let sent = bench.sandbox.tasks()[0].request().to_string();
    assert_eq!(sent.matches("/uploads/").count(), 5, "{sent}");
    assert!(!sent.contains(" bytes"), "{sent}");
}

/// An uploader to another store.
struct CustomUploader;

impl Uploader for CustomUploader {
    fn upload<'a>(&'a self, file: &'a LocalFile) -> UploadFuture<'a, UploadedFile> {
        let url = format!("https://files.example.com/{}", file.length());
        Box::pin(async move { Ok(UploadedFile::new(url, None)) })
    }
}

#[tokio::test]
async fn custom_uploader_of_the_client_is_used() {
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).start().await.unwrap();
    let client = client(sandbox.base_url(), &clock)
        .uploader(CustomUploader)
        .operation_timeout(Duration::from_secs(60))
        .build()
        .unwrap();
    let film = Film::GOOD.mp4();
    let length = film.len();
    client.create(request(film)).await.unwrap();
    let sent = sandbox.tasks()[0].request()["video_url"].clone();
    assert_eq!(sent, format!("https://files.example.com/{length}"));
    assert!(sandbox.uploads().is_empty());
}

#[tokio::test]
async fn custom_uploader_of_the_create_is_used() {
    let bench = TestBench::new().await;
    let create = bench.client.create(request(Film::GOOD.mp4()));
    create.uploader(CustomUploader).await.unwrap();
    assert!(bench.sandbox.uploads().is_empty());
}

/// JSON cannot name a file, so a file could not be deserialised.
#[test]
fn request_with_a_file_cannot_be_serialised() {
    let url = "https://example.com/dance.mp4?token=1";
    let video = |source: MediaSource| {
        let request = VideoReference::builder().prompt("@Video1");
        request.reference_video(source).build().unwrap()
    };
    let element = |source: MediaSource| {
        let element = Element::new().frontal_image("https://example.com/a.png");
        element.reference_image(source)
    };
    let text = |source: MediaSource| {
        let request = TextToVideo::builder().prompt("@Element1");
        request.element(element(source)).build().unwrap()
    };
    let read = |source: MediaSource| {
        let text = serde_json::to_string(&text(source)).unwrap();
        serde_json::from_str::<TextToVideo>(&text).unwrap()
    };
    assert_eq!(read(url.into()), text(url.into()));
    let written = serde_json::to_string(&video(url.into())).unwrap();
    let again: VideoReference = serde_json::from_str(&written).unwrap();
    assert_eq!(again, video(url.into()));
    for local in [MediaSource::from(Path::new("dance.mp4")), vec![0; 7].into()] {
        for result in [
            serde_json::to_string(&local),
            serde_json::to_string(&video(local.clone())),
            serde_json::to_string(&element(local.clone())),
            serde_json::to_string(&text(local.clone())),
        ] {
            let error = result.unwrap_err().to_string();
            assert!(error.contains("upload it"), "{error}");
        }
        // `Debug` works.
        let shown = local.to_string();
        assert!(format!("{:?}", video(local.clone())).contains(&shown));
        assert!(format!("{:?}", text(local.clone())).contains(&shown));
        assert!(format!("{:?}", element(local.clone())).contains(&shown));
    }
}

#[test]
fn file_name_as_string_has_help() {
    for name in [
        "dance.mp4",
        "./dance.mp4",
        "/clips/dance one.mp4",
        "C:\\dance.mp4",
    ] {
        let request = VideoReference::builder()
            .prompt("@Video1")
            .reference_video(name);
        let findings = request.findings();
        let finding = findings
            .iter()
            .find(|one| one.field() == "video_url")
            .unwrap();
        let help = finding.help().unwrap_or_default();
        assert!(help.contains(&format!("Path::new({name:?})")), "{help}");
    }
    let request = VideoReference::builder()
        .prompt("a")
        .reference_video("ftp://h/a.mp4");
    assert!(request.findings()[0].help().is_none());
    let hook = VideoReference::builder().prompt("a").webhook_url("hook");
    assert!(hook.findings()[0].help().is_none());
}

#[tokio::test]
async fn unreadable_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["missing.mp4", "two\nlines.mp4", "folder"] {
        let path = folder.path().join(name);
        if name == "folder" {
            std::fs::create_dir(&path).unwrap();
        }
        let inspection = kling_omni::preflight::inspect(path).await;
        let message = inspection.findings()[0].message();
        let shown = name.split('\n').next().unwrap();
        assert!(message.contains(shown), "{message}");
        assert!(
            message.contains("cannot be read") && !message.contains('\n'),
            "{message}"
        );
    }
}
